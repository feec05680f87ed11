import Files

/// A look at where a run is about to write, before it does.
package enum OutputPlaces {
  /// Throws when two outputs are one file, or one is a file that the run reads or that a model which it reads consists of, or
  /// holds a file that the run reads or writes meanwhile: what was in a folder goes with it when it is replaced.
  ///
  /// What lies in a model's folder beside its files, such as a card or a report, may be written.
  ///
  /// - Parameters:
  ///   - outputs: files and folders; nil, `-` and devices are passed over.
  ///   - inputs: files and folders; what is not there is passed over.
  ///   - kept: outputs and other files that are written before the run ends.
  package static func requireApart(
    _ outputs: [String?], from inputs: [String?], keeping kept: [String?] = []
  ) throws {
    var taken: Set<String> = []
    var read: Set<String> = []
    let inside = (inputs.filter { $0.map(FileSystem.exists) ?? false } + kept).compactMap(\.self)
      .map { (path: $0, place: place(of: $0)) }
    for input in inputs.compactMap({ $0 }) where FileSystem.exists(input) {
      let real = FileSystem.realPath(input)
      read.insert(real)
      read.formUnion(files(of: input).map { real + "/" + $0 })
    }
    for output in outputs.compactMap({ $0 }) where output != "-" && !StagedFile.isWrittenDirectly(output) {
      let real = place(of: output)
      guard !read.contains(real) else {
        throw BenbenError(
          .cannotCreate, "the output is an input", at: output, because: "it would be lost",
          remedies: ["Write elsewhere."])
      }
      if FileSystem.isFolder(real), let lost = inside.first(where: { $0.place.hasPrefix(real + "/") }) {
        throw BenbenError(
          .cannotCreate, "the output would replace the folder of another file", at: lost.path,
          because: "it lies in \(output), and would be lost", remedies: ["Write elsewhere, or move it away."])
      }
      guard taken.insert(real).inserted else {
        throw BenbenError(
          .usage, "two outputs have one name", at: output, because: "only one would be left",
          remedies: ["Give each its own."])
      }
    }
  }

  /// Returns the real path of a file that need not be there yet.
  private static func place(of path: String) -> String {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    let place = FileSystem.resolvingLink(trimmed)
    let parent = FileSystem.realPath(FileSystem.parent(of: place))
    return (parent == "/" ? "" : parent) + "/" + FileSystem.lastComponent(place)
  }

  /// Returns the files that an input folder consists of: those of a native model; of a checkpoint or a golden, what lies in
  /// folders of their own, or has a name of theirs.
  private static func files(of input: String) -> [String] {
    if let model = try? NativeModel(path: input) { return model.filePaths }
    guard FileSystem.isFolder(input) else { return [] }
    let suffixes = [
      ".safetensors", ".bin", ".gguf", ".pt", ".index.json", ".h5", ".mp4", ".png", "manifest.json",
    ]
    return FileSystem.filesBelow(input).filter { file in
      file.contains("/") || suffixes.contains { file.hasSuffix($0) }
    }
  }
}
