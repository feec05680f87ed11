import Foundation
import JSON
import Tensors

/// Chooses a plan by what was measured: how much each group of tensors costs when it alone is stored as a plan says.
///
/// Errors of groups are taken to add up, call by call, as independent noise does; the finished plan is measured as a whole.
public struct SensitivitySearch {
  /// What a plan must reach.
  public enum Target: Sendable {
    /// The least 10·log10(Σb²/Σ(a−b)²) of a prediction.
    case sqnrDb(Double)
    /// The most bytes of all tensors of the model.
    case bytes(Int)
  }

  /// One way to store and use a group's tensors.
  public struct Choice: Hashable, Sendable {
    /// The type of its tensors.
    public let type: WeightType
    /// What products with them do with their inputs.
    public let activations: InputPrecision

    /// Creates a choice.
    public init(type: WeightType, activations: InputPrecision) {
      self.type = type
      self.activations = activations
    }
  }

  /// Tensors that get the same choice.
  public struct Group: Sendable {
    /// Their names, numbers replaced by `*`.
    public let name: String
    /// How many they are.
    public let tensorCount: Int
    /// What may become of them, from the cheapest to the most precise.
    public let choices: [Choice]
    /// Bytes of the tensors under each choice.
    public let bytes: [Int]
    /// For each choice, the nmse of every call when all other groups are at their most precise.
    public var errors: [[Double]] = []

    /// Creates a group that was not measured yet.
    public init(name: String, tensorCount: Int, choices: [Choice], bytes: [Int]) {
      self.name = name
      self.tensorCount = tensorCount
      self.choices = choices
      self.bytes = bytes
    }

    /// The cost of going from one choice to a dearer one: bytes, and an eighth of the weights where only the products
    /// become slower.
    fileprivate func cost(from old: Int, to new: Int) -> Double {
      Double(bytes[new] - bytes[old])
        + (choices[new].activations == choices[old].activations ? 0 : Double(bytes[old]) / 8)
    }
  }

  /// The groups, measured.
  public let groups: [Group]

  /// A search over measured groups.
  public init(_ groups: [Group]) {
    precondition(groups.allSatisfy { $0.errors.count == $0.choices.count })
    self.groups = groups
  }

  /// The most precise choice of every group.
  public var mostPrecise: [Int] { groups.map { $0.choices.count - 1 } }

  /// The nmse of every call that a plan will have, if errors add up.
  public func predictedErrors(_ plan: [Int]) -> [Double] {
    let calls = groups.first?.errors.first?.count ?? 0
    return (0..<calls).map { call in zip(groups, plan).reduce(0) { $0 + $1.0.errors[$1.1][call] } }
  }

  /// The bytes of all groups together.
  public func bytes(_ plan: [Int]) -> Int { zip(groups, plan).reduce(0) { $0 + $1.0.bytes[$1.1] } }

  /// The cheapest plan whose worst call should not be worse than this nmse, or the most precise one.
  public func plan(nmse limit: Double) -> [Int] {
    improved(from: groups.map { _ in 0 }) { plan, _ in (predictedErrors(plan).max() ?? 0) > limit }
  }

  /// The best plan whose groups take at most this many bytes; the cheapest where even that takes more.
  public func plan(bytes limit: Int) -> [Int] {
    improved(from: groups.map { _ in 0 }) { plan, step in
      guard let step else { return true }
      return bytes(plan) - groups[step.group].bytes[plan[step.group]] + groups[step.group].bytes[step.choice]
        <= limit
    }
  }

  private typealias Step = (group: Int, choice: Int)

  /// Takes the step that gains most for its cost, again and again.
  ///
  /// - Parameter continues: asked with nil whether to go on, and with a step whether it may be taken.
  private func improved(from start: [Int], while continues: (_ plan: [Int], _ step: Step?) -> Bool) -> [Int] {
    var plan = start
    while continues(plan, nil) {
      let errors = predictedErrors(plan)
      guard let worst = errors.indices.max(by: { errors[$0] < errors[$1] }) else { break }
      var best: (step: Step, gain: Double)?
      for (index, group) in groups.enumerated() {
        for choice in group.choices.indices.dropFirst(plan[index] + 1) {
          let gained = group.errors[plan[index]][worst] - group.errors[choice][worst]
          let gain = gained / max(group.cost(from: plan[index], to: choice), 1)
          // The first of equals, so that the same measurements give the same plan.
          if gain > best?.gain ?? 0, continues(plan, (index, choice)) { best = ((index, choice), gain) }
        }
      }
      guard let best else { break }
      plan[best.step.group] = best.step.choice
    }
    return plan
  }

  /// The table that a plan was chosen from.
  public func json(plan: [Int]) -> JSONValue {
    .array(
      zip(groups, plan).map { group, chosen in
        [
          "name": .string(group.name), "tensors": .integer(group.tensorCount), "chosen": .integer(chosen),
          "choices": .array(
            group.choices.indices.map { index in
              [
                "type": .string(group.choices[index].type.rawValue),
                "activations": .string(group.choices[index].activations.rawValue),
                "bytes": .integer(group.bytes[index]),
                "sqnrDb": Self.decibels(group.errors[index].max() ?? 0).map(JSONValue.number) ?? .null,
              ]
            }),
        ]
      })
  }

  /// An nmse as a signal-to-noise ratio, to a hundredth; nil for none at all.
  public static func decibels(_ nmse: Double) -> Double? {
    nmse > 0 ? (-1000 * log10(nmse)).rounded() / 100 : nil
  }
}
