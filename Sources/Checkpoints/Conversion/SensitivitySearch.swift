import Foundation
import JSON
import Tensors

/// A search for a plan by measurements: the cost of each group of tensors when it alone is stored as a plan says.
///
/// Errors of groups are assumed to add up, call by call, like independent noise; the final plan is measured whole.
public struct SensitivitySearch {
  /// The requirement that a plan must meet.
  public enum Target: Sendable {
    /// The minimum SQNR of a prediction in dB, 10·log10(Σb²/Σ(a−b)²).
    case sqnrDb(Double)
    /// The maximum size of all tensors of the model, in bytes.
    case bytes(Int)
  }

  /// One way to store and use a group's tensors.
  package struct Choice: Hashable, Sendable {
    /// The type of its tensors.
    package let type: WeightType
    /// The precision to which products with the tensors round their inputs.
    package let activations: InputPrecision

    /// Creates a choice.
    package init(type: WeightType, activations: InputPrecision) {
      self.type = type
      self.activations = activations
    }
  }

  /// A group of tensors that share one choice.
  package struct Group: Sendable {
    /// The tensors' names, numbers replaced by `*`.
    package let name: String
    /// The number of tensors.
    package let tensorCount: Int
    /// The possible choices, from the cheapest to the most precise.
    package let choices: [Choice]
    /// The size of the tensors under each choice, in bytes.
    package let bytes: [Int]
    /// For each choice, the nmse of every call when all other groups are at their most precise.
    package var errors: [[Double]] = []

    /// Creates a group that has not been measured.
    package init(name: String, tensorCount: Int, choices: [Choice], bytes: [Int]) {
      self.name = name
      self.tensorCount = tensorCount
      self.choices = choices
      self.bytes = bytes
    }

    /// Returns the cost of going from one choice to a more expensive one.
    ///
    /// It is the increase in bytes, plus an eighth of the weights' bytes where the input precision changes and products
    /// become slower.
    fileprivate func cost(from old: Int, to new: Int) -> Double {
      Double(bytes[new] - bytes[old])
        + (choices[new].activations == choices[old].activations ? 0 : Double(bytes[old]) / 8)
    }
  }

  /// The measured groups.
  package let groups: [Group]

  /// Creates a search over measured groups.
  package init(_ groups: [Group]) {
    precondition(groups.allSatisfy { $0.errors.count == $0.choices.count })
    self.groups = groups
  }

  /// The most precise choice of every group.
  package var mostPrecise: [Int] { groups.map { $0.choices.count - 1 } }

  /// Returns the predicted nmse of every call under a plan, assuming that errors add up.
  package func predictedErrors(_ plan: [Int]) -> [Double] {
    let calls = groups.first?.errors.first?.count ?? 0
    return (0..<calls).map { call in zip(groups, plan).reduce(0) { $0 + $1.0.errors[$1.1][call] } }
  }

  /// Returns the size of all groups together under a plan, in bytes.
  package func bytes(_ plan: [Int]) -> Int { zip(groups, plan).reduce(0) { $0 + $1.0.bytes[$1.1] } }

  /// Returns a plan whose worst call is predicted to stay within this nmse, improved step by step from the cheapest.
  ///
  /// Where no further step helps, the search ends with the plan reached so far.
  package func plan(nmse limit: Double) -> [Int] {
    improved(from: groups.map { _ in 0 }) { plan, _ in (predictedErrors(plan).max() ?? 0) > limit }
  }

  /// Returns the plan improved step by step from the cheapest while its groups take at most this many bytes.
  ///
  /// Where even the cheapest takes more, it is returned.
  package func plan(bytes limit: Int) -> [Int] {
    improved(from: groups.map { _ in 0 }) { plan, step in
      guard let step else { return true }
      return bytes(plan) - groups[step.group].bytes[plan[step.group]] + groups[step.group].bytes[step.choice]
        <= limit
    }
  }

  private typealias Step = (group: Int, choice: Int)

  /// Improves a plan by repeatedly taking the step that gains most for its cost.
  ///
  /// - Parameter continues: returns whether to go on, when called with nil, or whether a step may be taken.
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
          // The first of equal steps wins, so that the same measurements give the same plan.
          if gain > best?.gain ?? 0, continues(plan, (index, choice)) { best = ((index, choice), gain) }
        }
      }
      guard let best else { break }
      plan[best.step.group] = best.step.choice
    }
    return plan
  }

  /// Returns the table from which a plan was chosen.
  package func json(plan: [Int]) -> JSONValue {
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

  /// Returns an nmse as a signal-to-noise ratio in dB, to a hundredth; nil when there is no error at all.
  package static func decibels(_ nmse: Double) -> Double? {
    nmse > 0 ? (-1000 * log10(nmse)).rounded() / 100 : nil
  }
}
