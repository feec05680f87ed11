import Clips

extension Clip {
  /// Writes the clip in the format of the path's extension: `.mp4`, `.gif`, `.png` (one frame), or a folder of PNGs.
  ///
  /// The output appears under its name only when it is complete; an existing one is replaced.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - framesPerSecond: the frame rate; the models are trained on 24.
  /// - Throws: `BenbenError` when the output cannot be created or written.
  public func write(to path: String, framesPerSecond: Int = 24) throws {
    try ClipWriter.write(self, framesPerSecond: framesPerSecond, to: path)
  }
}
