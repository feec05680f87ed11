import Files
import JSON
import Tensors

/// A writer of one component of a native model.
///
/// Every source file is read once, in order: its bytes are hashed, and its tensors converted, measured, hashed and written
/// on the way. What the audit decides to keep wider is read again, and what stands after it moves; so is a tensor whose
/// bytes are not in one piece.
struct ComponentWriter {
  /// The result of writing a component.
  struct Result {
    /// The plan with the types that the audit decided.
    let plan: ComponentPlan
    /// The error of each row whose values may have changed, in the order of the plan.
    let metrics: [ErrorMetrics?]
    /// The name, size and SHA-256 of each source file.
    let source: [JSONValue]
    /// The SHA-256 of the header.
    let identity: String
    let fileSize: Int
  }

  private let plan: ComponentPlan
  private let file: OutputFile
  private let journal: ConversionJournal?
  var layout: ComponentLayout
  /// The rows with the types that the audit decided so far; those of the layout until tensors move.
  private var rows: [ComponentPlan.Row]
  /// The tensors that are in their places, by the index of their row.
  var written: [Int: ConversionJournal.Tensor] = [:]
  private var sourceHashes: [Int: String]
  /// Whether something may stand between the tensors: what an earlier run left, or what stood there before they moved.
  private var mayHoldRemains: Bool
  /// The rows that are written last, since the audit decided for another type.
  private var widened: Set<Int> = []

  /// Creates the file with all of its space, or takes over what an earlier run left of it.
  ///
  /// - Parameter journal: the record of what was done; nil for a file that no later run goes on with.
  init(_ plan: ComponentPlan, to path: String, journal: ConversionJournal? = nil) throws {
    let known = journal?.component(plan.component) ?? ConversionJournal.Component()
    self.plan = plan
    self.journal = journal
    rows = plan.rows.enumerated().map { index, row in
      known.types[index].map { row.retyped($0.type, $0.reason) } ?? row
    }
    let layout = ComponentLayout(rows, of: plan)
    self.layout = layout
    mayHoldRemains = FileSystem.exists(path)
    file = try OutputFile(resuming: path, size: layout.fileSize)
    sourceHashes = known.hashes
    // What was recorded counts only if it is there.
    let candidates = known.tensors.filter { rows.indices.contains($0.key) }.sorted { $0.key < $1.key }
    if candidates.isEmpty { return }
    let input = try InputFile(path: path)
    let areThere = try concurrentMap(candidates) { row, tensor in
      let hashes = try layout.ranges(of: row).map { try input.sha256(of: $0) }
      return hashes == [tensor.sha256] + (tensor.scalesSha256.map { [$0] } ?? [])
    }
    for (candidate, isThere) in zip(candidates, areThere) where isThere {
      written[candidate.key] = candidate.value
    }
  }

  /// The writer of the tensors in their present places.
  var tensors: TensorWriter { TensorWriter(layout: layout, file: file) }

  /// The size of the source tensors that an earlier run converted, in bytes.
  var resumedByteCount: Int { written.keys.reduce(0) { $0 + rows[$1].source.byteCount } }

  /// Writes the tensors that are not there yet, then the header, and syncs the file.
  ///
  /// - Parameter progress: called with the number of source bytes that were just converted.
  mutating func write(progress: (Int) throws -> Void) throws -> Result {
    let files = plan.source.weights.files
    for (index, source) in files.enumerated() where sourceHashes[index] == nil {
      let hash = try stream(source, progress: progress)
      try journal?.record(hash: hash, sourceFile: index, of: plan.component)
      sourceHashes[index] = hash
    }
    try writeApart(
      rows.indices.filter { written[$0] == nil && !widened.contains($0) }, progress: progress)
    if !widened.isEmpty {
      try moveTensors()
      try writeApart(widened.sorted(), progress: progress)
    }
    return try finish(sourceHashes: files.indices.compactMap { sourceHashes[$0] })
  }

  /// Writes the header, which names every hash.
  private func finish(sourceHashes: [String]) throws -> Result {
    var header = NativeHeader(
      component: plan.component, config: plan.source.config, source: plan.identities(hashes: sourceHashes),
      entries: layout.entries)
    for (index, row) in rows.enumerated() {
      guard let tensor = written[index] else { continue }
      header.entries[index].data.sha256 = tensor.sha256
      if let hash = tensor.scalesSha256 { header.entries[index].scales?.sha256 = hash }
      if row.type != .int8, row.isLossy, !row.source.isRounded {
        header.entries[index].isRounded = tensor.metrics.maxAbs > 0
      }
    }
    let bytes = header.bytes
    let preamble = NativePreamble(header: bytes, totalLength: layout.fileSize)
    try (preamble.bytes + bytes).withUnsafeBytes { try file.write($0, at: 0) }
    if mayHoldRemains { try clearGaps(after: preamble.bytes.count + bytes.count) }
    try file.finish()
    return Result(
      plan: plan.replacing(rows),
      metrics: rows.enumerated().map { index, row in row.isLossy ? written[index]?.metrics : nil },
      source: header.source, identity: preamble.headerHash.hexadecimal, fileSize: layout.fileSize)
  }

  /// Writes zeros wherever no tensor stands.
  private func clearGaps(after header: Int) throws {
    var end = header
    let ranges = rows.indices.flatMap(layout.ranges).sorted { $0.lowerBound < $1.lowerBound }
    for range in ranges + [layout.fileSize..<layout.fileSize] {
      for start in stride(from: end, to: range.lowerBound, by: TensorChunks.chunkSize) {
        let zeros = [UInt8](repeating: 0, count: min(TensorChunks.chunkSize, range.lowerBound - start))
        try zeros.withUnsafeBytes { try file.write($0, at: start) }
      }
      end = range.upperBound
    }
  }

  /// Records a tensor whose values were written, and writes its scales; or that it must be written in a wider type.
  ///
  /// - Returns: whether it is written.
  mutating func complete(
    _ index: Int, loss: ConversionLoss, sha256: String, scales: [Float]
  ) throws -> Bool {
    if let wider = rows[index].wider(after: loss) {
      rows[index] = wider
      widened.insert(index)
      try journal?.record(wider.type, reason: wider.reason, row: index, of: plan.component)
      return false
    }
    let scalesHash = try layout.entries[index].scales.map { part in
      try scales.withUnsafeBytes {
        try file.write($0, at: layout.dataStart + part.offset)
        return Digest.sha256($0)
      }
    }
    let tensor = ConversionJournal.Tensor(
      sha256: sha256, scalesSha256: scalesHash, metrics: loss.metrics)
    written[index] = tensor
    try journal?.record(tensor, row: index, of: plan.component)
    return true
  }

  /// Writes rows, each read on its own, as many at once as there are cores.
  private mutating func writeApart(_ indices: [Int], progress: (Int) throws -> Void) throws {
    var rest = indices[...]
    while !rest.isEmpty {
      let batch = Array(rest.prefix(Concurrency.cores))
      rest = rest.dropFirst(batch.count)
      let tensors = tensors
      for (index, tensor) in zip(batch, try concurrentMap(batch) { try tensors.write(row: $0) }) {
        if try complete(index, loss: tensor.loss, sha256: tensor.sha256, scales: tensor.scales) {
          try progress(rows[index].source.byteCount)
        }
      }
    }
  }

  /// Moves what is written to where it stands among the wider tensors.
  ///
  /// A run that is killed meanwhile leaves some in the old place, where the next run does not find them.
  private mutating func moveTensors() throws {
    let old = layout
    mayHoldRemains = true
    layout = ComponentLayout(rows, of: plan)
    try file.resize(to: max(old.fileSize, layout.fileSize))
    let input = try InputFile(path: file.path)
    let moves = written.keys.sorted().flatMap { row in
      zip(old.ranges(of: row), layout.ranges(of: row)).map { (from: $0, to: $1.lowerBound) }
    }
    // The order of the tensors stays. So, upwards from the last on and then downwards from the first on, nothing is
    // overwritten before it has moved.
    for move in moves.reversed() where move.to > move.from.lowerBound {
      try self.move(move.from, to: move.to, in: input)
    }
    for move in moves where move.to < move.from.lowerBound {
      try self.move(move.from, to: move.to, in: input)
    }
    try file.resize(to: layout.fileSize)
  }

  private func move(_ range: Range<Int>, to place: Int, in input: InputFile) throws {
    let starts = stride(from: range.lowerBound, to: range.upperBound, by: TensorChunks.chunkSize)
    let distance = place - range.lowerBound
    for start in distance > 0 ? Array(starts).reversed() : Array(starts) {
      try Task.checkCancellation()
      let bytes = try input.bytes(
        at: start, count: min(TensorChunks.chunkSize, range.upperBound - start))
      try bytes.withUnsafeBytes { try file.write($0, at: start + distance) }
    }
  }
}
