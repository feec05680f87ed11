import Files

/// The cache of Hugging Face's hub: a folder `models--OWNER--NAME` for each repository, in which `snapshots/COMMIT` holds the
/// files as the repository lays them out, and `refs/main` the commit that was downloaded last.
package enum HubCache {
  /// What the folder of a repository of models starts with.
  private static let prefix = "models--"

  /// Returns what to do about a folder that is the cache, or one of its repositories, and not a snapshot; nil for others.
  package static func advice(on path: String) -> String? {
    let (name, parent) = (FileSystem.lastComponent(path), FileSystem.parent(of: path))
    if ["snapshots", "blobs", "refs"].contains(name), FileSystem.lastComponent(parent).hasPrefix(prefix) {
      return advice(on: parent)
    }
    let folders = FileSystem.folders(in: path)
    if folders.contains("snapshots") || name.hasPrefix(prefix) && folders.contains("blobs") {
      guard let snapshot = snapshot(of: path) else {
        let repository = name.hasPrefix(prefix) ? name.dropFirst(prefix.count).replacing("--", with: "/") : ""
        return "It is the hub's cache of a repository, without a snapshot: download it again"
          + (repository.isEmpty ? "." : ": hf download \(String(repository).printable)")
      }
      return "It is the hub's cache of a repository: give its snapshot, \(snapshot)"
    }
    let repositories = folders.filter { $0.hasPrefix(prefix) }
    guard let first = repositories.first else { return nil }
    let likely = repositories.first { $0.lowercased().contains("pyramid") } ?? first
    let example = snapshot(of: path + "/" + likely) ?? path + "/" + likely + "/snapshots/…"
    return "It is the hub's cache: give the snapshot of a repository, such as \(example)"
  }

  /// Returns the same as an error's remedies.
  static func remedies(on path: String) -> [String] { advice(on: path).map { [$0] } ?? [] }

  /// How other files than those of weights are called, and no repository is.
  private static let suffixes = [".json", ".benben", ".zst", ".h5"]

  /// Returns the repository that a text names, alone or by its address; nil when it names none.
  private static func repository(_ text: String) -> String? {
    let form =
      /(?:https?:\/\/huggingface\.co\/|hf:\/\/)?([A-Za-z0-9][\w.\-]*\/[A-Za-z0-9][\w.\-]*)(?:\/(?:tree|blob|resolve)\/.*)?\/?/
    guard !WeightFiles.isNamedLikeOne(text), !suffixes.contains(where: text.lowercased().hasSuffix) else {
      return nil
    }
    return text.wholeMatch(of: form).map { String($0.output.1) }
  }

  /// Throws where nothing stands at a path that is written like a repository's name.
  package static func requireDownloaded(_ path: String) throws {
    guard !FileSystem.exists(path), let repository = repository(path) else { return }
    throw BenbenError(
      .missing, "there is no such file or folder", at: repository, because: "it is not there",
      code: .notDownloaded)
  }

  private static func snapshot(of repository: String) -> String? {
    let commits = FileSystem.folders(in: repository + "/snapshots")
    let main = (try? InputFile.contents(of: repository + "/refs/main", limit: 1000)).map {
      String(decoding: $0, as: UTF8.self).trimmingPrefix { $0.isWhitespace }.prefix { !$0.isWhitespace }
    }
    let commit = commits.first { main.map(String.init) == $0 } ?? commits.first
    return commit.map { "\(repository)/snapshots/\($0)" }
  }
}
