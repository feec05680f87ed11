import Clips
import Files

/// The loss that video encoding alone causes in a clip.
package enum EncodingBaseline {
  /// Returns the clip after encoding it as the official `export_to_video` does, and decoding it.
  ///
  /// A correct clip cannot be expected to be closer to a golden video than this result is to the clip itself.
  package static func roundTrip(_ clip: Clip, framesPerSecond: Int) throws -> Clip {
    let folder = try TemporaryFolder()
    let path = folder.path + "/clip.mp4"
    try ClipWriter.write(clip, framesPerSecond: framesPerSecond, to: path, quality: .official)
    return try ClipReader.read(path)
  }
}
