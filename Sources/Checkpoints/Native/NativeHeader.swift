import Files
import JSON
import Tensors

/// The JSON header of a `.benben` file.
///
/// Its schema is `schemas/benben-header.schema.json`.
struct NativeHeader {
  /// One tensor of the file.
  struct Entry: Sendable {
    let name: String
    let shape: Shape
    let type: WeightType
    let layout: WeightLayout
    /// The precision to which products with the tensor round their input.
    let activations: InputPrecision
    /// Whether values were rounded when the type was chosen, which 8-bit ones always were; nil for a type that holds
    /// every value of the source's.
    var isRounded: Bool?
    var data: Part
    /// The f32 scales of the rows, stored after the data, for 8-bit weights.
    var scales: Part?

    /// The data and the scales, if any, in the order of the file.
    var parts: [Part] { [data] + (scales.map { [$0] } ?? []) }
  }

  /// A range of bytes in the data.
  struct Part: Sendable {
    /// The offset of its first byte from the start of the data.
    let offset: Int
    let byteCount: Int
    /// The SHA-256 of the bytes, in hexadecimal.
    var sha256 = NativeHeader.pendingHash

    var end: Int { offset + byteCount }

    fileprivate var json: [String: JSONValue] {
      ["offset": .integer(offset), "bytes": .integer(byteCount), "sha256": .string(sha256)]
    }

    /// Creates the part that starts at the next aligned offset.
    fileprivate init(after end: Int, byteCount: Int) {
      let alignment = byteCount >= NativeHeader.pagedSize ? NativeHeader.page : NativeHeader.alignment
      offset = end.roundedUp(to: alignment)
      self.byteCount = byteCount
    }
  }

  /// The alignment of tensors, in bytes.
  static let alignment = 64
  /// The alignment, in bytes, of tensors of at least ``pagedSize`` bytes and of the data itself.
  static let page = 4096
  static let pagedSize = 65536
  /// A placeholder for a hash that is not known yet, as long as a real one.
  static let pendingHash = String(repeating: "0", count: 64)

  let component: String
  let config: JSONValue
  /// The name, size and SHA-256 of each file that the tensors came from.
  var source: [JSONValue]
  var entries: [Entry]

  /// Returns the entries of tensors that are laid out in the given order.
  static func layOut(
    _ tensors: [(name: String, shape: Shape, type: WeightType, activations: InputPrecision, mayRound: Bool)]
  ) -> [Entry] {
    var end = 0
    return tensors.map { tensor in
      let isQuantized = tensor.type == .int8
      let rows = tensor.shape.first ?? 1
      let scaleBytes = isQuantized ? 4 * rows : 0
      let data = Part(after: end, byteCount: tensor.type.byteCount(of: tensor.shape) - scaleBytes)
      let scales = isQuantized ? Part(after: data.end, byteCount: scaleBytes) : nil
      end = scales?.end ?? data.end
      return Entry(
        name: tensor.name, shape: tensor.shape, type: tensor.type,
        layout: WeightLayout(of: tensor.shape, type: tensor.type, activations: tensor.activations),
        activations: tensor.activations, isRounded: tensor.mayRound || isQuantized ? true : nil, data: data,
        scales: scales)
    }
  }

  /// Returns the offset of the data in a file whose header has the given length.
  static func dataStart(headerLength: Int) -> Int {
    (NativePreamble.length + headerLength).roundedUp(to: page)
  }

  var dataLength: Int { entries.last?.parts.last?.end ?? 0 }

  var json: JSONValue {
    [
      "component": .string(component),
      "config": config,
      "source": .array(source),
      "tensors": .array(
        entries.map { entry in
          var members = entry.data.json
          members["name"] = .string(entry.name)
          members["shape"] = .array(entry.shape.map(JSONValue.integer))
          members["type"] = .string(entry.type.rawValue)
          members["layout"] = .string(entry.layout.rawValue)
          if entry.scales == nil, let isRounded = entry.isRounded {
            // As long for both values, since what is rounded is known last.
            members["rounded"] = .integer(isRounded ? 1 : 0)
          }
          if entry.scales == nil, entry.activations != .float32 {
            members["activations"] = .string(entry.activations.rawValue)
          }
          if let scales = entry.scales {
            members["quantization"] = [
              "scheme": "symmetric-rows", "activations": .string(entry.activations.rawValue),
              "scales": .object(scales.json),
            ]
          }
          return .object(members)
        }),
    ]
  }

  var bytes: [UInt8] { Array(json.canonicalText.utf8) }

  init(component: String, config: JSONValue, source: [JSONValue], entries: [Entry]) {
    self.component = component
    self.config = config
    self.source = source
    self.entries = entries
  }

  /// Reads and checks a header, whose ranges must lie in the data, in order and without overlap.
  init(parsing bytes: UnsafeRawBufferPointer, path: String, fileSize: Int) throws {
    func fault(_ subject: String, _ why: String) -> BenbenError {
      malformed("malformed header", path, subject + why)
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes)
    } catch {
      throw fault("", "\(error.reason) at byte \(error.offset + NativePreamble.length)")
    }
    guard let component = json["component"]?.string, let config = json["config"], config.object != nil,
      let source = json["source"]?.array, let rows = json["tensors"]?.array
    else { throw fault("", "component, config, source or tensors is missing") }
    let dataStart = Self.dataStart(headerLength: bytes.count)
    var end = 0
    var names: Set<String> = []
    var entries: [Entry] = []
    entries.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      guard let name = row["name"]?.string, let shape = row["shape"]?.integers,
        let typeName = row["type"]?.string, let layoutName = row["layout"]?.string
      else { throw fault("tensor \(index): ", "a field is missing or has another type") }
      let subject = "tensor \(quoted(name)): "
      guard names.insert(name).inserted else { throw fault(subject, "it is listed twice") }
      guard let type = WeightType(rawValue: typeName) else {
        throw fault(subject, "its type \(quoted(typeName)) is not known")
      }
      guard let layout = WeightLayout(rawValue: layoutName),
        layout == .rowMajor || WeightLayout.canBlock(shape, type)
      else {
        throw fault(
          subject, "its layout \(quoted(layoutName)) is not known, or not possible for its shape and type")
      }
      func part(_ json: JSONValue, _ shape: Shape, _ type: ElementType) throws -> Part {
        guard let offset = json["offset"]?.integer, let byteCount = json["bytes"]?.integer,
          let sha = json["sha256"]?.string, sha.utf8.count == 64
        else { throw fault(subject, "a range has no offset, bytes or sha256") }
        guard shape.count <= Safetensors.maximumRank, shape.checkedByteCount(of: type) == byteCount else {
          throw fault(subject, "\(byteCount) bytes are not what shape \(shape.text) takes")
        }
        let alignment = byteCount >= Self.pagedSize ? Self.page : Self.alignment
        guard offset >= end, offset % alignment == 0, offset - end < alignment,
          offset <= fileSize, byteCount <= fileSize - offset, dataStart <= fileSize - offset - byteCount
        else {
          throw fault(subject, "its range \(offset)..+\(byteCount) is not the next aligned one in the file")
        }
        var part = Part(after: end, byteCount: byteCount)
        part.sha256 = sha
        end = part.end
        return part
      }
      var entry = Entry(
        name: name, shape: shape, type: type, layout: layout,
        activations: try Self.activations(row, of: type) { fault(subject, $0) },
        isRounded: try row["rounded"].map { value in
          guard let number = value.integer, 0...1 ~= number, type != .int8 else {
            throw fault(subject, "rounded is 0 or 1, not \(value.canonicalText)")
          }
          return number == 1
        } ?? (type == .int8 ? true : nil),
        data: try part(row, shape, type.elementType), scales: nil)
      if type == .int8 {
        guard let rows = shape.first, let scales = row["quantization"]?["scales"] else {
          throw fault(subject, "its scales are missing")
        }
        entry.scales = try part(scales, [rows], .f32)
      }
      entries.append(entry)
    }
    guard dataStart + end == fileSize || (entries.isEmpty && dataStart >= fileSize) else {
      throw fault("", "the tensors end at byte \(dataStart + end), the file at \(fileSize)")
    }
    self.init(component: component, config: config, source: source, entries: entries)
  }

  /// Returns the input precision of a tensor; a quantized one must have the known scheme, a plain one none.
  private static func activations(
    _ row: JSONValue, of type: WeightType, _ fault: (String) -> BenbenError
  ) throws -> InputPrecision {
    let quantization = row["quantization"]
    if type == .int8 {
      guard quantization?["scheme"]?.string == "symmetric-rows",
        let activations = (quantization?["activations"]?.string).flatMap(InputPrecision.init(rawValue:))
      else { throw fault("its quantization scheme is not known") }
      return activations
    }
    if quantization != nil { throw fault("it is not quantized, but has a scheme") }
    guard let value = row["activations"] else { return .float32 }
    guard let activations = value.string.flatMap(InputPrecision.init(rawValue:)), activations == .bf16
    else {
      throw fault("what products do with their input is not known")
    }
    return activations
  }
}
