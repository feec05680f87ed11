import Checkpoints
import Files
import Foundation
import JSON
import Kernels
import Models
import Parity
import Tensors

/// A refinement of the transformer's plan, by the errors that groups of its tensors cause on the steps of a golden
/// trace.
struct Calibration {
  let trace: GoldenTrace
  let target: SensitivitySearch.Target
  let context: KernelContext
  /// A folder for the files of the search.
  let folder: String
  let onEvent: (CalibrationEvent) throws -> Void

  /// The number of recorded predictions that are measured.
  private static let calls = 8
  /// The largest number of plans that are tried, as the errors of groups do not quite add up.
  private static let attempts = 8

  /// The worst nmse of the most precise plan at which a trace is still of the transformer.
  ///
  /// Sources in few bits come far below it, and other weights predict no better than nothing would: 1.
  private static let worstOfOwn = 0.5

  /// A transformer that can be built with any choice of types, and what was recorded of it.
  private struct Subject {
    let plan: ComponentPlan
    /// What holds the levels, for as long as they are measured.
    let files: TemporaryFolder
    let levels: SensitivityLevels
    let calls: RecordedCalls
    let transformer: ([Int]) throws -> any PyramidTransformer
    let context: KernelContext

    /// The nmse of every call with a choice for every group.
    func errors(_ chosen: [Int]) throws -> [Double] {
      try calls.errors(PyramidSampler(try transformer(chosen), in: context))
    }
  }

  /// Returns the conversion with the smallest plan that reaches the target, and the table from which it was chosen.
  ///
  /// A trace is of one transformer: of several, that one is calibrated, and the others keep their types.
  ///
  /// - Throws: `BenbenError` when the trace is of none of them, or the target cannot be reached.
  func refine(_ conversion: Conversion) throws -> Conversion {
    guard let family = ModelFamily.named(conversion.family) else { return conversion }
    let plans = conversion.plans.filter { family.role(of: $0.component) == .transformer }
    guard let (subject, floor) = try nearest(plans, family) else {
      throw BenbenError(
        .usage, "nothing to calibrate", at: plans.first?.component ?? trace.path,
        because: plans.isEmpty ? "the conversion has no transformer" : "the plan rounds none of its tensors",
        code: plans.isEmpty ? nil : .nothingQuantized)
    }
    guard floor.allSatisfy({ $0 < Self.worstOfOwn }) else {
      throw BenbenError(
        .malformed, "the trace is of another model", at: trace.path,
        because:
          "with all of its precision, the predictions of \(subject.plan.component) have an nmse of "
          + String(format: "%.2g", floor.max() ?? 0),
        remedies: ["Give a trace that was recorded from these weights."])
    }
    if plans.count > 1 {
      try onEvent(.chose("the trace is of \(subject.plan.component); the others keep their types"))
    }
    let search = SensitivitySearch(try measured(subject, floor))
    let others = conversion.byteCount - search.bytes(search.mostPrecise.map { _ in 0 })
    let (chosen, errors) = try choose(search, otherBytes: others, measure: subject.errors)
    try onEvent(.chose(summary(search, chosen: chosen, errors: errors)))
    return conversion.replacing(
      subject.levels.plan(chosen, measured: search),
      calibration: try report(search, chosen: chosen, errors: errors, calls: subject.calls.calls.count))
  }

  /// Returns the transformer that comes nearest to the trace with all of its precision, and how near for every call; nil when
  /// no plan rounds anything.
  private func nearest(
    _ plans: [ComponentPlan], _ family: ModelFamily
  ) throws -> (Subject, floor: [Double])? {
    let request = try GenerationRequest(trace, family: family.name)
    var nearest: (Subject, floor: [Double])?
    var misfit: BenbenError?
    for plan in plans {
      let files = try TemporaryFolder(beside: "\(folder)/\(plan.component)")
      let levels = try SensitivityLevels(plan, folder: files.path)
      if levels.groups.isEmpty { continue }
      func transformer(_ chosen: [Int]) throws -> any PyramidTransformer {
        try family.transformer(
          plan.component, config: plan.source.config, WeightScope(levels.weights(chosen)))
      }
      do {
        let inputs = try transformer(levels.mostPrecise).inputs
        let calls = try RecordedCalls(trace, request: request, inputs: inputs, limit: Self.calls)
        let subject = Subject(
          plan: plan, files: files, levels: levels, calls: calls, transformer: transformer, context: context)
        let floor = try subject.errors(levels.mostPrecise)
        if let known = nearest, known.floor.max() ?? 0 <= floor.max() ?? 0 { continue }
        nearest = (subject, floor)
      } catch let error as BenbenError where error.kind == .malformed && plans.count > 1 {
        misfit = misfit ?? error
      }
    }
    if nearest == nil, let misfit { throw misfit }
    return nearest
  }

  /// Measures every group at every choice, with all other groups at their most precise.
  private func measured(_ subject: Subject, _ floor: [Double]) throws -> [SensitivitySearch.Group] {
    let mostPrecise = subject.levels.mostPrecise
    let total = mostPrecise.reduce(0, +)
    var done = 0
    return try subject.levels.groups.enumerated().map { index, group in
      var group = group
      group.errors = try group.choices.indices.map { choice in
        if choice == mostPrecise[index] { return floor.map { _ in 0 } }
        var chosen = mostPrecise
        chosen[index] = choice
        let errors = try subject.errors(chosen)
        done += 1
        try Task.checkCancellation()
        try onEvent(.measured(done, of: total))
        // Four digits, so that another order of summation does not change the plan.
        return zip(errors, floor).map { Self.rounded(max(0, $0 - $1)) }
      }
      return group
    }
  }

  /// Returns a summary of the chosen plan for people.
  private func summary(_ search: SensitivitySearch, chosen: [Int], errors: [Double]) -> String {
    let names = zip(search.groups, chosen).map { group, choice in
      let choice = group.choices[choice]
      guard choice.type == .int8 else { return choice.type.rawValue }
      return switch choice.activations {
      case .int8: "int8"
      case .int16: "int8 with inputs in 16 bits"
      case .bf16: "int8 with inputs in bf16"
      case .float32: "int8 with wide inputs"
      }
    }
    let counts = Dictionary(grouping: names, by: \.self).sorted { $0.key < $1.key }
    let decibels =
      SensitivitySearch.decibels(errors.max() ?? 0).map { "\(($0 * 10).rounded() / 10) dB" } ?? "exact"
    return "worst prediction \(decibels) with "
      + counts.map { "\($1.count) groups of tensors in \($0)" }.joined(separator: ", ")
  }

  private static func rounded(_ value: Double) -> Double {
    guard value > 0, value.isFinite else { return value }
    let scale = pow(10, 3 - log10(value).rounded(.down))
    return (value * scale).rounded() / scale
  }

  /// Chooses the plan, and measures the nmse of every call with it.
  private func choose(
    _ search: SensitivitySearch, otherBytes: Int, measure: ([Int]) throws -> [Double]
  ) throws -> (chosen: [Int], errors: [Double]) {
    switch target {
    case .bytes(let limit):
      let chosen = search.plan(bytes: limit - otherBytes)
      guard search.bytes(chosen) + otherBytes <= limit else {
        throw unreachable("the smallest plan takes \(search.bytes(chosen) + otherBytes) bytes")
      }
      return (chosen, try measure(chosen))
    case .sqnrDb(let decibels):
      let limit = pow(10, -decibels / 10)
      var asked = limit
      for _ in 0..<Self.attempts {
        let chosen = search.plan(nmse: asked)
        let errors = try measure(chosen)
        let worst = errors.max() ?? 0
        if worst <= limit { return (chosen, errors) }
        if chosen == search.mostPrecise { break }
        // The errors of groups did not quite add up: lower the requested error in proportion.
        asked *= min(0.98, limit / worst)
      }
      let best = SensitivitySearch.decibels(try measure(search.mostPrecise).max() ?? 0) ?? .infinity
      throw unreachable("the most precise plan reaches \(best) dB")
    }
  }

  private func unreachable(_ why: String) -> BenbenError {
    BenbenError(.usage, "the target cannot be reached", at: trace.path, because: why)
  }

  private func report(
    _ search: SensitivitySearch, chosen: [Int], errors: [Double], calls: Int
  ) throws -> JSONValue {
    let golden = try JSONValue(encoding: GoldenSubject(path: trace.path, trace.request))
    func decibels(_ errors: [Double]) -> JSONValue {
      SensitivitySearch.decibels(errors.max() ?? 0).map(JSONValue.number) ?? .null
    }
    let target: JSONValue =
      switch target {
      case .sqnrDb(let value): ["sqnrDb": .number(value)]
      case .bytes(let value): ["bytes": .integer(value)]
      }
    return [
      "golden": golden, "calls": .integer(calls), "target": target,
      "groups": search.json(plan: chosen), "predictedSqnrDb": decibels(search.predictedErrors(chosen)),
      "measuredSqnrDb": decibels(errors),
    ]
  }
}
