import JSON
import Tensors

/// The start of a safetensors file: the length of the header, and the header.
struct SafetensorsHeader {
  /// The bytes of both, padded with spaces that align the data, as by the format's own writer.
  let bytes: [UInt8]
  /// The size of all tensors, in bytes.
  let dataSize: Int

  init(_ tensors: [(name: String, type: ElementType, shape: Shape)], metadata: [String: String]) {
    var header: [String: JSONValue] = ["__metadata__": .object(metadata.mapValues(JSONValue.string))]
    var end = 0
    for (name, type, shape) in tensors {
      let byteCount = shape.reduce(type.size, *)
      header[name] = [
        "dtype": .string(type.rawValue.uppercased()), "shape": .array(shape.map(JSONValue.integer)),
        "data_offsets": [.integer(end), .integer(end + byteCount)],
      ]
      end += byteCount
    }
    var text = Array(JSONValue.object(header).canonicalText.utf8)
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    bytes = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    dataSize = end
  }
}
