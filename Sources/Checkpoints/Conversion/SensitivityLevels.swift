import Files
import JSON
import Tensors

/// One component's tensors written to files in every type that a search may choose, so that a model can be built with
/// any choice for any group.
package struct SensitivityLevels {
  /// The groups of tensors that a plan would round, not measured yet.
  package private(set) var groups: [SensitivitySearch.Group] = []
  private let plan: ComponentPlan
  private var groupOf: [String: Int] = [:]
  private var levels: [WeightType: NativeComponent] = [:]

  /// Creates the levels of a plan and writes their files into a folder.
  package init(_ plan: ComponentPlan, folder: String) throws {
    self.plan = plan
    for rows in Self.grouped(plan.rows.filter(\.isLossy)) {
      let choices = Self.choices(rows[0])
      for row in rows { groupOf[row.name] = groups.count }
      groups.append(
        SensitivitySearch.Group(
          name: Self.pattern(rows[0].name), tensorCount: rows.count, choices: choices,
          bytes: choices.map { choice in
            rows.reduce(0) { $0 + choice.type.byteCount(of: $1.source.shape) }
          }))
    }
    let types = Set(groups.flatMap { $0.choices.map(\.type) })
    for type in WeightType.allCases where types.contains(type) {
      let path = folder + "/" + type.rawValue + ".benben"
      let level = plan.retyped { row in
        guard let group = groupOf[row.name], groups[group].choices.contains(where: { $0.type == type }) else {
          return nil
        }
        return (SensitivitySearch.Choice(type: type, activations: .float32), row.reason)
      }
      levels[type] = try level.written(to: path)
    }
  }

  /// Groups the rows that share one choice: names that differ only in numbers, with queries, keys and values together.
  private static func grouped(_ rows: [ComponentPlan.Row]) -> [[ComponentPlan.Row]] {
    var order: [String] = []
    var members: [String: [ComponentPlan.Row]] = [:]
    for row in rows {
      // Rows that the audit changed, or whose stored type differs, have other choices.
      let key =
        "\(pattern(row.name)) \(row.type) \(row.activations) \(row.source.weightType?.rawValue ?? "")"
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(row)
    }
    return order.compactMap { members[$0] }
  }

  private static func pattern(_ name: String) -> String {
    name.replacing(/[0-9]+/, with: "*").replacing(/to_(q|k|v)\./, with: "to_[qkv].")
      .replacing(/add_(q|k|v)_proj/, with: "add_[qkv]_proj")
  }

  /// Returns the choices for a row, from the cheapest, which the plan already has, to the stored type.
  private static func choices(_ row: ComponentPlan.Row) -> [SensitivitySearch.Choice] {
    var choices = [SensitivitySearch.Choice(type: row.type, activations: row.activations)]
    switch row.activations {
    // 16-bit inputs are as accurate as f32 inputs, and twice as fast.
    case .int8: choices.append(.init(type: row.type, activations: .int16))
    case .bf16: choices.append(.init(type: row.type, activations: .float32))
    case .int16, .float32: break
    }
    if row.type == .int8, row.source.weightType == .f32 {
      choices.append(.init(type: .bf16, activations: .float32))
    }
    if let stored = row.source.weightType { choices.append(.init(type: stored, activations: .float32)) }
    return choices
  }

  /// The most precise choice of every group.
  package var mostPrecise: [Int] { groups.map { $0.choices.count - 1 } }

  /// Returns the component's weights under a plan, which holds the index of a choice for every group.
  package func weights(_ plan: [Int]) -> any WeightSource {
    Mixed(levels: levels) { name in groupOf[name].map { groups[$0].choices[plan[$0]] } }
  }

  /// Returns the component's plan with the chosen types.
  package func plan(_ chosen: [Int], measured search: SensitivitySearch) -> ComponentPlan {
    plan.retyped { row in
      guard let group = groupOf[row.name] else { return nil }
      let left = SensitivitySearch.decibels(search.groups[group].errors[chosen[group]].max() ?? 0)
      let reason = left.map { "calibrated: with only \(groups[group].name) so, \($0) dB are left" }
      return (groups[group].choices[chosen[group]], reason ?? "calibrated: nothing is lost")
    }
  }

  private struct Mixed: WeightSource {
    let levels: [WeightType: NativeComponent]
    let choice: (String) -> SensitivitySearch.Choice?

    func weight(_ declaration: WeightDeclaration) throws -> Weight {
      let choice = choice(declaration.name)
      // Tensors outside of all groups are the same in all files.
      guard let level = choice.map({ levels[$0.type] }) ?? levels.values.first else {
        throw malformed("the search has no weights", declaration.name, "nothing was written")
      }
      let weight = try level.weight(declaration)
      return choice.map { weight.using($0.activations) } ?? weight
    }
  }
}
