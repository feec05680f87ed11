import Files
import JSON
import Tensors

/// One component of a native model, memory-mapped; opening it reads and hashes only the preamble and the header.
package final class NativeComponent: WeightSource {
  /// The path of the `.benben` file.
  package let path: String
  /// The component's official name, such as `text_encoder_2`.
  package var name: String { header.component }
  /// The component's `config.json` as it was released.
  package var config: JSONValue { header.config }
  /// SHA-256 of the header, which holds the hash of every tensor: the identity of the whole file.
  package let identity: String
  private let input: InputFile
  private let file: MappedFile
  private let header: NativeHeader
  private let headerLength: Int
  private let dataStart: Int
  private let indexByName: [String: Int]

  /// Opens and validates a file.
  package convenience init(path: String) throws { try self.init(InputFile(path: path)) }

  /// Validates an open file.
  init(_ input: InputFile) throws {
    let path = input.path
    let file = try input.mapped()
    let preambleRange = 0..<min(NativePreamble.length, file.size)
    let preamble = try file.withBytes(preambleRange) {
      try NativePreamble($0, path: path, fileSize: file.size)
    }
    let headerRange = NativePreamble.length..<(NativePreamble.length + (preamble?.headerLength ?? 0))
    let header = try file.withBytes(headerRange) { bytes in
      guard Digest.sha256Bytes(Array(bytes)) == preamble?.headerHash else {
        throw malformed(
          "the header is damaged", path, "its SHA-256 is another one than byte 24 says",
          "Copy or convert it again.")
      }
      return try NativeHeader(parsing: bytes, path: path, fileSize: file.size)
    }
    guard let preamble, let header else {
      throw malformed("not a sound .benben file", path, "it is cut short")
    }
    self.path = path
    self.input = input
    self.file = file
    self.header = header
    identity = preamble.headerHash.hexadecimal
    headerLength = preamble.headerLength
    dataStart = NativeHeader.dataStart(headerLength: preamble.headerLength)
    indexByName = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
  }

  /// The names, shapes and types of all tensors, in the order of the file.
  package var tensors: [(name: String, shape: Shape, type: WeightType)] {
    header.entries.map { ($0.name, $0.shape, $0.type) }
  }

  /// The size of all tensors, scales included, in bytes.
  package var byteCount: Int { header.entries.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.byteCount } } }

  /// Returns the weight with the declared name and shape, as a view of the mapping.
  package func weight(_ declaration: WeightDeclaration) throws -> Weight {
    guard let index = indexByName[declaration.name] else {
      throw malformed("weight \(quoted(declaration.name)) is missing", path, "the model needs it")
    }
    let entry = header.entries[index]
    guard entry.shape == declaration.shape else {
      throw malformed(
        "weight \(quoted(entry.name)) has another shape", path,
        "\(entry.shape.text) is stored, the config demands \(declaration.shape.text)")
    }
    func range(_ part: NativeHeader.Part) -> Range<Int> { dataStart + part.offset..<dataStart + part.end }
    let weight =
      if let scales = entry.scales {
        Weight(
          name: entry.name, shape: entry.shape, layout: entry.layout, file: file, values: range(entry.data),
          scales: range(scales), activations: entry.activations)
      } else {
        Weight(
          name: entry.name, shape: entry.shape, type: entry.type.elementType, file: file,
          range: range(entry.data), activations: entry.activations)
      }
    guard let weight else {
      throw malformed(
        "weight \(quoted(entry.name)) lies outside the file", path, "at byte \(range(entry.data).lowerBound)")
    }
    return weight
  }

  /// Asks for weights to be brought into memory in the background; those of one module lie side by side.
  package func readAhead(_ prefix: String) {
    let parts = header.entries.filter { $0.name.hasPrefix(prefix) }.flatMap(\.parts)
    guard let start = parts.map(\.offset).min(), let end = parts.map(\.end).max() else { return }
    file.readAhead(dataStart + start..<dataStart + end)
  }

  /// A tensor's data or scales.
  struct Part {
    let tensor: String
    /// The bytes in the file.
    let range: Range<Int>
    /// The width of the numbers, in bytes.
    let width: Int
    let sha256: String
  }

  /// The tensors' data and scales, in the order of the file.
  var parts: [Part] {
    header.entries.flatMap { entry in
      entry.parts.enumerated().map { index, part in
        Part(
          tensor: entry.name, range: dataStart + part.offset..<dataStart + part.end,
          width: index == 0 ? entry.type.elementType.size : 4, sha256: part.sha256)
      }
    }
  }

  /// Whether values of a tensor were rounded when the model was made, and to what type, for each that was.
  var roundedTypes: [WeightType] { header.entries.filter { $0.isRounded == true }.map(\.type) }

  /// Whether products with some of its weights round their inputs to bf16.
  var computesInBFloat16: Bool { header.entries.contains { $0.activations == .bf16 } }

  /// Whether most of its weights are multiplied as integers, with inputs that are rounded.
  package var multipliesIntegers: Bool {
    let integers = header.entries.filter(\.activations.isInteger)
    return 2 * integers.reduce(0) { $0 + $1.data.byteCount } > byteCount
  }

  /// Returns the tensors in the form shared by all weights files.
  func weightFiles() -> WeightFiles {
    WeightFiles(
      files: [input],
      tensors: header.entries.map { entry in
        TensorDescriptor(
          name: entry.name, type: entry.type.elementType, shape: entry.shape, file: input,
          offset: dataStart + entry.data.offset, byteCount: entry.data.byteCount,
          scaleOffset: entry.scales.map { dataStart + $0.offset }, isRounded: entry.isRounded == true,
          sha256: entry.data.sha256,
          scalesSha256: entry.scales?.sha256, layout: entry.layout,
          activations: entry.activations)
      }, format: "native component")
  }

  /// Returns the indices of the parts before which the padding is not zero.
  private func paddingIssues() throws -> [Int] {
    var end = NativePreamble.length + headerLength
    return try parts.enumerated().compactMap { index, part in
      defer { end = part.range.upperBound }
      return try input.bytes(at: end, count: part.range.lowerBound - end).allSatisfy { $0 == 0 } ? nil : index
    }
  }

  /// Throws when padding, which no hash covers, is not zero.
  func requirePadding() throws {
    guard let index = try paddingIssues().first else { return }
    throw malformed(
      "tensor \(quoted(parts[index].tensor)) is damaged", path, "the padding before it is not zero",
      "Copy or convert the model again.")
  }

  /// Hashes every tensor, and checks the padding between tensors and the scales.
  ///
  /// The file is read, not mapped, so that a bad sector or a file that is cut short meanwhile is found damage.
  ///
  /// - Returns: the damage, each with the tensor that it belongs to; empty when the file is sound.
  package func integrityIssues(progress: (_ bytes: Int) throws -> Void = { _ in }) throws -> [IntegrityIssue]
  {
    var found: [IntegrityIssue] = []
    let padding = Set(try paddingIssues())
    for (index, part) in parts.enumerated() {
      func issue(_ why: String) { found.append(IntegrityIssue(file: path, tensor: part.tensor, why: why)) }
      if padding.contains(index) { issue("the padding before it is not zero") }
      let hash = try input.sha256(of: part.range)
      if hash != part.sha256 { issue("its SHA-256 is \(hash), not \(part.sha256)") }
      try progress(part.range.count)
    }
    for tensor in weightFiles().tensors {
      if case .failure(let error as BenbenError) = Result(catching: { try tensor.scales() }),
        error.kind == .malformed, !found.contains(where: { $0.tensor == tensor.name })
      {
        found.append(IntegrityIssue(file: path, tensor: tensor.name, why: error.why))
      }
    }
    return found
  }
}
