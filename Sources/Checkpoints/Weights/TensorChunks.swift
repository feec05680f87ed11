import Files
import Tensors

/// A reader of a tensor's bytes in row-major order, one chunk at a time.
///
/// Memory stays bounded whatever the tensor's size, except for a view with strides, where the part of the storage that
/// it spans is held. The bytes are hashed as they are read where the file lists their hash.
struct TensorChunks: ~Copyable {
  /// The size of a chunk in bytes, a multiple of every element size.
  static let chunkSize = 4 << 20

  /// Returns the size of the chunks of which `unit` bytes stay together.
  static func chunkSize(unit: Int) -> Int { max(chunkSize / max(unit, 1), 1) * max(unit, 1) }

  private let tensor: TensorDescriptor
  private let chunkSize: Int
  private let buffer: UnsafeMutableRawBufferPointer
  /// The bytes of a blocked tensor as stored, before they are rearranged into row-major order.
  private let blocks: UnsafeMutableRawBufferPointer?
  private var offset = 0
  /// The part of the storage that a tensor with strides spans.
  private let span: [UInt8]?
  private var digest = Digest()

  /// Creates a reader at the tensor's first byte.
  ///
  /// - Parameter unit: the number of bytes that stay together; every chunk but the last is a multiple of it.
  init(_ tensor: TensorDescriptor, unit: Int = 8) throws {
    self.tensor = tensor
    let rowLength = tensor.shape.dropFirst().reduce(1, *) * tensor.type.size
    // Whole blocks are also whole rows.
    let unit = tensor.layout == .blocked ? WeightLayout.blockSize * rowLength : unit
    chunkSize = min(Self.chunkSize(unit: unit), max(tensor.byteCount, 1))
    span = try tensor.strides.map { strides in
      let last = zip(tensor.shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
      return try tensor.file.bytes(at: tensor.offset, count: (last + 1) * tensor.type.size)
    }
    buffer = .allocate(byteCount: chunkSize, alignment: 64)
    blocks = tensor.layout == .blocked ? .allocate(byteCount: chunkSize, alignment: 64) : nil
  }

  deinit {
    buffer.deallocate()
    blocks?.deallocate()
  }

  /// Returns the next bytes, valid until the next call, or nil at the end.
  ///
  /// - Throws: ``BenbenError`` when reading fails and, with the last bytes, when their hash is not the listed one.
  mutating func next() throws -> UnsafeRawBufferPointer? {
    guard offset < tensor.byteCount else { return nil }
    let part = UnsafeMutableRawBufferPointer(
      rebasing: buffer[..<min(buffer.count, tensor.byteCount - offset)])
    if let span, let strides = tensor.strides {
      gather(span, strides, into: part)
    } else if let blocks {
      let stored = UnsafeMutableRawBufferPointer(rebasing: blocks[..<part.count])
      try tensor.file.read(at: tensor.offset + offset, into: stored)
      try hash(UnsafeRawBufferPointer(stored))
      let columns = tensor.shape.dropFirst().reduce(1, *)
      tensor.layout.deinterleave(
        UnsafeBufferPointer(stored.bindMemory(to: Int8.self)), rows: 0..<part.count / columns,
        columns: columns,
        into: part.bindMemory(to: Int8.self))
    } else {
      try tensor.file.read(at: tensor.offset + offset, into: part)
      try hash(UnsafeRawBufferPointer(part))
    }
    offset += part.count
    return UnsafeRawBufferPointer(part)
  }

  private mutating func hash(_ stored: UnsafeRawBufferPointer) throws {
    guard tensor.sha256 != nil else { return }
    digest.update(stored)
    guard offset + stored.count == tensor.byteCount else { return }
    var whole = Digest()
    swap(&whole, &digest)
    let found = whole.finalize()
    try tensor.requireHash(tensor.sha256, found, of: "values")
  }

  private func gather(_ span: [UInt8], _ strides: [Int], into part: UnsafeMutableRawBufferPointer) {
    let size = tensor.type.size
    // The first element's index in each dimension; the indices of the others follow by counting.
    var index = [Int](repeating: 0, count: tensor.shape.count)
    var rest = offset / size
    for dimension in tensor.shape.indices.reversed() {
      index[dimension] = rest % tensor.shape[dimension]
      rest /= tensor.shape[dimension]
    }
    var source = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } * size
    span.withUnsafeBytes { span in
      for target in stride(from: 0, to: part.count, by: size) {
        for byte in 0..<size { part[target + byte] = span[source + byte] }
        var dimension = index.count - 1
        while dimension >= 0 {
          index[dimension] += 1
          source += strides[dimension] * size
          if index[dimension] < tensor.shape[dimension] { break }
          source -= index[dimension] * strides[dimension] * size
          index[dimension] = 0
          dimension -= 1
        }
      }
    }
  }
}
