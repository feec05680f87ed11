import Crypto
import Foundation
import Tensors
import Testing

@testable import Models

/// Against numbers that PyTorch 2.13 drew on an x86-64 CPU with AVX-512.
struct NoiseTests {
  /// SHA-256 of the bytes of `torch.randn(n, generator=g)` for each n in turn, `g = torch.Generator().manual_seed(seed)`.
  ///
  /// Below 16 elements they are drawn one by one, and the second of a pair is kept for the next such draw; what is left
  /// over of 16 is drawn anew.
  @Test(arguments: [
    (42, [16], "fc34b516db1204ac5504e9a714274f1068e6342fdddd0b2cde67221932271d34"),
    (42, [5, 7, 1], "409d6ea4c83775b0eec505922ffa705f470e17f684204245d15c470bd22f6718"),
    (0, [17], "6d2169852e19b6d18ed57d5a11b37c14723e147e06b2b3868a4e6d8a30017923"),
    (7, [15, 31, 3, 3], "73bc919b30f4ce8606bb229df6e895da40f286d4562467430220d611cb5a7f20"),
    (3, [37, 37], "c41e72abbd19c2e64f869c9a8ec4352623ef86acdee274aab128e86aa15a4e3c"),
    (42, [1_000_003], "4085738930147ae4776e55a12e44b11fdba68b8177133b5cb4a009527b48baf6"),
    ((1 << 40) + 5, [16, 48, 3], "c0b5c6e33885ece5ae766d29034c8f3d4f588474d100607558d3b03ea4fa66ff"),
  ])
  func equalsTorchBitByBit(seed: UInt64, counts: [Int], expected: String) {
    let noise = SeededNoise(seed: seed)
    let bytes = counts.flatMap { noise.initial(shape: [$0]).array }.withUnsafeBytes { Data($0) }
    #expect(SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined() == expected)
  }

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
