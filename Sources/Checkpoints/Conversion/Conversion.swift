import Files
import JSON
import Tensors

/// A conversion that carries out plans: reads, converts, hashes and writes each tensor with bounded memory.
///
/// The source files are read once more, in the background, to hash them.
public struct Conversion {
  /// A tensor's plan and, when its values may have changed, the measured error.
  struct Outcome {
    let row: ComponentPlan.Row
    let metrics: ErrorMetrics?
  }

  /// The plans of all components, in the order of the release.
  package private(set) var plans: [ComponentPlan]
  /// The files that are copied byte for byte (tokenizers).
  package let auxiliary: [CheckpointFolder.AuxiliaryFile]
  /// The family, such as `miniflux`.
  package let family: String
  /// The request as recorded in the manifest.
  package let request: QuantizationOptions
  /// The measurements by which types were chosen, for the report; nil when there were none.
  package var calibration: JSONValue?

  /// Creates a conversion from its plans and files.
  package init(
    plans: [ComponentPlan], auxiliary: [CheckpointFolder.AuxiliaryFile], family: String,
    request: QuantizationOptions
  ) {
    self.plans = plans
    self.auxiliary = auxiliary
    self.family = family
    self.request = request
  }

  /// Returns the conversion with another plan for one of its components.
  package func replacing(_ plan: ComponentPlan, calibration: JSONValue? = nil) -> Conversion {
    var result = self
    result.plans = plans.map { $0.component == plan.component ? plan : $0 }
    result.calibration = calibration ?? self.calibration
    return result
  }

  /// The size of all source tensors that are consumed, in bytes.
  public var sourceByteCount: Int { plans.reduce(0) { $0 + $1.rows.reduce(0) { $0 + $1.source.byteCount } } }
  /// The size of all tensors in the native model, in bytes.
  public var byteCount: Int { plans.reduce(0) { $0 + $1.byteCount } }

  /// The plan as JSON, without the results that only writing provides.
  package var dryRunJSON: JSONValue {
    Manifest.report(self, outcomes: plans.map { $0.rows.map { Outcome(row: $0, metrics: nil) } }, source: nil)
  }

  /// Writes the model.
  ///
  /// - Parameters:
  ///   - output: the model folder; written whole or not at all.
  ///   - mayReplace: whether an existing output is replaced.
  ///   - version: this program's version, for the manifest.
  ///   - progress: called with the number of source bytes that were just converted.
  /// - Returns: the report, whose members the manifest also holds.
  package func write(
    to output: String, mayReplace: Bool, version: String,
    progress: (_ component: String, _ bytes: Int) throws -> Void
  ) throws -> JSONValue {
    let folder = try StagedFolder(
      destination: output, mayReplace: mayReplace, isReplaceable: NativeModel.isNothingElse)
    var outcomes: [[Outcome]] = []
    var components: [JSONValue] = []
    var sources: [String: JSONValue] = [:]
    for plan in plans {
      let fileName = plan.component + ".benben"
      let written = try Self.write(
        plan, to: folder.stagingPath + "/" + fileName, progress: { try progress(plan.component, $0) })
      sources[plan.component] = .array(written.source)
      outcomes.append(written.outcomes)
      components.append(
        Manifest.component(plan, file: fileName, bytes: written.fileSize, identity: written.identity))
      for file in plan.source.weights.files { try file.checkUnchanged() }
    }
    for file in auxiliary { try folder.write(file.contents, to: file.path) }
    let report = Manifest.report(self, outcomes: outcomes, source: sources)
    let manifest = Manifest.json(self, report: report, components: components, version: version)
    try folder.write(Manifest.text(manifest), to: Manifest.fileName)
    // A model that cannot be read back is not put in place; opening maps files and costs nothing.
    let written = try NativeModel(path: folder.stagingPath)
    for name in written.componentNames { _ = try written.component(name) }
    try folder.commit()
    return report
  }

  /// The result of writing a component.
  struct Written {
    let outcomes: [Outcome]
    let source: [JSONValue]
    let identity: String
    let fileSize: Int
  }

  /// The result of writing a tensor.
  private struct WrittenTensor: Sendable {
    let sha256: String
    let scalesSha256: String?
    let metrics: ErrorMetrics
  }

  static func write(
    _ plan: ComponentPlan, to path: String, progress: (Int) throws -> Void
  ) throws -> Written {
    let sourceFiles = plan.source.weights.files
    // The sources are hashed while tensors are written; hashes have a fixed length, so the header's is known before.
    let hashes = Background { try concurrentMap(sourceFiles) { try $0.sha256() } }
    let pending = identities(plan, hashes: sourceFiles.map { _ in NativeHeader.pendingHash })
    let entries = NativeHeader.layOut(
      plan.rows.map { ($0.name, $0.source.shape, $0.type, $0.activations, $0.isLossy || $0.source.isRounded) }
    )
    var header = NativeHeader(
      component: plan.component, config: plan.source.config, source: pending, entries: entries)
    let dataStart = NativeHeader.dataStart(headerLength: header.bytes.count)
    let fileSize = dataStart + header.dataLength
    let file = try OutputFile(path: path, size: fileSize)
    var outcomes: [Outcome] = []
    while outcomes.count < plan.rows.count {
      let batch = batch(of: plan.rows, from: outcomes.count)
      let written = try concurrentMap(Array(zip(plan.rows[batch], entries[batch]))) { row, entry in
        try write(row, as: entry, dataStart: dataStart, to: file)
      }
      for (index, tensor) in zip(batch, written) {
        let row = plan.rows[index]
        header.entries[index].data.sha256 = tensor.sha256
        if let hash = tensor.scalesSha256 { header.entries[index].scales?.sha256 = hash }
        if row.type != .int8, row.isLossy, !row.source.isRounded {
          header.entries[index].isRounded = tensor.metrics.maxAbs > 0
        }
        outcomes.append(Outcome(row: row, metrics: row.isLossy ? tensor.metrics : nil))
        try progress(row.source.byteCount)
      }
    }
    header.source = identities(plan, hashes: try hashes.value())
    let headerBytes = header.bytes
    let preamble = NativePreamble(header: headerBytes, totalLength: fileSize)
    try (preamble.bytes + headerBytes).withUnsafeBytes { try file.write($0, at: 0) }
    try file.finish()
    return Written(
      outcomes: outcomes, source: header.source, identity: preamble.headerHash.hexadecimal, fileSize: fileSize
    )
  }

  /// Returns the rows that are written concurrently before progress is reported: at least a quarter of a gigabyte and
  /// one for each core.
  private static func batch(of rows: [ComponentPlan.Row], from start: Int) -> Range<Int> {
    var (end, bytes) = (start, 0)
    while end < rows.count, bytes < 1 << 28 || end - start < Concurrency.cores {
      bytes += rows[end].source.byteCount
      end += 1
    }
    return start..<end
  }

  private static func write(
    _ row: ComponentPlan.Row, as entry: NativeHeader.Entry, dataStart: Int, to file: OutputFile
  ) throws -> WrittenTensor {
    var conversion = try TensorConversion(row.source, to: row.type, layout: entry.layout)
    var hash = Digest()
    var position = dataStart + entry.data.offset
    while try conversion.next({ chunk in
      hash.update(chunk)
      try file.write(chunk, at: position)
      position += chunk.count
    }) {}
    let scalesHash = try entry.scales.map { scales in
      try conversion.scales.withUnsafeBytes {
        try file.write($0, at: dataStart + scales.offset)
        return Digest.sha256($0)
      }
    }
    return WrittenTensor(
      sha256: hash.finalize(), scalesSha256: scalesHash, metrics: conversion.metrics)
  }

  /// Returns the name, size and SHA-256 of each file that a component comes from.
  private static func identities(_ plan: ComponentPlan, hashes: [String]) -> [JSONValue] {
    zip(plan.source.weights.files, hashes).map { file, hash in
      [
        "file": .string(plan.source.identity(of: file)), "bytes": .integer(file.size),
        "sha256": .string(hash),
      ]
    }
  }
}
