/// An estimate of the memory that a run needs besides the weights, which are mapped and belong to the system's file
/// cache.
///
/// Measured anonymous memory of parts of full-size miniFLUX (the transformer at 640×384 with 16 latent frames, the
/// decoder at 640×384 with two; 2 threads) was within 25 % of the estimate. Memory grows with threads and oneDNN's
/// kernels, so the estimate is not a guarantee. In int8 a transformer's call holds less since its inputs are rounded while they
/// are computed: 273 MB at 2 × 1448 tokens (AVX2).
package struct MemoryEstimate {
  /// The bytes of the program, kernels and tokenizers.
  package static let base = 80_000_000
  /// The number of [tokens, width] buffers that a transformer call holds at a time.
  private static let transformerBuffers = 22
  /// The bytes that the VAE's decoder needs at 128 channels: for transformed kernels, for a tile of 256 pixels of the first
  /// latent frame, and for one of later ones, two of which decode to sixteen frames.
  private static let kernels = 950_000_000, firstTile = 1_050_000_000, laterTile = 1_950_000_000

  /// Returns the bytes that a transformer's longest call needs.
  package static func transformer(width: Int, _ request: GenerationRequest) -> Int {
    let tokens = request.longestLatentTokens() + T5Tokenizer.length
    // The longest call whose samples are computed together, or one sample of a longer one.
    let rows =
      request.guidanceScale > 0 ? max(tokens, min(2 * tokens, 2 * PyramidSampler.tokensTogether)) : tokens
    return transformerBuffers * rows * width * 4
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
