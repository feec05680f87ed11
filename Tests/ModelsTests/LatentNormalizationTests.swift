import Tensors
import Testing

@testable import Models

struct LatentNormalizationTests {
  /// An image's latent is sampled and normalised; the decoder's input undoes the normalisation.
  @Test(arguments: [LatentNormalization.miniFLUX, .sd3])
  func theDecoderGetsWhatTheEncoderGave(normalization: LatentNormalization) {
    let shape = [16, 1, 2, 2]
    let mean = Tensor(shape, (0..<64).map { Float($0) / 10 - 3 })
    let zero = Tensor.zeros(shape)
    let latent = normalization.imageLatent(mean: mean, deviation: zero, noise: zero)
    #expect(latent.array != mean.array)
    let decoded = normalization.decoderInput([latent])
    for (value, expected) in zip(decoded.array, mean.array) { #expect(abs(value - expected) < 1e-5) }
  }

  @Test func noiseIsScaledByTheDeviation() {
    let normalization = LatentNormalization.miniFLUX
    let (zero, one) = (
      Tensor.zeros([16, 1, 1, 1]), Tensor([16, 1, 1, 1], Array(repeating: Float(1), count: 16))
    )
    let quiet = normalization.imageLatent(mean: zero, deviation: zero, noise: one)
    let noisy = normalization.imageLatent(mean: zero, deviation: one, noise: one)
    let twice = normalization.imageLatent(mean: zero, deviation: one.map { 2 * $0 }, noise: one)
    for ((a, b), c) in zip(zip(quiet.array, noisy.array), twice.array) {
      #expect(abs((c - b) - (b - a)) < 1e-5)
    }
    #expect(noisy.array != quiet.array)
  }
}
