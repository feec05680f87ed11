import JSON
import Tensors

/// The JSON header of a `.benben` file.
///
/// Its schema is `schemas/benben-header.schema.json`.
struct NativeHeader {
  /// One tensor of the file.
  struct Entry {
    let name: String
    let shape: Shape
    let type: ElementType
    /// Where its bytes start, counted from the start of the data.
    let offset: Int
    let byteCount: Int
    /// SHA-256 of its bytes in hexadecimal.
    var sha256: String
  }

  /// Tensors start at multiples of this.
  static let alignment = 64
  /// Tensors of at least ``pagedSize`` bytes start at multiples of this, and so does the data itself.
  static let page = 4096
  static let pagedSize = 65536
  /// Stands in for a hash that is not known yet; as long as a real one.
  static let pendingHash = String(repeating: "0", count: 64)

  let component: String
  let config: JSONValue
  /// Name, size and SHA-256 of each file that the tensors came from.
  var source: [JSONValue]
  var entries: [Entry]

  /// Lays tensors out in the given order.
  static func layOut(_ tensors: [(name: String, shape: Shape, type: ElementType, byteCount: Int)]) -> [Entry]
  {
    var end = 0
    return tensors.map { tensor in
      let offset = roundUp(end, tensor.byteCount >= pagedSize ? page : alignment)
      end = offset + tensor.byteCount
      return Entry(
        name: tensor.name, shape: tensor.shape, type: tensor.type, offset: offset,
        byteCount: tensor.byteCount,
        sha256: pendingHash)
    }
  }

  static func roundUp(_ value: Int, _ multiple: Int) -> Int { (value + multiple - 1) / multiple * multiple }

  /// Where the data starts in a file whose header has this length.
  static func dataStart(headerLength: Int) -> Int { roundUp(NativePreamble.length + headerLength, page) }

  var dataLength: Int { entries.last.map { $0.offset + $0.byteCount } ?? 0 }

  var json: JSONValue {
    [
      "component": .string(component),
      "config": config,
      "source": .array(source),
      "tensors": .array(
        entries.map { entry in
          [
            "name": .string(entry.name),
            "shape": .array(entry.shape.map(JSONValue.integer)),
            "type": .string(entry.type.rawValue),
            "layout": "row-major",
            "offset": .integer(entry.offset),
            "bytes": .integer(entry.byteCount),
            "sha256": .string(entry.sha256),
          ]
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

  /// Reads and checks a header; every range it declares lies in the data, in order, without overlap.
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
        let typeName = row["type"]?.string,
        let offset = row["offset"]?.integer, let byteCount = row["bytes"]?.integer,
        let sha = row["sha256"]?.string,
        row["layout"]?.string == "row-major"
      else { throw fault("tensor \(index): ", "a field is missing or has another type") }
      let subject = "tensor \(quoted(name)): "
      guard names.insert(name).inserted else { throw fault(subject, "it is listed twice") }
      guard let type = ElementType(rawValue: typeName), type.isComputable else {
        throw fault(subject, "its type \(quoted(typeName)) is not known")
      }
      guard shape.count <= Safetensors.maximumRank, shape.checkedByteCount(of: type) == byteCount else {
        throw fault(subject, "\(byteCount) bytes are not what shape \(shape.text) takes")
      }
      guard sha.utf8.count == 64 else { throw fault(subject, "its hash has another length") }
      let alignment = byteCount >= Self.pagedSize ? Self.page : Self.alignment
      guard offset >= end, offset % alignment == 0, offset - end < alignment,
        offset <= fileSize, byteCount <= fileSize - offset, dataStart <= fileSize - offset - byteCount
      else {
        throw fault(subject, "its range \(offset)..+\(byteCount) is not the next aligned one in the file")
      }
      end = offset + byteCount
      entries.append(
        Entry(name: name, shape: shape, type: type, offset: offset, byteCount: byteCount, sha256: sha))
    }
    guard dataStart + end == fileSize || (entries.isEmpty && dataStart >= fileSize) else {
      throw fault("", "the tensors end at byte \(dataStart + end), the file at \(fileSize)")
    }
    self.init(component: component, config: config, source: source, entries: entries)
  }
}
