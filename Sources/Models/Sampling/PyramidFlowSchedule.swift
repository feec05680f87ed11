import Tensors

/// The times and noise levels of pyramidal flow matching
/// (`diffusion_schedulers/scheduling_flow_matching.py`, `PyramidFlowMatchEulerDiscreteScheduler`; paper section 3.2).
package struct PyramidFlowSchedule: Sendable {
  /// The number of pyramid stages, from coarse to fine.
  package static let stageCount = 3
  /// The correlation of the noise that is added between stages.
  package static let gamma = 1.0 / 3

  /// The type in which the official code fills the tables of times, which depends on its version of NumPy.
  package enum Rounding: Sendable, CaseIterable {
    /// NumPy 1 fills them in f64.
    case numpy1
    /// NumPy 2 keeps the f32 of the bounds.
    case numpy2
  }

  private static let trainingSteps = 1000
  private static let stageRange = [0, 1.0 / 3, 2.0 / 3, 1]

  /// The noise level at the start of each stage, before the correction for the jump into it.
  private let startSigmas: [Double]
  /// The first and the last time of each stage's table.
  private let timeBounds: [(first: Double, last: Double)]

  /// Builds the tables; numbers are rounded to f32 exactly where the official code holds them in f32.
  package init(rounding: Rounding = .numpy1) {
    let steps = Self.trainingSteps
    // sigmas = (1000, 999, …, 1)/1000 and timesteps = sigmas·1000, both in f32.
    let sigmas = (0..<steps).map { Float(steps - $0) / Float(steps) }
    let times = sigmas.map { $0 * Float(steps) }
    var starts: [Double] = []
    var distances: [Double] = []
    for stage in 0..<Self.stageCount {
      let first = Int(Self.stageRange[stage] * Double(steps))
      let end = min(Int(Self.stageRange[stage + 1] * Double(steps)), steps)
      let start = Double(sigmas[first])
      starts.append(start)
      let signal = 1 - start
      let corrected = stage == 0 ? start : 1 - Self.alpha(signal: signal) * signal
      distances.append(corrected - (end < steps ? Double(sigmas[end]) : 0))
    }
    let total = distances.reduce(0, +)
    startSigmas = starts
    timeBounds = (0..<Self.stageCount).map { stage in
      let before = stage == 0 ? 0 : distances[..<stage].reduce(0, +) / total
      let after = stage == Self.stageCount - 1 ? 1 : distances[...stage].reduce(0, +) / total
      let highest = Double(times[Int(before * Double(steps))])
      let lowest = Double(times[min(Int(after * Double(steps)), steps - 1)])
      // The table has 1001 evenly spaced entries, of which the last is dropped.
      switch rounding {
      case .numpy1:
        return (highest, Self.linspace(highest, lowest, steps + 1)[steps - 1])
      case .numpy2:
        let step = (Float(lowest) - Float(highest)) / Float(steps)
        return (highest, Double(Float(steps - 1) * step + Float(highest)))
      }
    }
  }

  /// Returns the factor of the upsampled latent at a jump, from the signal that remains before it.
  private static func alpha(signal: Double) -> Double {
    1 / ((1 + 1 / gamma).squareRoot() * (1 - signal) + signal)
  }

  /// Returns `count` evenly spaced values, as NumPy computes them.
  private static func linspace(_ first: Double, _ last: Double, _ count: Int) -> [Double] {
    if count == 1 { return [first] }
    let step = (last - first) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? last : Double($0) * step + first }
  }

  /// Returns the times of a stage's steps; 1000 is pure noise.
  package func timesteps(stage: Int, count: Int) -> [Double] {
    Self.linspace(timeBounds[stage].first, timeBounds[stage].last, count)
  }

  /// Returns the noise levels before and after each of a stage's steps: one more than there are steps, the last one 0.
  package func sigmas(count: Int) -> [Double] {
    Self.linspace(1, 1 - Double(Self.trainingSteps - 1) / Double(Self.trainingSteps), count) + [0]
  }

  /// Returns the factors of a stage's starting latent, from the second stage on: alpha·upsampled + beta·block noise
  /// (paper equation 15).
  package func jump(stage: Int) -> (alpha: Float, beta: Float) {
    let signal = 1 - startSigmas[stage]
    let alpha = Self.alpha(signal: signal)
    return (Float(alpha), Float(alpha * (1 - signal) / Self.gamma.squareRoot()))
  }
}
