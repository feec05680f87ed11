import Files
import Foundation

/// The small trained checkpoint that comes with Benben, with its goldens.
public enum BundledCheckpoint {
  /// Where it lies in the project.
  private static let path = "Tests/Fixtures/shapes"
  /// Where `tools/package` puts the same, beside the folder of the program.
  private static let installedPath = "share/benben/demo"

  /// Returns the folder: what was installed with the program, or the project's own, looked for from the program's folder and
  /// the current one upwards.
  ///
  /// - Throws: `BenbenError` of kind missing when it is nowhere.
  public static func find() throws -> String {
    let program = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
    if let installed = program?.deletingLastPathComponent().appendingPathComponent(installedPath).path,
      FileManager.default.fileExists(atPath: installed + "/golden.h5")
    {
      return installed
    }
    for start in [program, URL(fileURLWithPath: FileManager.default.currentDirectoryPath)].compactMap(\.self)
    {
      var folder = start.standardizedFileURL
      while folder.pathComponents.count > 1 {
        let candidate = folder.appendingPathComponent(path).path
        if FileManager.default.fileExists(atPath: candidate + "/golden.h5") { return candidate }
        folder.deleteLastPathComponent()
      }
    }
    throw missing(
      at: path,
      because:
        "it is not installed with the program, and neither its folder nor the current one lies in a checkout")
  }

  /// Returns the error about a folder that is not the bundled checkpoint's.
  public static func missing(at path: String, because why: String = "it holds no golden.h5") -> BenbenError {
    BenbenError(
      .missing, "the bundled checkpoint is not found", at: path, because: why, code: .bundleNotFound)
  }

  /// What a demonstration with the checkpoint leaves in its folder, which the next one replaces.
  private static let results: Set = [
    "model", "clip.mp4", "clip.gif", "convert.json", "parity.json", "parity.html", "video-parity.json",
  ]

  /// Throws when a folder holds anything else, or results without the conversion that comes first: they are somebody's own.
  package static func requireReplaceable(results folder: String) throws {
    let present = Set(FileSystem.entries(of: folder).filter { !$0.hasPrefix(".") })
    guard present.isEmpty || present.contains("convert.json") && present.isSubset(of: results) else {
      throw BenbenError(
        .cannotCreate, "the output exists", at: folder, because: "it is not what a demonstration left",
        remedies: ["Name a folder that is empty or not there."])
    }
  }
}
