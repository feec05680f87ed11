import Files

/// A look at where a run is about to write, before it does.
package enum OutputPlaces {
  /// Throws when two outputs are one file, or one is a file that the run reads or that a model which it reads consists of.
  ///
  /// What lies in a model's folder beside its files, such as a card or a report, may be written.
  ///
  /// - Parameters:
  ///   - outputs: files and folders; nil, `-` and devices are passed over.
  ///   - inputs: files and folders; what is not there is passed over.
  package static func requireApart(_ outputs: [String?], from inputs: [String?]) throws {
    var taken: Set<String> = []
    var read: Set<String> = []
    for input in inputs.compactMap({ $0 }) where FileSystem.exists(input) {
      let real = FileSystem.realPath(input)
      read.insert(real)
      read.formUnion(files(of: input).map { real + "/" + $0 })
    }
    for output in outputs.compactMap({ $0 }) where output != "-" && !StagedFile.isWrittenDirectly(output) {
      let place = FileSystem.resolvingLink(output)
      let parent = FileSystem.realPath(FileSystem.parent(of: place))
      let real = (parent == "/" ? "" : parent) + "/" + FileSystem.lastComponent(place)
      guard !read.contains(real) else {
        throw BenbenError(
          .cannotCreate, "the output is an input", at: output, because: "it would be lost",
          remedies: ["Write elsewhere."])
      }
      guard taken.insert(real).inserted else {
        throw BenbenError(
          .usage, "two outputs have one name", at: output, because: "only one would be left",
          remedies: ["Give each its own."])
      }
    }
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
