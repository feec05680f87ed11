import Files
import Tensors

/// Tensors whose values are read once, together with the rest of their file.
extension ComponentWriter {
  /// A tensor of which some chunks were converted.
  private struct PartialTensor {
    var loss = ConversionLoss()
    var scales: [Float] = []
    /// The hashes of the bytes that are written, and of those that were read.
    let hash = HashChain(), sourceHash = HashChain()
    let sourceScales: [Float]
  }

  private struct Loaded: Sendable {
    let segment: SourceSegment
    let bytes: [UInt8]
  }

  /// Work that runs beside the other work of its step.
  private enum Job: Sendable {
    case read(ArraySlice<SourceSegment>)
    case hashSource([Loaded])
    case write([TensorWriter.ConvertedChunk], hashes: [Int: HashChain])
    case convert(Loaded, SourceSegment.Chunk, sourceScales: [Float])
  }

  private enum Output: Sendable {
    case done
    case loaded([Loaded])
    case converted(TensorWriter.ConvertedChunk)
  }

  /// Reads a source file from its start to its end, and converts the rows in it that are not written yet.
  ///
  /// While one batch of segments is hashed and converted, the next one is read, and what became of the last one is hashed
  /// and written.
  ///
  /// - Returns: the file's SHA-256.
  mutating func stream(_ source: InputFile, progress: (Int) throws -> Void) throws -> String {
    let (rows, entries, writer) = (layout.rows, layout.entries, tensors)
    let missing = rows.indices.filter { written[$0] == nil }
    let batches = SourceSegment.batches(
      SourceSegment.all(of: source, rows: missing.map { ($0, rows[$0], entries[$0].layout) }))
    let fileHash = HashChain()
    var partial: [Int: PartialTensor] = [:]
    var (loaded, converted): ([Loaded], [TensorWriter.ConvertedChunk]) = ([], [])
    // Two steps more, to convert the last batch and to hash what became of it.
    for step in 0..<batches.count + 2 {
      for chunk in loaded.compactMap(\.segment.chunk) where partial[chunk.row] == nil {
        partial[chunk.row] = PartialTensor(sourceScales: try rows[chunk.row].source.scales())
      }
      let jobs = Self.jobs(
        reading: step < batches.count ? batches[step] : [], loaded: loaded, converted: converted, partial)
      let sourceHashes = partial.mapValues(\.sourceHash)
      let outputs = try concurrentMap(jobs) { job -> Output in
        switch job {
        case .read(let batch):
          return .loaded(
            try batch.map {
              Loaded(
                segment: $0, bytes: try source.bytes(at: $0.range.lowerBound, count: $0.range.count))
            })
        case .hashSource(let pieces):
          for piece in pieces {
            fileHash.update(piece.bytes)
            guard let chunk = piece.segment.chunk, let hash = sourceHashes[chunk.row] else { continue }
            let tensor = rows[chunk.row].source
            guard tensor.sha256 != nil else { continue }
            hash.update(piece.bytes)
            if chunk.isLast { try tensor.requireHash(tensor.sha256, hash.finalize(), of: "values") }
          }
          return .done
        case .write(let chunks, let hashes):
          for chunk in chunks {
            hashes[chunk.chunk.row]?.update(chunk.bytes)
            try chunk.bytes.withUnsafeBytes { try writer.file.write($0, at: chunk.place) }
          }
          return .done
        case .convert(let piece, let chunk, let scales):
          return .converted(try writer.convert(chunk, stored: piece.bytes, sourceScales: scales))
        }
      }
      for chunk in converted.map(\.chunk) where chunk.isLast {
        guard let tensor = partial.removeValue(forKey: chunk.row) else { continue }
        if try complete(
          chunk.row, loss: tensor.loss, sha256: tensor.hash.finalize(), scales: tensor.scales)
        {
          try progress(rows[chunk.row].source.byteCount)
        }
      }
      (loaded, converted) = ([], [])
      for output in outputs {
        switch output {
        case .done: break
        case .loaded(let pieces): loaded = pieces
        case .converted(let part):
          converted.append(part)
          partial[part.chunk.row]?.loss.add(part.loss)
          partial[part.chunk.row]?.scales += part.scales
        }
      }
    }
    return fileHash.finalize()
  }

  /// Returns the work of one step, what takes longest first.
  private static func jobs(
    reading batch: ArraySlice<SourceSegment>, loaded: [Loaded], converted: [TensorWriter.ConvertedChunk],
    _ partial: [Int: PartialTensor]
  ) -> [Job] {
    var jobs: [Job] = []
    if !batch.isEmpty { jobs.append(.read(batch)) }
    if !loaded.isEmpty { jobs.append(.hashSource(loaded)) }
    // By one thread: those that write one file wait for one another.
    if !converted.isEmpty { jobs.append(.write(converted, hashes: partial.mapValues(\.hash))) }
    for piece in loaded {
      guard let chunk = piece.segment.chunk, let tensor = partial[chunk.row] else { continue }
      jobs.append(.convert(piece, chunk, sourceScales: tensor.sourceScales))
    }
    return jobs
  }
}
