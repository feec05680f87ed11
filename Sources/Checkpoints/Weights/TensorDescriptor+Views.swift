import JSON
import Tensors

extension TensorDescriptor {
  /// Returns a descriptor of the tensor under another name.
  package func renamed(_ name: String) -> TensorDescriptor {
    TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: strides, storedName: storedName, scaleOffset: scaleOffset, uniformScale: uniformScale,
      isRounded: isRounded,
      sha256: sha256,
      scalesSha256: scalesSha256, layout: layout,
      activations: activations)
  }

  /// Returns one of `count` equal parts along the outermost dimension, or nil for one that cannot be divided
  /// or is quantized.
  package func part(_ index: Int, of count: Int, named name: String) -> TensorDescriptor? {
    guard let rows = shape.first, rows > 0, rows.isMultiple(of: count), strides == nil,
      scaleOffset == nil
    else { return nil }
    let length = byteCount / count
    return TensorDescriptor(
      name: name, type: type, shape: [rows / count] + shape.dropFirst(), file: file,
      offset: offset + index * length, byteCount: length, storedName: storedName,
      uniformScale: uniformScale)
  }

  /// Returns the matrix with its two dimensions exchanged, or nil for any other rank or a quantized
  /// matrix.
  package func transposed(named name: String) -> TensorDescriptor? {
    guard shape.count == 2, byteCount > 0, scaleOffset == nil else { return nil }
    let transposed = Array((strides ?? [shape[1], 1]).reversed())
    let shape = Array(shape.reversed())
    return TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: shape.isContiguous(strides: transposed) ? nil : transposed, storedName: storedName,
      uniformScale: uniformScale)
  }

  /// Returns a descriptor of the tensor with scales: those of its rows at an offset in its file, or one for all values.
  func with(scaleOffset: Int? = nil, uniformScale: Float? = nil) -> TensorDescriptor {
    TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: strides, storedName: storedName, scaleOffset: scaleOffset, uniformScale: uniformScale,
      isRounded: type == .i8)
  }
}
