import Tensors
import Testing

@testable import Models

/// Against numbers that PyTorch 2.13 printed on a CPU; the last bits of its vectorised functions may differ.
struct NoiseTests {
  private static func expectClose(_ a: some Sequence<Float>, _ b: [Float]) {
    for (value, expected) in zip(a, b) { #expect(abs(value - expected) < 2e-6, "\(value) \(expected)") }
  }

  @Test func drawsRunsOfSixteenAsTorch() {
    // torch.manual_seed(42); torch.randn(1, 2, 1, 4, 5)
    let values = SeededNoise(seed: 42).initial(shape: [2, 1, 4, 5]).array
    Self.expectClose(values.prefix(6), [1.926915, 1.487284, 0.9007172, -2.1055210, 0.6784184, -1.2345449])
    Self.expectClose(values.suffix(6), [0.0499054, 2.2667179, 1.1789509, -0.4344544, -1.3863655, -1.2862155])
  }

  @Test func drawsFewValuesOneByOne() {
    // torch.manual_seed(42); torch.randn(5)
    Self.expectClose(
      SeededNoise(seed: 42).initial(shape: [5]).array,
      [0.3366904, 0.1288094, 0.2344624, 0.2303330, -1.1228564])
  }

  @Test func goesOnWhereItStopped() {
    // torch.manual_seed(3); torch.randn(37); torch.randn(37)
    let noise = SeededNoise(seed: 3)
    Self.expectClose(noise.initial(shape: [37]).array.prefix(3), [-0.0766443, 0.3598815, -0.7820168])
    Self.expectClose(noise.initial(shape: [37]).array.suffix(2), [-0.3281605, 1.6216359])
  }

  @Test func blocksHaveTheOfficialCovariance() {
    let gamma = 1.0 / 3
    for row in 0..<4 {
      for column in 0..<4 {
        let value = zip(SeededNoise.blockFactor[row], SeededNoise.blockFactor[column]).reduce(0) {
          $0 + $1.0 * $1.1
        }
        #expect(abs(value - (row == column ? 1 : -gamma)) < 1e-12)
      }
    }
    let noise = SeededNoise(seed: 1).block(unit: 0, stage: 1, shape: [2, 1, 4, 4])
    for start in [0, 2, 8, 10] {
      let sum = [0, 1, 4, 5].reduce(Float(0)) { $0 + noise.elements[start + $1] }
      #expect(abs(sum) < 1e-5)
    }
  }
}
