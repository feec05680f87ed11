import Files
import Tensors

/// A converter of tensors, and a writer of them to their places in a component's file; threads share it.
struct TensorWriter: Sendable {
  let layout: ComponentLayout
  let file: OutputFile

  /// A part of a tensor that was converted.
  struct ConvertedChunk: Sendable {
    let chunk: SourceSegment.Chunk
    /// The offset of the bytes in the file.
    let place: Int
    /// The bytes of the new type and layout.
    let bytes: [UInt8]
    let loss: ConversionLoss
    let scales: [Float]
  }

  /// A tensor that was converted and whose values were written; its scales were not.
  struct WrittenTensor: Sendable {
    let loss: ConversionLoss
    let sha256: String
    let scales: [Float]
  }

  /// Converts a chunk of a tensor.
  ///
  /// - Parameter stored: the bytes of the chunk as they are stored.
  func convert(
    _ chunk: SourceSegment.Chunk, stored: [UInt8], sourceScales: [Float]
  ) throws -> ConvertedChunk {
    let (row, entry) = (layout.rows[chunk.row], layout.entries[chunk.row])
    let converter = ChunkConverter(row.source, to: row.type, layout: entry.layout, sourceScales: sourceScales)
    let place =
      layout.dataStart + entry.data.offset + row.source.valueCount(ofBytes: chunk.offset)
      * row.type.elementType.size
    var bytes: [UInt8] = []
    let part = try row.source.rowMajor(stored).withUnsafeBytes { values in
      try converter.convert(values, at: chunk.offset) { bytes = Array($0) }
    }
    return ConvertedChunk(chunk: chunk, place: place, bytes: bytes, loss: part.loss, scales: part.scales)
  }

  /// Reads, converts and writes the values of a row.
  func write(row index: Int) throws -> WrittenTensor {
    let (row, entry) = (layout.rows[index], layout.entries[index])
    var conversion = try TensorConversion(row.source, to: row.type, layout: entry.layout)
    var hash = Digest()
    var position = layout.dataStart + entry.data.offset
    while try conversion.next({ chunk in
      hash.update(chunk)
      try file.write(chunk, at: position)
      position += chunk.count
    }) {}
    return WrittenTensor(loss: conversion.loss, sha256: hash.finalize(), scales: conversion.scales)
  }
}

extension TensorDescriptor {
  /// Returns stored bytes, of whole blocks of rows, in row-major order.
  fileprivate func rowMajor(_ stored: [UInt8]) -> [UInt8] {
    guard layout == .blocked else { return stored }
    let columns = shape.dropFirst().reduce(1, *)
    return [UInt8](unsafeUninitializedCapacity: stored.count) { output, count in
      stored.withUnsafeBytes { stored in
        layout.deinterleave(
          stored.bindMemory(to: Int8.self), rows: 0..<stored.count / columns,
          columns: columns,
          into: UnsafeMutableRawBufferPointer(output).bindMemory(to: Int8.self))
      }
      count = stored.count
    }
  }
}
