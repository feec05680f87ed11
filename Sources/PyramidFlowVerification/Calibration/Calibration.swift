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

  /// Returns the conversion with the smallest plan that reaches the target, and the table from which it was chosen.
  ///
  /// - Throws: `BenbenError` when the target cannot be reached.
  func refine(_ conversion: Conversion) throws -> Conversion {
    guard let family = ModelFamily.named(conversion.family),
      let plan = conversion.plans.first(where: { family.role(of: $0.component) == .transformer })
    else {
      throw BenbenError(
        .usage, "nothing to calibrate", at: trace.path, because: "the conversion has no transformer")
    }
    let request = try GenerationRequest(trace, family: conversion.family)
    let levels = try SensitivityLevels(plan, folder: folder)
    guard !levels.groups.isEmpty else {
      throw BenbenError(
        .usage, "nothing to calibrate", at: plan.component, because: "the plan rounds none of its tensors",
        code: .nothingQuantized)
    }
    func transformer(_ chosen: [Int]) throws -> any PyramidTransformer {
      try family.transformer(
        plan.component, config: plan.source.config, WeightScope(levels.weights(chosen)))
    }
    let mostPrecise = levels.groups.map { $0.choices.count - 1 }
    let calls = try RecordedCalls(
      trace, request: request, inputs: try transformer(mostPrecise).inputs, limit: Self.calls)
    func measure(_ chosen: [Int]) throws -> [Double] {
      let transformer = try transformer(chosen)
      return try calls.errors(PyramidSampler(transformer, in: context))
    }
    let search = SensitivitySearch(try measured(levels.groups, measure: measure))
    let others = conversion.byteCount - search.bytes(search.mostPrecise.map { _ in 0 })
    let (chosen, errors) = try choose(search, otherBytes: others, measure: measure)
    try onEvent(.chose(summary(search, chosen: chosen, errors: errors)))
    return conversion.replacing(
      levels.plan(chosen, measured: search),
      calibration: try report(search, chosen: chosen, errors: errors, calls: calls.calls.count))
  }

  /// Measures every group at every choice, with all other groups at their most precise.
  private func measured(
    _ groups: [SensitivitySearch.Group], measure: ([Int]) throws -> [Double]
  ) throws -> [SensitivitySearch.Group] {
    let mostPrecise = groups.map { $0.choices.count - 1 }
    let floor = try measure(mostPrecise)
    let total = mostPrecise.reduce(0, +)
    var done = 0
    return try groups.enumerated().map { index, group in
      var group = group
      group.errors = try group.choices.indices.map { choice in
        if choice == mostPrecise[index] { return floor.map { _ in 0 } }
        var chosen = mostPrecise
        chosen[index] = choice
        let errors = try measure(chosen)
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
