import Files
import JSON
import Tensors

/// A conversion that carries out plans: reads every source file once, and converts, hashes and writes its tensors with
/// bounded memory.
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
  /// What was lost before the source itself was converted, where that is a native model that says it.
  package var inheritedRounding: [JSONValue] = []

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

  /// What an importer decided of the files without being asked, a sentence each.
  package var choices: [String] = []

  /// The size of all source tensors that are consumed, in bytes.
  public var sourceByteCount: Int { plans.reduce(0) { $0 + $1.rows.reduce(0) { $0 + $1.source.byteCount } } }
  /// The size of all tensors in the native model, in bytes; an audit that keeps some wider adds to it.
  public var byteCount: Int { plans.reduce(0) { $0 + $1.byteCount } }

  /// What was decided without being asked for, a sentence each: assumed configs, what the sources had lost before, and
  /// what of them is not used.
  package var remarks: [String] {
    let names = plans.flatMap { plan in plan.rows.map { plan.component + "/" + $0.name } }
    let idle = request.overrides.filter { rule in !names.contains { (try? rule.matches($0)) == true } }
    return choices + idle.map { "\($0.reason) matches no tensor" } + [remarkOnRules].compactMap(\.self)
      + plans.flatMap { plan in
        var remarks = [plan.source.unreadText].compactMap(\.self)
        if !plan.source.assumed.isEmpty {
          remarks.append(
            "the weights do not tell \(plan.source.assumed.joined(separator: ", ")), taken as in the official release (a "
              + "config.json beside the file would)")
        }
        if plan.source.weights.isAverage { remarks.append("the moving average of the weights is taken") }
        if let rounding = plan.sourceRounding { remarks.append(rounding.text) }
        let blocks = Set(plan.rows.compactMap { $0.type == .f32 ? $0.source.blocks?.rawValue : nil }).sorted()
        if !blocks.isEmpty {
          remarks.append(
            "values in blocks of \(blocks.joined(separator: " and ")) are kept exactly, which takes f32 and more space; another type rounds once more"
          )
        }
        let float8 = plan.rows.filter(\.source.type.isFloat8)
        let bare = float8.filter { $0.source.uniformScale == nil }.map(\.name)
        if let first = bare.first, bare.count < float8.count {
          remarks.append(
            "\(bare.count) of \(float8.count) tensors in fp8 have no scale and are taken as they are, \(first) first"
          )
        }
        let unused = plan.ignored.filter { !$0.rule.hasPrefix(WeightFiles.joinedRule) }
        for (rule, items) in Dictionary(grouping: unused, by: \.rule).sorted(by: { $0.key < $1.key }) {
          remarks.append(
            "\(items.count) \(items.count == 1 ? "entry" : "entries") of the source not used: \(rule)")
        }
        return remarks.map { "\(plan.component): \($0)" }
      }
  }

  /// What a recipe says in vain; nil when each of its rules decides something.
  private var remarkOnRules: String? {
    guard let recipe = request.ownRecipe else { return nil }
    let deciding = plans.reduce(into: Set()) { $0.formUnion($1.decidingPatterns) }
    let idle = recipe.rules.filter { !deciding.contains($0.pattern) }
    guard let first = idle.first else { return nil }
    return
      "\(recipe.name): \(idle.count) of \(recipe.rules.count) rules choose the type of no tensor, \(quoted(first.pattern)) first"
  }

  /// The plan as JSON, without the results that only writing provides.
  package var dryRunJSON: JSONValue {
    Manifest.report(self, outcomes: plans.map { $0.rows.map { Outcome(row: $0, metrics: nil) } }, source: nil)
  }

  /// Returns the conversion with the types that an audit of all values leaves; it reads what is to be rounded.
  ///
  /// Writing audits as it goes. This is for plans on which more depends.
  package func audited() throws -> Conversion {
    var result = self
    result.plans = try plans.map { try $0.audited() }
    return result
  }

  /// Returns what a report says of tensors whose values demanded wider types than were asked for; nil when none did.
  package static func remarkOnWider(_ report: JSONValue) -> String? {
    let wider = (report["tensors"]?.array ?? []).filter {
      $0["reason"]?.string.map(ComponentPlan.Row.isOfWider) ?? false
    }
    let names = wider.map { "\($0["component"]?.string ?? "")/\($0["name"]?.string ?? "")" }
    guard let first = names.first else { return nil }
    return names.count == 1
      ? "\(first) is kept wider than asked for, as its values demand"
      : "\(names.count) tensors are kept wider than asked for, as their values demand, \(first) first"
  }

  /// Throws when there is no writing to a place; called before long work.
  package static func requirePossible(output: String, mayReplace: Bool) throws {
    try StagedFolder.requirePossible(
      output, mayReplace: mayReplace, isReplaceable: NativeModel.isNothingElse)
  }

  /// Returns whether an interrupted conversion to a place has left something that a later run goes on with.
  public static func isInterrupted(output: String) -> Bool {
    FileSystem.exists(StagedFolder.staging(of: output) + "/" + ConversionJournal.fileName)
  }

  /// Writes the model, or the rest of it where an earlier run of the same conversion was killed or cancelled.
  ///
  /// The bytes are those of an uninterrupted run. When the task is cancelled, what was written so far stays beside the
  /// output.
  ///
  /// - Parameters:
  ///   - output: the model folder; written whole or not at all.
  ///   - mayReplace: whether an existing output is replaced.
  ///   - restarts: whether what an earlier run left is removed first.
  ///   - version: this program's version, for the manifest.
  ///   - resumed: called first with the number of source bytes that an earlier run converted.
  ///   - progress: called with the number of source bytes that were just converted.
  /// - Returns: the report, whose members the manifest also holds.
  package func write(
    to output: String, mayReplace: Bool, restarts: Bool = false, version: String,
    resumed: (_ bytes: Int) -> Void = { _ in },
    progress: (_ component: String, _ bytes: Int) throws -> Void
  ) throws -> JSONValue {
    let fingerprint = fingerprint(version: version)
    let names = Set(plans.map(Self.fileName) + [ConversionJournal.fileName])
    let folder = try StagedFolder(
      destination: output, mayReplace: mayReplace,
      keeping: { staging in
        let isSame = !restarts && ConversionJournal.matches(staging, fingerprint: fingerprint)
        return isSame ? names : []
      }, isReplaceable: NativeModel.isNothingElse)
    let journal = try ConversionJournal(in: folder.stagingPath, fingerprint: fingerprint)
    do {
      let report = try write(
        into: folder, journal: journal, version: version, resumed: resumed, progress: progress)
      try folder.remove(ConversionJournal.fileName)
      try folder.commit()
      return report
    } catch let error as CancellationError {
      if !journal.isEmpty { folder.keep() }
      throw error
    }
  }

  private func write(
    into folder: StagedFolder, journal: ConversionJournal, version: String, resumed: (_ bytes: Int) -> Void,
    progress: (_ component: String, _ bytes: Int) throws -> Void
  ) throws -> JSONValue {
    // The space of all components is reserved before the first byte is converted.
    var writers = try plans.map {
      try ComponentWriter($0, to: folder.stagingPath + "/" + Self.fileName($0), journal: journal)
    }
    resumed(writers.reduce(0) { $0 + $1.resumedByteCount })
    var results: [ComponentWriter.Result] = []
    for (index, plan) in plans.enumerated() {
      results.append(try writers[index].write { try progress(plan.component, $0) })
      for file in plan.source.weights.files { try file.checkUnchanged() }
    }
    for file in auxiliary { try folder.write(file.contents, to: file.path) }
    let written = results.reduce(self) { $0.replacing($1.plan) }
    let report = Manifest.report(
      written,
      outcomes: results.map { result in
        zip(result.plan.rows, result.metrics).map { Outcome(row: $0, metrics: $1) }
      },
      source: Dictionary(uniqueKeysWithValues: results.map { ($0.plan.component, .array($0.source)) }))
    let components = results.map {
      Manifest.component(
        $0.plan, file: Self.fileName($0.plan), bytes: $0.fileSize, identity: $0.identity)
    }
    let manifest = Manifest.json(written, report: report, components: components, version: version)
    try folder.write(Manifest.text(manifest), to: Manifest.fileName)
    // A model that cannot be read back is not put in place; opening maps files and costs nothing.
    let model = try NativeModel(path: folder.stagingPath)
    for name in model.componentNames { _ = try model.component(name) }
    return report
  }

  private static func fileName(_ plan: ComponentPlan) -> String { plan.component + ".benben" }

  /// Returns the SHA-256 of everything that the bytes of the model depend on, except for the contents of the source files,
  /// of which it holds what tells whether they changed.
  private func fingerprint(version: String) -> String {
    let parts = plans.map { plan -> JSONValue in
      [
        "component": .string(plan.component), "config": plan.source.config,
        "prefix": .string(plan.source.prefix),
        "files": .array(plan.source.weights.files.map { .string($0.fingerprint) }),
        "rows": .array(
          plan.rows.map { row in
            let source = row.source
            return .array([
              .string(row.name), .string(source.storedName), .string(row.type.rawValue),
              .string(row.activations.rawValue), .string(row.reason), .bool(row.isAudited),
              .string(source.shape.text), .string(source.type.rawValue), .integer(source.offset),
            ])
          }),
      ]
    }
    let report = Manifest.report(
      self, outcomes: plans.map { $0.rows.map { Outcome(row: $0, metrics: nil) } }, source: nil)
    let manifest = Manifest.json(self, report: report, components: parts, version: version)
    return Digest.sha256(Array(manifest.canonicalText.utf8))
  }
}
