import Foundation

/// The fixtures of the repository.
public enum Fixtures {
  /// The root of the repository.
  public static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  /// The folder of the fixtures.
  public static let path = repository + "/Tests/Fixtures"

  /// The checkpoint of a fixture.
  public static func checkpoint(_ name: String) -> String { "\(path)/\(name)/checkpoint" }
  /// The golden trace of a fixture.
  public static func trace(_ name: String) -> String { "\(path)/\(name)/golden.h5" }
}
