import Clips

extension Clip {
  /// Writes the clip in the format of the path's extension: `.mp4`, `.gif`, `.png` (one frame), or a folder of PNGs.
  ///
  /// The output appears under its name only when it is complete. An existing file is replaced, and so is a
  /// folder that holds nothing but frames.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - framesPerSecond: the frame rate; the models are trained on 24.
  ///   - comment: ASCII text that an MP4, a PNG, and the first PNG of a folder hold as their comment, such as
  ///     `ClipProvenance.text`.
  /// - Throws: `BenbenError` when the output cannot be created or written.
  public func write(to path: String, framesPerSecond: Int = 24, comment: String? = nil) throws {
    try ClipWriter.write(self, framesPerSecond: framesPerSecond, to: path, comment: comment)
  }
}
