import JSON
import Tensors

extension TensorDescriptor {
  /// Returns a descriptor of the tensor under another name.
  package func renamed(_ name: String) -> TensorDescriptor {
    var copy = self
    copy.name = name
    return copy
  }

  /// Returns one of `count` equal parts along the outermost dimension, or nil for one that cannot be divided
  /// or is quantized.
  package func part(_ index: Int, of count: Int, named name: String) -> TensorDescriptor? {
    guard let rows = shape.first, rows > 0, rows.isMultiple(of: count), strides == nil,
      scaleOffset == nil
    else { return nil }
    var copy = renamed(name)
    copy.shape[0] = rows / count
    copy.byteCount = byteCount / count
    copy.offset += index * copy.byteCount
    copy.sha256 = nil
    return copy
  }

  /// Returns the matrix with its two dimensions exchanged, or nil for any other rank or a quantized
  /// matrix.
  package func transposed(named name: String) -> TensorDescriptor? {
    guard shape.count == 2, byteCount > 0, scaleOffset == nil, blocks == nil else { return nil }
    let transposed = Array((strides ?? [shape[1], 1]).reversed())
    var copy = renamed(name)
    copy.shape = shape.reversed()
    // The hash is of the bytes in their stored order.
    copy.sha256 = nil
    copy.strides = copy.shape.isContiguous(strides: transposed) ? nil : transposed
    return copy
  }

  /// Returns a descriptor of the tensor with scales: those of its rows at an offset in its file, or one for all values.
  func with(scaleOffset: Int? = nil, uniformScale: Float? = nil) -> TensorDescriptor {
    var copy = self
    copy.scaleOffset = scaleOffset
    copy.uniformScale = uniformScale
    copy.isRounded = type == .i8
    return copy
  }
}
