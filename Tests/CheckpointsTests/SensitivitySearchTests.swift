import Tensors
import Testing

@testable import Checkpoints

/// Three groups, each at int8, int8 with inputs in 16 bits, and f32; two calls.
struct SensitivitySearchTests {
  private static func group(_ name: String, bytes: Int, errors: [[Double]]) -> SensitivitySearch.Group {
    var group = SensitivitySearch.Group(
      name: name, tensorCount: 1,
      choices: [
        .init(type: .int8, activations: .int8), .init(type: .int8, activations: .int16),
        .init(type: .f32, activations: .float32),
      ],
      bytes: [bytes, bytes, 4 * bytes])
    group.errors = errors
    return group
  }

  private let search = SensitivitySearch([
    group("harmless", bytes: 100, errors: [[1e-6, 1e-6], [5e-7, 5e-7], [0, 0]]),
    group("inputs", bytes: 100, errors: [[1e-3, 2e-3], [1e-6, 1e-6], [0, 0]]),
    group("weights", bytes: 100, errors: [[5e-3, 1e-3], [4e-3, 1e-3], [0, 0]]),
  ])

  @Test func addsErrorsCallByCall() {
    #expect(search.predictedErrors([0, 0, 0]) == [1e-6 + 1e-3 + 5e-3, 1e-6 + 2e-3 + 1e-3])
    #expect(search.bytes([0, 1, 2]) == 600 && search.mostPrecise == [2, 2, 2])
  }

  @Test func takesTheSmallestPlanThatReachesATarget() {
    #expect(search.plan(nmse: 1) == [0, 0, 0])
    // Inputs in 16 bits cost no bytes; weights need f32.
    #expect(search.plan(nmse: 1e-5) == [0, 1, 2])
    #expect(search.plan(nmse: 0) == [2, 2, 2])
  }

  @Test func takesTheBestPlanOfASize() {
    #expect(search.plan(bytes: 300) == [1, 1, 1])
    #expect(search.plan(bytes: 600) == [1, 1, 2])
    // Even the smallest plan may be too large.
    #expect(search.bytes(search.plan(bytes: 10)) == 300)
    #expect(search.plan(bytes: 1200) == [2, 2, 2])
  }

  @Test(arguments: [(1e-3, 30.0), (1, 0), (2.5e-5, 46.02)]) func writesDecibels(
    nmse: Double, decibels: Double
  ) {
    #expect(SensitivitySearch.decibels(nmse) == decibels)
  }

  @Test func noErrorHasNoDecibels() { #expect(SensitivitySearch.decibels(0) == nil) }
}
