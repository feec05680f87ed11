import Clips
import Files

/// What lossy encoding alone does to a clip.
package enum EncodingBaseline {
  /// The clip after encoding as the official `export_to_video` encodes, and decoding.
  ///
  /// The right clip cannot be expected to lie closer to a golden video than this lies to the clip itself.
  package static func roundTrip(_ clip: Clip, framesPerSecond: Int) throws -> Clip {
    let folder = try TemporaryFolder()
    let path = folder.path + "/clip.mp4"
    try ClipWriter.write(clip, framesPerSecond: framesPerSecond, to: path, quality: .official)
    return try ClipReader.read(path)
  }
}
