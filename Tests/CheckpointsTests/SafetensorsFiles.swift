import Foundation
import JSON
import Tensors

@testable import Checkpoints

/// A safetensors file around any header text.
func safetensors(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
  let bytes = Array(header.utf8)
  return withUnsafeBytes(of: (length ?? UInt64(bytes.count)).littleEndian) { Array($0) } + bytes + data
}

/// A well-formed safetensors file of f32 tensors filled with their index.
func safetensors(_ tensors: [(name: String, shape: [Int])]) -> [UInt8] {
  var header: [String: JSONValue] = ["__metadata__": ["format": "pt"]]
  var data: [UInt8] = []
  for (index, tensor) in tensors.enumerated() {
    let start = data.count
    for element in 0..<tensor.shape.reduce(1, *) {
      withUnsafeBytes(of: (Float(index) + Float(element) / 100).bitPattern.littleEndian) { data += $0 }
    }
    header[tensor.name] = [
      "dtype": "F32", "shape": .array(tensor.shape.map(JSONValue.integer)),
      "data_offsets": [.integer(start), .integer(data.count)],
    ]
  }
  return safetensors(JSONValue.object(header).canonicalText, data: data)
}
