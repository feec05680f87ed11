import JSON
import Tensors

extension TensorDescriptor {
  /// The same tensor under another name.
  public func renamed(_ name: String) -> TensorDescriptor {
    TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: strides,
      storedName: storedName)
  }

  /// One of `count` equal parts along the outermost dimension, or nil when it cannot be cut so.
  public func part(_ index: Int, of count: Int, named name: String) -> TensorDescriptor? {
    guard let rows = shape.first, rows > 0, rows.isMultiple(of: count), strides == nil else { return nil }
    let length = byteCount / count
    return TensorDescriptor(
      name: name, type: type, shape: [rows / count] + shape.dropFirst(), file: file,
      offset: offset + index * length, byteCount: length, storedName: storedName)
  }

  /// A matrix with its two dimensions exchanged; nil for any other rank.
  public func transposed(named name: String) -> TensorDescriptor? {
    guard shape.count == 2, byteCount > 0 else { return nil }
    let transposed = Array((strides ?? [shape[1], 1]).reversed())
    let shape = Array(shape.reversed())
    return TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: shape.isContiguous(strides: transposed) ? nil : transposed, storedName: storedName)
  }
}
