import Crypto
import JSON
import Tensors

/// Carries plans out: reads each source tensor once, converts, hashes and writes it with bounded memory.
public struct Conversion {
  /// What is known of a tensor after it was written.
  struct Outcome {
    let row: ComponentPlan.Row
    let metrics: ErrorMetrics?
  }

  /// The plans of all components, in the order of the release.
  public let plans: [ComponentPlan]
  /// Files carried along byte for byte (tokenizers).
  public let carried: [CheckpointFolder.CarriedFile]
  /// The family, such as `miniflux`.
  public let family: String
  /// The request as it is written into the manifest.
  public let request: TypeRequest

  /// Gathers what a conversion does.
  public init(
    plans: [ComponentPlan], carried: [CheckpointFolder.CarriedFile], family: String, request: TypeRequest
  ) {
    self.plans = plans
    self.carried = carried
    self.family = family
    self.request = request
  }

  /// Bytes of all source tensors that are consumed.
  public var sourceByteCount: Int { plans.reduce(0) { $0 + $1.rows.reduce(0) { $0 + $1.source.byteCount } } }
  /// Bytes of all tensors in the native model.
  public var byteCount: Int { plans.reduce(0) { $0 + $1.byteCount } }

  /// The plan as JSON, without anything that only writing would tell.
  public var dryRunJSON: JSONValue {
    Manifest.report(self, outcomes: plans.map { $0.rows.map { Outcome(row: $0, metrics: nil) } }, source: nil)
  }

  /// Writes the model.
  ///
  /// - Parameters:
  ///   - output: the model folder; written whole or not at all.
  ///   - mayReplace: whether an existing output is replaced.
  ///   - version: this program's version, for the manifest.
  ///   - progress: called with the number of source bytes that were just converted.
  /// - Returns: the report, which is also what the manifest holds.
  public func write(
    to output: String, mayReplace: Bool, version: String,
    progress: (_ component: String, _ bytes: Int) throws -> Void
  ) throws -> JSONValue {
    let folder = try StagedFolder(destination: output, mayReplace: mayReplace)
    var outcomes: [[Outcome]] = []
    var components: [JSONValue] = []
    var sources: [String: JSONValue] = [:]
    for plan in plans {
      let sourceFiles = plan.source.weights.files
      let hashes = try concurrentMap(sourceFiles) { try $0.sha256() }
      let files = zip(sourceFiles, hashes).map { file, hash -> JSONValue in
        [
          "file": .string(plan.source.identity(of: file)), "bytes": .integer(file.size),
          "sha256": .string(hash),
        ]
      }
      sources[plan.component] = .array(files)
      let fileName = plan.component + ".benben"
      let written = try write(
        plan, source: files, to: folder.stagingPath + "/" + fileName,
        progress: { try progress(plan.component, $0) })
      outcomes.append(written.outcomes)
      components.append(
        Manifest.component(plan, file: fileName, bytes: written.fileSize, identity: written.identity))
      for file in plan.source.weights.files { try file.checkUnchanged() }
    }
    for file in carried { try folder.write(file.contents, to: file.path) }
    let report = Manifest.report(self, outcomes: outcomes, source: sources)
    let manifest = Manifest.json(self, report: report, components: components, version: version)
    try folder.write(Array(manifest.prettyText.utf8), to: Manifest.fileName)
    // What cannot be read back is not put in place; opening maps and costs nothing.
    let written = try NativeModel(path: folder.stagingPath)
    for name in written.componentNames { _ = try written.component(name) }
    try folder.commit()
    return report
  }

  private func write(
    _ plan: ComponentPlan, source: [JSONValue], to path: String, progress: (Int) throws -> Void
  ) throws -> (outcomes: [Outcome], identity: String, fileSize: Int) {
    let entries = NativeHeader.layOut(
      plan.rows.map { ($0.name, $0.source.shape, $0.type, $0.activations) })
    var header = NativeHeader(
      component: plan.component, config: plan.source.config, source: source, entries: entries)
    // Hashes have a fixed length, so the header's length is known before the data is.
    let dataStart = NativeHeader.dataStart(headerLength: header.bytes.count)
    let fileSize = dataStart + header.dataLength
    let file = try OutputFile(path: path, size: fileSize)
    var outcomes: [Outcome] = []
    for (index, row) in plan.rows.enumerated() {
      var conversion = try TensorConversion(row.source, to: row.type)
      var hash = SHA256()
      var position = dataStart + entries[index].data.offset
      while let chunk = try conversion.next() {
        hash.update(bufferPointer: chunk.bytes)
        try file.write(chunk.bytes, at: position)
        position += chunk.bytes.count
        try progress(chunk.sourceByteCount)
      }
      header.entries[index].data.sha256 = hash.finalize().hexadecimal
      if let scales = entries[index].scales {
        try conversion.scales.withUnsafeBytes {
          try file.write($0, at: dataStart + scales.offset)
          header.entries[index].scales?.sha256 = SHA256.hash(data: $0).hexadecimal
        }
      }
      outcomes.append(Outcome(row: row, metrics: row.isLossy ? conversion.metrics : nil))
    }
    let headerBytes = header.bytes
    let preamble = NativePreamble(header: headerBytes, totalLength: fileSize)
    try (preamble.bytes + headerBytes).withUnsafeBytes { try file.write($0, at: 0) }
    try file.finish()
    return (outcomes, preamble.headerHash.hexadecimal, fileSize)
  }
}
