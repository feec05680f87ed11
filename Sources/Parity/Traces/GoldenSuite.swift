import Files
import Foundation
import JSON
import Tensors

/// A suite of golden bundles: a folder with a sub-folder for each, and `suite.json` with the SHA-256 of their manifests
/// (`tools/record_golden.py --prompts`, `schemas/benben-suite.schema.json`).
///
/// Without `suite.json`, every sub-folder counts as a bundle, and a missing one goes unnoticed.
public struct GoldenSuite: Sendable {
  private static let schema = "benben.golden-suite/1"
  private static let list = "suite.json"
  /// The largest list that is read, in bytes; far more than any needs.
  private static let maximumList = 16 << 20

  /// The folder.
  public let path: String
  /// The names of all bundles, sorted.
  public let names: [String]
  /// The SHA-256 of `suite.json`; nil without one.
  package let sha256: String?
  /// The SHA-256 of their manifests, where `suite.json` lists them.
  private let manifests: [String: String]

  /// Reads the list of bundles.
  ///
  /// - Returns: nil when the folder is not a suite.
  public init?(folder: String) throws {
    let listPath = folder + "/" + Self.list
    path = folder
    if FileManager.default.fileExists(atPath: listPath) {
      let list = try InputFile.contents(of: listPath, limit: Self.maximumList)
      sha256 = Digest.sha256(list)
      manifests = try Self.manifests(list, of: listPath)
      names = manifests.keys.sorted()
    } else {
      sha256 = nil
      manifests = [:]
      names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { name in
        var isFolder: ObjCBool = false
        return !name.hasPrefix(".")
          && FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder)
          && isFolder.boolValue
      }.sorted()
      if !names.contains(where: { Self.holdsBundle(folder + "/" + $0) }) { return nil }
    }
  }

  /// Returns whether a folder holds a golden bundle, even a damaged one.
  private static func holdsBundle(_ folder: String) -> Bool {
    do { return try GoldenBundle(folder: folder) != nil } catch { return true }
  }

  private static func manifests(_ text: [UInt8], of path: String) throws -> [String: String] {
    func fault(_ why: String) -> BenbenError {
      BenbenError(.malformed, "malformed list of golden bundles", at: path, because: why)
    }
    guard let json = try? JSONValue(parsing: text), json["schema"]?.string == schema,
      let rows = json["bundles"]?.array, !rows.isEmpty
    else { throw fault("it is no \(schema) with bundles") }
    var manifests: [String: String] = [:]
    for row in rows {
      guard let name = row["name"]?.string, let hash = row["manifestSha256"]?.string,
        RelativePath.isName(name)
      else { throw fault("a bundle lacks its name or its hash, or the name is no folder's") }
      guard manifests.updateValue(hash, forKey: name) == nil else {
        throw fault("\(name.printable) is listed twice")
      }
    }
    return manifests
  }

  /// Returns one of the bundles, after checking that every file has the listed SHA-256.
  ///
  /// - Throws: ``BenbenError`` that names what is missing or damaged.
  public func bundle(_ name: String) throws -> GoldenBundle {
    let folder = path + "/" + name
    guard let bundle = try GoldenBundle(folder: folder) else {
      throw BenbenError(
        .malformed, "no golden bundle", at: folder, because: "it has no manifest of one",
        remedies: ["Get the suite again, or take the folder out of it."])
    }
    if let expected = manifests[name], try InputFile(path: bundle.manifestPath).sha256() != expected {
      throw BenbenError(
        .malformed, "the golden bundle is damaged", at: folder,
        because: "its manifest is another one than \(Self.list) lists", remedies: ["Get the bundle again."])
    }
    try bundle.requireSound()
    return bundle
  }
}
