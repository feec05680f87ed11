import Tensors

/// The source positions and weights of a linearly resampled row (`F.interpolate`, corners not aligned).
enum LinearResampling {
  /// Two neighbours and the weight of the second.
  struct Tap {
    let lower: Int, upper: Int
    let weight: Float

    func blend(_ first: Float, _ second: Float) -> Float { (1 - weight) * first + weight * second }
  }

  /// Returns one tap for each of `target` values resampled from `count` values.
  static func taps(_ count: Int, to target: Int) -> [Tap] {
    let scale = Float(count) / Float(target)
    return (0..<target).map { index in
      let source = max(0, scale * (Float(index) + 0.5) - 0.5)
      let lower = min(Int(source), count - 1)
      return Tap(lower: lower, upper: min(lower + 1, count - 1), weight: source - Float(lower))
    }
  }
}
