import Foundation

/// What lossy encoding alone does to a clip.
public enum LossyFloor {
  /// The clip after it was encoded as the official `export_to_video` encodes it, and decoded again.
  ///
  /// A right clip cannot be expected to lie closer to a golden video than this lies to the clip itself.
  public static func roundTrip(
    _ frames: [UInt8], width: Int, height: Int, framesPerSecond: Int
  ) throws -> DecodedClip {
    let path = NSTemporaryDirectory() + "benben-\(UUID().uuidString).mp4"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try ClipWriter.write(
      frames, width: width, height: height, framesPerSecond: framesPerSecond, to: path, quality: .official)
    return try ClipReader.read(path)
  }
}
