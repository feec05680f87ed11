import Files
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
  func equalsTorchBitByBit(seed: UInt64, counts: [Int], expected: String) throws {
    let noise = SeededNoise(seed: seed)
    let bytes = try counts.flatMap { try noise.initial(shape: [$0]).array }.withUnsafeBytes { [UInt8]($0) }
    #expect(Digest.sha256(bytes) == expected)
  }

  /// As above in bf16: SHA-256 of the patterns of `torch.randn(n, generator=g, dtype=torch.bfloat16)`.
  @Test(arguments: [
    (42, [16], "70494a29275bb75f06ad134612227b33e87ea6efb6f873ccb79e3f24ea154bb8"),
    (42, [5, 7, 1], "e74f20f27e94a75099fd1b85595366af94d6eadb44727188131025bbcf6700f7"),
    (0, [17], "c60a1c8b836ce1fe8eb70bdefa7c17410c20912e5ce858a34293e5c8a06305fa"),
    (7, [15, 31, 3, 3], "b719ad9c73ed0fb6205f1437bcd66256c5b9cd9a74624d551521c35c69c3bb73"),
    (3, [37, 37], "fe28070b89ac34c9baa83cc23e9890d16ddc84d4d72d1928fa9e5ed30d8f127b"),
    (42, [1_000_003], "8fb14a1666d4b2e9b46a92157f8477df239f582b7ed0110a2d7aaf9fbc6936ae"),
    (9, [983_040, 61_440], "7f14c00aa86ba4aac63374cf866a281abbfb24b0b214d2c8fc24db66cfa024e4"),
  ])
  func equalsTorchInBFloat16(seed: UInt64, counts: [Int], expected: String) throws {
    let noise = SeededNoise(seed: seed, isBFloat16: true)
    let values = try counts.flatMap { try noise.initial(shape: [$0]).array }
    let bytes = values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes { [UInt8]($0) }
    #expect(values.allSatisfy { $0.bitPattern & 0xFFFF == 0 })
    #expect(Digest.sha256(bytes) == expected)
  }

  /// The known answers of Random123 (`kat_vectors`, philox4x32 of ten rounds).
  @Test func philoxGivesItsKnownAnswers() {
    let all = UInt32.max
    #expect(
      Philox.random(SIMD4(repeating: 0), key: (0, 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox.random(SIMD4(repeating: all), key: (all, all))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.random(
        SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  /// What GPUs drew, as far as it was printed in issues of PyTorch: 79496 (any GPU), 143086 (A100 and H100, where the last
  /// elements depend on the GPU), 97097 (RTX A4000; the numbers were scaled to a mean of 5 and a variance of 5).
  @Test(arguments: [
    GPUDraw("A100", 10, 3, [-0.1029, 1.6810, -0.2708], []),
    GPUDraw("A100", 1, 9_483_264, [-0.2963, 2.6764, -0.1408], [0.1549, -0.6797, -0.1656]),
    GPUDraw("H100", 1, 9_483_264, [-0.2963, 2.6764, -0.1408], [-0.6970, -0.7780, 0.3267]),
    GPUDraw("48x1536", 14, 100_000, [2.8731, 5.2727, 2.9889], [8.2207, 6.5395, 4.2604], 5),
  ])
  func equalsWhatGPUsDrew(_ draw: GPUDraw) throws {
    let noise = SeededNoise(seed: draw.seed, device: .cuda(try #require(TorchGPU(draw.gpu))))
    let values = try noise.initial(shape: [draw.count]).array.map {
      draw.variance == 1 ? Double($0) : Double($0) * draw.variance.squareRoot() + draw.variance
    }
    // Four decimals were printed.
    for (value, expected) in zip(values.prefix(3), draw.first) { #expect(abs(value - expected) < 6e-5) }
    for (value, expected) in zip(values.suffix(3), draw.last) { #expect(abs(value - expected) < 6e-5) }
  }

  struct GPUDraw: Sendable {
    let gpu: String, seed: UInt64, count: Int
    let first: [Double], last: [Double]
    /// Also the mean, unless it is one.
    let variance: Double

    init(
      _ gpu: String, _ seed: UInt64, _ count: Int, _ first: [Double], _ last: [Double], _ variance: Double = 1
    ) {
      (self.gpu, self.seed, self.count, self.first, self.last) = (gpu, seed, count, first, last)
      self.variance = variance
    }
  }

  /// A second draw goes on with the next turn, and block noise is the CPU's from its very start.
  @Test func drawsOnTwoDevices() throws {
    let noise = SeededNoise(seed: 10, device: .cuda(try #require(TorchGPU("t4"))))
    let first = try noise.initial(shape: [3]).array
    #expect(try noise.posterior(shape: [3]).array != first)
    let shape = [2, 1, 4, 4]
    #expect(
      noise.block(unit: 0, stage: 1, shape: shape).array
        == SeededNoise(seed: 10).block(unit: 0, stage: 1, shape: shape).array)
  }

  /// SHA-256 of n samples of four values of the recorder's `SingularNormal`, the numbers below them from `torch.randn(4)`.
  @Test(arguments: [
    (5, 64, "dcf5a72a7d965a8e97145b33d4ad3b73139684650c0ba971de85391ddd0ff663"),
    (42, 20_000, "9493499d47988c3af25e7c9480104f71c96c22012793c2d18a3decc842956c0f"),
  ])
  func blockNoiseEqualsTheRecorders(seed: UInt64, count: Int, expected: String) {
    // One block is [1, 1, 2, 2], so that a plane is a sample.
    let noise = SeededNoise(seed: seed).block(unit: 0, stage: 1, shape: [count, 1, 2, 2])
    let bytes = noise.array.withUnsafeBytes { [UInt8]($0) }
    #expect(Digest.sha256(bytes) == expected)
  }

  /// PyTorch adds a mean of zero to what it drew.
  @Test func drawsNoNegativeZero() {
    var values = [Float](repeating: 0, count: 8) + (0..<8).map { Float($0) / 8 }
    values.withUnsafeMutableBufferPointer { BoxMuller.transform($0, at: 0) }
    #expect(values.allSatisfy { $0 == 0 && $0.sign == .plus })
  }

  @Test(arguments: ["", "x", "A101", "108xfoox2048", "108", "108x", "0x2048", "108x2048x1", "108x-2048"])
  func refusesUnknownGPUs(name: String) {
    #expect(TorchGPU(name) == nil)
  }

  private static func expectClose(_ a: some Sequence<Float>, _ b: [Float]) {
    for (value, expected) in zip(a, b) { #expect(abs(value - expected) < 2e-6, "\(value) \(expected)") }
  }

  @Test func drawsRunsOfSixteenAsTorch() throws {
    // torch.manual_seed(42); torch.randn(1, 2, 1, 4, 5)
    let values = try SeededNoise(seed: 42).initial(shape: [2, 1, 4, 5]).array
    Self.expectClose(values.prefix(6), [1.926915, 1.487284, 0.9007172, -2.1055210, 0.6784184, -1.2345449])
    Self.expectClose(values.suffix(6), [0.0499054, 2.2667179, 1.1789509, -0.4344544, -1.3863655, -1.2862155])
  }

  @Test(arguments: [TorchDevice.cpu, TorchGPU("t4").map(TorchDevice.cuda) ?? .cpu])
  func drawingEndsWithItsTask(device: TorchDevice) async {
    let drawing = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try SeededNoise(seed: 1, device: device).initial(shape: [1 << 22]).count
    }
    await #expect(throws: CancellationError.self) { _ = try await drawing.value }
  }

  @Test func drawsFewValuesOneByOne() throws {
    // torch.manual_seed(42); torch.randn(5)
    Self.expectClose(
      try SeededNoise(seed: 42).initial(shape: [5]).array,
      [0.3366904, 0.1288094, 0.2344624, 0.2303330, -1.1228564])
  }

  @Test func goesOnWhereItStopped() throws {
    // torch.manual_seed(3); torch.randn(37); torch.randn(37)
    let noise = SeededNoise(seed: 3)
    Self.expectClose(try noise.initial(shape: [37]).array.prefix(3), [-0.0766443, 0.3598815, -0.7820168])
    Self.expectClose(try noise.initial(shape: [37]).array.suffix(2), [-0.3281605, 1.6216359])
  }

  @Test func blocksHaveTheOfficialCovariance() {
    let gamma = 1.0 / 3
    for row in 0..<4 {
      for column in 0..<4 {
        let value = zip(SeededNoise.blockFactor[row], SeededNoise.blockFactor[column]).reduce(0) {
          $0 + $1.0 * $1.1
        }
        // The official covariance is in f32, of which the last pivot feels twelve times the rounding.
        #expect(abs(value - (row == column ? 1 : -gamma)) < 1.2e-7)
      }
    }
    let noise = SeededNoise(seed: 1).block(unit: 0, stage: 1, shape: [2, 1, 4, 4])
    for start in [0, 2, 8, 10] {
      let sum = [0, 1, 4, 5].reduce(Float(0)) { $0 + noise.elements[start + $1] }
      #expect(abs(sum) < 1e-5)
    }
  }
}
