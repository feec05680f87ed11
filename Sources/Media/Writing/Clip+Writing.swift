import Clips

extension Clip {
  /// Writes the clip as the name demands: `.mp4`, `.gif`, `.png` (one frame), or a folder of PNGs.
  ///
  /// The output appears under its name only when it is whole; an existing one is replaced.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - framesPerSecond: the speed; the models are trained on 24.
  /// - Throws: `BenbenError` when the output cannot be created or written.
  public func write(to path: String, framesPerSecond: Int = 24) throws {
    try ClipWriter.write(self, framesPerSecond: framesPerSecond, to: path)
  }
}
