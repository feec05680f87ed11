import Files
import Tensors

/// A run of a source file's bytes: a chunk of a tensor, or part of what lies between the tensors that are converted.
struct SourceSegment: Sendable {
  /// The part of a tensor that a segment holds.
  struct Chunk: Sendable {
    /// The index of the tensor's row in the plan.
    let row: Int
    /// The offset of the first byte in the tensor.
    let offset: Int
    /// Whether it is the tensor's last one.
    let isLast: Bool
  }

  /// The bytes in the file.
  let range: Range<Int>
  let chunk: Chunk?

  /// Returns the segments of a whole file, in order.
  ///
  /// - Parameter rows: the rows to convert, by their index; those that are not in this file, overlap another one, or have
  ///   strides are not among the segments.
  static func all(of file: InputFile, rows: [(index: Int, row: ComponentPlan.Row, layout: WeightLayout)])
    -> [SourceSegment]
  {
    var segments: [SourceSegment] = []
    var end = 0
    func skip(to offset: Int) {
      while end < offset {
        let next = min(end + TensorChunks.chunkSize, offset)
        segments.append(SourceSegment(range: end..<next, chunk: nil))
        end = next
      }
    }
    let inOrder = rows.filter { $0.row.source.file === file && $0.row.source.strides == nil }
      .sorted { ($0.row.source.offset, $0.index) < ($1.row.source.offset, $1.index) }
    for (index, row, layout) in inOrder where row.source.offset >= end {
      let source = row.source
      skip(to: source.offset)
      let size = TensorChunks.chunkSize(unit: ChunkConverter.unit(source, to: row.type, layout: layout))
      for offset in stride(from: 0, to: source.byteCount, by: size) {
        let count = min(size, source.byteCount - offset)
        segments.append(
          SourceSegment(
            range: end..<end + count,
            chunk: Chunk(row: index, offset: offset, isLast: offset + count == source.byteCount)))
        end += count
      }
    }
    skip(to: file.size)
    return segments
  }

  /// Returns the segments in runs that are in memory at once: two for each core.
  static func batches(_ segments: [SourceSegment]) -> [ArraySlice<SourceSegment>] {
    let limit = 2 * Concurrency.cores * TensorChunks.chunkSize
    var batches: [ArraySlice<SourceSegment>] = []
    var (start, bytes) = (0, 0)
    for (index, segment) in segments.enumerated() {
      if index > start, bytes + segment.range.count > limit {
        batches.append(segments[start..<index])
        (start, bytes) = (index, 0)
      }
      bytes += segment.range.count
    }
    if start < segments.count { batches.append(segments[start...]) }
    return batches
  }
}
