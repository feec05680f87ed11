/// The Benben library.
public enum Benben {
  /// The version, by semantic versioning.
  public static let version = "0.1.0"
}
