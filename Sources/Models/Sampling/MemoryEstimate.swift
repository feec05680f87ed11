/// An estimate of the memory that a run needs besides the weights, which are mapped and belong to the system's file
/// cache.
///
/// Memory grows with threads and oneDNN's kernels, so the estimate is not a guarantee. Measured anonymous memory of full-size
/// miniFLUX with 2 threads: calls of 2 × 1088 and of 4224 tokens in bf16 307 and 563 MB where 447 and 794 are estimated
/// (AVX2); in int8 182 MB where 280 are (AVX2); the decoder at 640×384 with sixteen latent frames
/// 2.44 GB, when looked at, where 2.48 are.
package struct MemoryEstimate {
  /// The bytes of the program, kernels and tokenizers.
  package static let base = 80_000_000
  /// The number of [tokens, width] buffers that a transformer call holds at a time: of values as wide as they are computed,
  /// or with inputs that are rounded to integers while they are computed.
  private static let wideBuffers = 22, integerBuffers = 12
  /// The bytes that the VAE's decoder needs at 128 channels: for transformed kernels and tiles, for a tile of 256 pixels of the
  /// first latent frame, and for one of later ones, two of which decode to sixteen frames.
  private static let kernels = 270_000_000, firstTile = 1_050_000_000, laterTile = 1_950_000_000

  /// Returns the bytes that a transformer's longest call needs.
  ///
  /// - Parameter multipliesIntegers: whether most weights are multiplied as integers.
  package static func transformer(
    width: Int, multipliesIntegers: Bool, _ request: GenerationRequest
  ) -> Int {
    let tokens = request.longestLatentTokens() + T5Tokenizer.length
    // The longest call whose samples are computed together, or one sample of a longer one.
    let rows =
      request.guidanceScale > 0 ? max(tokens, min(2 * tokens, 2 * PyramidSampler.tokensTogether)) : tokens
    return (multipliesIntegers ? integerBuffers : wideBuffers) * rows * width * 4
  }

  /// Returns the bytes that decoding needs, with the clip itself: one byte per value, and f32 for the finished tile.
  package static func decoder(_ config: CausalVideoVAEConfig, _ request: GenerationRequest) -> Int {
    let side = request.vaeTiling.tiling.tileSize ?? max(request.width, request.height)
    let tilePixels = min(side, request.width) * min(side, request.height)
    let tile = Double(tilePixels) / Double(256 * 256)
    let channels = Double(config.decoder.channels.first ?? 0) / 128
    let bytes = request.latentFrames > 1 ? laterTile : firstTile
    return Int((Double(kernels) * channels + Double(bytes) * tile) * channels)
      + request.frameCount * 3 * (request.width * request.height + 4 * tilePixels)
  }
}
