import Files
import JSON
import Tensors

/// The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes without holes.
///
/// Everything is checked before a descriptor is returned. Where the format leaves room for a decision, white space
/// before the header's `{` is refused; a rank above ``maximumRank`` is refused; tensors without elements are accepted
/// at any boundary between tensors; data that is not aligned for its type is accepted and read correctly.
package enum Safetensors {
  /// The maximum header length in bytes; longer ones are refused before memory is taken, as by the format's own reader.
  package static let maximumHeaderLength = 100_000_000
  /// The maximum number of dimensions, more than any checkpoint has.
  package static let maximumRank = 16

  /// Returns whether the first nine bytes are a header length of plausible size and the start of a header.
  static func looksLikeOne(_ head: [UInt8]) -> Bool {
    head.count >= 9 && head[8] == UInt8(ascii: "{") && head[4..<8].allSatisfy { $0 == 0 }
  }

  /// Opens and validates a file.
  ///
  /// - Throws: ``BenbenError`` that names file, tensor and offset.
  package static func open(_ file: InputFile) throws -> WeightFiles {
    let path = file.path
    guard file.size >= 8 else {
      try Impostor.refuse(file)
      try Impostor.refuseText(file)
      throw malformed(
        "not a safetensors file", path, "\(file.size) bytes are too few for the header's length",
        "Download it again.")
    }
    let lengthBytes = try file.bytes(at: 0, count: 8)
    let declared = lengthBytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard declared >= 2, declared <= UInt64(maximumHeaderLength) else {
      try Impostor.refuse(file)
      try Impostor.refuseText(file)
      throw malformed(
        "not a safetensors file", path,
        "a header of \(declared) bytes is declared at offset 0; 2 to \(maximumHeaderLength) are possible",
        "Weights are read from safetensors, GGUF, and what torch.save writes; if it is one, download it again."
      )
    }
    let headerLength = Int(declared)
    guard headerLength <= file.size - 8 else {
      throw cutShort(file, "its header ends at byte \(headerLength + 8), the file at \(file.size)")
    }
    let headerBytes = try file.bytes(at: 8, count: headerLength)
    guard headerBytes.first == UInt8(ascii: "{") else {
      throw malformed("not a safetensors file", path, "its header does not start with '{' at byte 8")
    }
    let header: JSONValue
    do {
      header = try JSONValue(parsing: headerBytes)
    } catch {
      throw malformed(
        "the header is not valid JSON", path, "\(error.reason) at byte \(error.offset + 8)")
    }
    let tensors = try descriptors(header, file: file, dataStart: 8 + headerLength)
    let metadata = header["__metadata__"]?.object ?? [:]
    return WeightFiles(
      files: [file], tensors: tensors, format: "safetensors", metadata: metadata.compactMapValues(\.string))
  }

  private static func descriptors(
    _ header: JSONValue, file: InputFile, dataStart: Int
  ) throws -> [TensorDescriptor] {
    let path = file.path
    guard let members = header.object else {
      throw malformed("not a safetensors file", path, "its header is no object")
    }
    var tensors: [TensorDescriptor] = []
    for (name, value) in members {
      if name == "__metadata__" {
        guard let metadata = value.object, metadata.values.allSatisfy({ $0.string != nil }) else {
          throw malformed("malformed header", path, "__metadata__ holds something other than strings")
        }
        continue
      }
      tensors.append(try descriptor(name, value, file: file, dataStart: dataStart))
    }
    // Laid out one after the other, the ranges must cover the data exactly: no hole, no overlap, nothing after.
    tensors.sort { ($0.offset, $0.byteCount, $0.name) < ($1.offset, $1.byteCount, $1.name) }
    var end = dataStart
    for tensor in tensors {
      guard tensor.offset == end else {
        let problem = tensor.offset < end ? "overlaps the tensor before it" : "leaves a hole before it"
        throw malformed(
          "malformed tensor \(quoted(tensor.name))", path, "it starts at byte \(tensor.offset) and \(problem)"
        )
      }
      end += tensor.byteCount
    }
    guard end == file.size else {
      throw malformed(
        end > file.size ? "the file is cut short" : "malformed safetensors file", path,
        "its tensors end at byte \(end), the file at \(file.size)",
        "Download it again and compare its size with the original.")
    }
    return tensors
  }

  private static func descriptor(
    _ name: String, _ value: JSONValue, file: InputFile, dataStart: Int
  ) throws -> TensorDescriptor {
    func fault(_ why: String) -> BenbenError { malformed("malformed tensor \(quoted(name))", file.path, why) }
    guard name.isTensorName else {
      throw fault("its name is empty or holds NUL")
    }
    guard let members = value.object, Set(members.keys) == ["dtype", "shape", "data_offsets"] else {
      throw fault("it needs exactly dtype, shape and data_offsets")
    }
    guard let typeName = value["dtype"]?.string, let type = ElementType(rawValue: typeName.lowercased()),
      typeName == type.rawValue.uppercased()
    else {
      throw fault("its dtype \(value["dtype"]?.canonicalText ?? "") is not known")
    }
    guard let shape = value["shape"]?.integers, shape.count <= maximumRank else {
      throw fault("its shape is not an array of at most \(maximumRank) integers")
    }
    guard let byteCount = shape.checkedByteCount(of: type) else {
      throw fault("its shape is negative or too large to count")
    }
    guard let range = value["data_offsets"]?.integers, range.count == 2, range[0] >= 0, range[1] >= range[0]
    else {
      throw fault("its data_offsets are not two ascending integers")
    }
    guard range[1] <= file.size - dataStart else {
      throw cutShort(file, tensor: name, endsAt: dataStart.addingClamped(range[1]))
    }
    guard range[1] - range[0] == byteCount else {
      throw fault(
        "\(range[1] - range[0]) bytes are given, shape \(shape.text) of \(typeName) takes \(byteCount)")
    }
    return TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: dataStart + range[0], byteCount: byteCount)
  }
}
