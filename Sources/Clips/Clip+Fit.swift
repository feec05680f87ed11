extension Clip {
  /// How a picture of other proportions becomes a frame.
  public enum Fit: String, CaseIterable, Codable, Sendable {
    /// Its middle, as much of it as has the frame's proportions.
    case crop
    /// All of it, with black beside or above and below.
    case pad
    /// All of it, stretched, as in the official example.
    case stretch
  }
}
