import Foundation

/// The program under test.
public enum Program {
  /// Where it was built: beside the tests.
  public static let path: String = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("benben").path
    if FileManager.default.isExecutableFile(atPath: beside) { return beside }
    // Swift Testing may be run by a helper: then the bundle's path is its argument.
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("benben").path
  }()
}
