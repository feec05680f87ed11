/// Two adjacent output frames that a ``WinogradTransform`` computes together, or one of them.
///
/// A frame's place in its pair follows from the number of frames before it since the start of the clip, and neither frame
/// depends on what only the other one needs, so the result does not depend on how a clip is cut into pieces. The first
/// frame is the later one of its pair: of its four input frames only the last is not zero.
package struct FramePair {
  /// The indices of the output frames; nil for one that is not wanted.
  let earlier: Int?, later: Int?
  /// The index of the first of the four input frames, which is negative for frames of zeros.
  let firstInput: Int
  /// Which of the four products in time are needed.
  let times: Range<Int>
  /// Whether the second and the third of them are not zero.
  let hasMiddle: Bool

  private init(earlier: Int?, later: Int?, firstInput: Int) {
    self.earlier = earlier
    self.later = later
    self.firstInput = firstInput
    // The middle two products are sums of the second and the third frame.
    hasMiddle = firstInput + 2 >= 0
    times = (earlier != nil ? 0 : hasMiddle ? 1 : 3)..<(later != nil ? 4 : 3)
  }

  /// Returns the pairs that make up `count` output frames.
  ///
  /// - Parameters:
  ///   - earlier: the number of frames of the clip before them.
  ///   - timePadding: the number of zero frames in front of the input frames.
  static func pairs(count: Int, earlier: Int, timePadding: Int) -> [FramePair] {
    ranges(count: count, earlier: earlier).map { frames in
      let isLater = (earlier + frames.lowerBound) % 2 == 0
      return FramePair(
        earlier: isLater ? nil : frames.lowerBound, later: isLater || frames.count == 2 ? frames.last : nil,
        firstInput: frames.lowerBound - timePadding - (isLater ? 1 : 0))
    }
  }

  /// Divides `count` frames, before which a clip has `earlier` ones, into those that are computed together.
  package static func ranges(count: Int, earlier: Int) -> [Range<Int>] {
    guard count > 0 else { return [] }
    // The clip's first frame is the later one of its pair.
    return stride(from: -((earlier + 1) % 2), to: count, by: 2).map { max($0, 0)..<min($0 + 2, count) }
  }

  /// The two input frames whose sum or difference is multiplied at each of the four times: of frames d, d₀ − d₂, d₁ + d₂,
  /// d₂ − d₁ and d₁ − d₃.
  static let inputs: [(first: Int, second: Int, sign: Float)] = [
    (0, 2, -1), (1, 2, 1), (2, 1, -1), (1, 3, -1),
  ]
}
