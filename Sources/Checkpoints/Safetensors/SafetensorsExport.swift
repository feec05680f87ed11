import Files
import JSON
import Tensors

/// An export of weights to a safetensors file that other tools can read.
///
/// Names are the official ones, prefixed with `component.` when there are several components. An 8-bit tensor is
/// converted to f32, or written as I8 together with `NAME_scale`, one f32 for each outermost row (w = q·s).
package struct SafetensorsExport {
  private struct Part {
    let name: String
    let type: ElementType
    let shape: Shape
    let byteCount: Int
  }

  private let items: [WeightCollection.Item]
  private let dequantizes: Bool

  /// Creates an export of a collection; `dequantizes` selects whether 8-bit tensors are converted to f32.
  package init(_ collection: WeightCollection, dequantizes: Bool) {
    items = collection.items
    self.dequantizes = dequantizes
  }

  private func type(of item: WeightCollection.Item) throws -> WeightType {
    guard let stored = item.tensor.weightType else {
      throw malformed(
        "tensor \(quoted(item.name)) cannot be exported", item.tensor.file.path, "its type is \(item.type)")
    }
    return stored == .int8 && dequantizes ? .f32 : stored
  }

  private func parts(of item: WeightCollection.Item, hasComponents: Bool) throws -> [Part] {
    let type = try type(of: item)
    let name = (hasComponents ? item.component + "." : "") + item.name
    let count = item.shape.reduce(1, *)
    let data = Part(
      name: name, type: type.elementType, shape: item.shape, byteCount: count * type.elementType.size)
    guard type == .int8 else { return [data] }
    let rows = item.shape.first ?? 1
    return [data, Part(name: name + "_scale", type: .f32, shape: [rows], byteCount: 4 * rows)]
  }

  /// Writes the file, whole or not at all.
  ///
  /// - Parameter progress: called with the number of bytes that were just written.
  package func write(to path: String, mayReplace: Bool, progress: (Int) throws -> Void) throws {
    let hasComponents = Set(items.map(\.component)).count > 1
    let parts = try items.map { try self.parts(of: $0, hasComponents: hasComponents) }
    var names: Set<String> = ["__metadata__"]
    for part in parts.joined() where !names.insert(part.name).inserted {
      throw malformed(
        "two tensors would have one name", path,
        "\(quoted(part.name)) is taken by another one or by the format",
        "Export one component after the other, or with dequantized values.")
    }
    let header = SafetensorsHeader(
      parts.joined().map { ($0.name, $0.type, $0.shape) }, metadata: ["format": "pt"])
    let staged = try StagedFile(
      destination: path, size: header.bytes.count + header.dataSize, mayReplace: mayReplace)
    var position = header.bytes.count
    func emit(_ bytes: UnsafeRawBufferPointer) throws {
      try staged.file.write(bytes, at: position)
      position += bytes.count
      try progress(bytes.count)
    }
    try header.bytes.withUnsafeBytes { try staged.file.write($0, at: 0) }
    for item in items {
      let type = try type(of: item)
      var conversion = try TensorConversion(item.tensor, to: type)
      while try conversion.next(emit) {}
      if type == .int8 { try conversion.scales.withUnsafeBytes { try emit($0) } }
    }
    try staged.commit()
  }

  /// The size of all tensors as written, in bytes.
  package var byteCount: Int {
    get throws {
      try items.reduce(0) { $0 + (try parts(of: $1, hasComponents: false).reduce(0) { $0 + $1.byteCount }) }
    }
  }
}
