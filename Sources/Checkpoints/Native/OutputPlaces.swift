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
      if let model = try? NativeModel(path: input) { read.formUnion(model.filePaths.map { real + "/" + $0 }) }
    }
    for output in outputs.compactMap({ $0 }) where output != "-" && !output.hasPrefix("/dev/") {
      let real = FileSystem.realPath(FileSystem.resolvingLink(output))
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
}
