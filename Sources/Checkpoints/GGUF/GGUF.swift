import Files
import JSON
import Tensors

/// The GGUF format of llama.cpp and its kin, versions 2 and 3, little-endian: metadata, a list of tensors, then their bytes.
///
/// Everything is checked before a descriptor is returned: ranges lie in the file, do not overlap, and have the length that
/// shape and type demand. Values in blocks with scales are computed as gguf-py computes them, bit for bit. A text encoder's
/// tensors get the names of `transformers`.
///
/// Source: ggml's `docs/gguf.md`.
package enum GGUF {
  /// The types that are no blocks, by their numbers (`ggml_type`).
  private static let plainTypes: [UInt32: ElementType] = [
    0: .f32, 1: .f16, 24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
  ]
  /// The greatest number of dimensions (`GGML_MAX_DIMS`).
  private static let maximumRank = 4
  /// The greatest number of tensors, more than any model has.
  private static let maximumCount = 200_000
  private static let defaultAlignment = 32
  /// The key under which the metadata of weights hold the ε of a T5 encoder's norms, as its config calls it.
  package static let layerNormEpsilon = "layer_norm_epsilon"

  /// Returns whether the first bytes are those of a GGUF file.
  static func looksLikeOne(_ head: [UInt8]) -> Bool { head.starts(with: "GGUF".utf8) }

  /// Opens and validates a file.
  ///
  /// - Throws: ``BenbenError`` that names file, tensor and offset.
  static func open(_ file: InputFile) throws -> WeightFiles {
    let path = file.path
    var header = GGUFHeader(file)
    _ = try header.number(4)
    let version = try header.number(4)
    guard version == 2 || version == 3 else {
      throw malformed(
        "this GGUF file cannot be read", path,
        version & 0xFFFF == 0
          ? "its numbers are big-endian" : "its version is \(version); 2 and 3 can be read",
        "Make it again from the original weights, with a current program.")
    }
    let (tensorCount, valueCount) = (try header.integer(), try header.integer())
    guard tensorCount <= maximumCount else {
      throw header.fault("\(tensorCount) tensors; \(maximumCount) are possible")
    }
    var metadata: [String: GGUFHeader.Value] = [:]
    for _ in 0..<valueCount {
      let key = try header.string()
      guard key.isStreamSafe else { throw header.fault("a key has too many combining marks") }
      guard metadata.updateValue(try header.value(), forKey: key) == nil else {
        throw header.fault("the key \(quoted(key)) stands there twice")
      }
    }
    if case .number(let parts)? = metadata["split.count"], parts > 1 {
      throw partOfSplit(path, "it is one of \(parts)")
    }
    var infos: [Info] = []
    for _ in 0..<tensorCount { infos.append(try info(&header)) }
    var alignment = defaultAlignment
    if let value = metadata["general.alignment"] {
      guard case .number(let number) = value, number > 0, number <= 1 << 20, number & (number - 1) == 0 else {
        throw header.fault("general.alignment is no power of two up to a million")
      }
      alignment = Int(number)
    }
    let dataStart = header.position.roundedUp(to: alignment)
    let tensors = try infos.map { try $0.descriptor(in: file, dataStart: dataStart, alignment: alignment) }
    try requireDisjoint(tensors)
    var architecture = ""
    if case .text(let name)? = metadata["general.architecture"] { architecture = name }
    let names = GGUFNames(architecture: architecture, names: tensors.map(\.name))
    let weights = WeightFiles(
      files: [file], tensors: tensors.map { $0.renamed(names.official($0.name)) }, format: "GGUF",
      metadata: described(metadata, architecture))
    if let twin = zip(weights.tensors, weights.tensors.dropFirst()).first(where: { $0.name == $1.name }) {
      throw malformed("two tensors of one name", path, quoted(twin.0.name))
    }
    return weights
  }

  /// Returns the error about one of the files into which a GGUF file was split.
  static func partOfSplit(_ path: String, _ why: String) -> BenbenError {
    malformed(
      "this is a part of a GGUF file", path, why,
      "Merge the parts into one file first, as llama-gguf-split does.")
  }

  /// Returns what of the metadata is of use here: the architecture, and the ε of a text encoder's norms.
  private static func described(
    _ metadata: [String: GGUFHeader.Value], _ architecture: String
  ) -> [String: String] {
    var described = ["architecture": architecture]
    if case .float(let value)? = metadata[architecture + ".attention.layer_norm_rms_epsilon"],
      value.isFinite, value > 0
    {
      // The shortest decimal that gives the number, as a config states it.
      described[layerNormEpsilon] = value.description
    }
    return described
  }

  /// What the header says of one tensor.
  private struct Info {
    let name: String
    let shape: Shape
    let code: UInt32
    let offset: Int

    func descriptor(in file: InputFile, dataStart: Int, alignment: Int) throws -> TensorDescriptor {
      func fault(_ why: String, _ remedies: String...) -> BenbenError {
        BenbenError(
          .malformed, "malformed tensor \(quoted(name))", at: file.path, because: why, remedies: remedies)
      }
      let blocks = BlockFormat.allCases.first { $0.code == code }
      guard let type = blocks == nil ? GGUF.plainTypes[code] : .u8 else {
        throw fault(
          "its type, \(BlockFormat.foreignNames[code] ?? "number \(code) of ggml"), cannot be read",
          "Take a file in F16, BF16, Q8_0, or another of "
            + BlockFormat.allCases.map { $0.rawValue.uppercased() }.joined(separator: ", ") + ".")
      }
      guard let count = shape.checkedElementCount else { throw fault("its shape is too large to count") }
      let byteCount: Int
      if let blocks {
        guard let columns = shape.last, columns.isMultiple(of: blocks.valueCount) else {
          throw fault("its rows, of shape \(shape.text), are no whole blocks of \(blocks.valueCount) values")
        }
        byteCount = count / blocks.valueCount * blocks.byteCount
      } else {
        guard let plain = shape.checkedByteCount(of: type) else {
          throw fault("its shape is too large to count")
        }
        byteCount = plain
      }
      guard offset.isMultiple(of: alignment) else {
        throw fault("its offset \(offset) is no multiple of \(alignment)")
      }
      guard dataStart <= file.size, offset <= file.size - dataStart,
        byteCount <= file.size - dataStart - offset
      else {
        throw cutShort(
          file, tensor: name, endsAt: dataStart.addingClamped(offset.addingClamped(byteCount)))
      }
      return TensorDescriptor(
        name: name, type: type, shape: shape, file: file, offset: dataStart + offset, byteCount: byteCount,
        blocks: blocks)
    }
  }

  private static func info(_ header: inout GGUFHeader) throws -> Info {
    let name = try header.string()
    guard name.isTensorName else {
      throw header.fault("a tensor's name is empty or holds NUL")
    }
    let rank = Int(try header.number(4))
    guard rank <= maximumRank else {
      throw header.fault("tensor \(quoted(name)) has \(rank) dimensions; at most \(maximumRank) are possible")
    }
    // The innermost dimension stands first.
    var shape: Shape = []
    for _ in 0..<rank { shape.insert(try header.integer(), at: 0) }
    let code = UInt32(try header.number(4))
    return Info(name: name, shape: shape, code: code, offset: try header.integer())
  }

  private static func requireDisjoint(_ tensors: [TensorDescriptor]) throws {
    var end = 0
    for tensor in tensors.sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }) {
      guard tensor.offset >= end else {
        throw malformed(
          "malformed tensor \(quoted(tensor.name))", tensor.file.path,
          "it starts at byte \(tensor.offset) and overlaps the tensor before it")
      }
      end = tensor.offset + tensor.byteCount
    }
  }
}
