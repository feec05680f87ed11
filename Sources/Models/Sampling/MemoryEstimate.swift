/// What a run needs beside the weights, which are mapped and belong to the system's file cache.
///
/// From measurement: anonymous memory of parts of full-size miniFLUX (the transformer at 640×384 with 16 latent frames, the decoder at
/// 640×384 with two; 2 threads) was met within 25 %. It grows with threads and oneDNN's kernels, so it is an estimate and no promise.
package struct MemoryEstimate {
  /// Program, kernels and tokenizers.
  package static let base = 80_000_000
  /// How many buffers of [tokens, width] a transformer call holds at a time.
  private static let transformerBuffers = 22
  /// Bytes that the VAE's decoder needs for a tile of 256 pixels at 128 channels: of the first latent frame, and of a later
  /// one, which gives eight frames.
  private static let firstTile = 1_700_000_000, laterTile = 2_000_000_000

  /// Bytes that the longest call of a transformer needs.
  package static func transformer(width: Int, _ request: GenerationRequest) -> Int {
    let tokens = request.longestLatentTokens()
    let samples = request.guidanceScale > 0 ? 2 : 1
    return transformerBuffers * samples * (tokens + T5Tokenizer.length) * width * 4
  }

  /// Bytes that decoding needs, with the clip itself: a byte for a value, and f32 for the tile that is finished.
  package static func decoder(_ config: CausalVideoVAEConfig, _ request: GenerationRequest) -> Int {
    let side = CausalVideoVAE.Tiling.saveMemory.tileSize ?? max(request.width, request.height)
    let tilePixels = min(side, request.width) * min(side, request.height)
    let tile = Double(tilePixels) / Double(side * side)
    let channels = Double(config.decoder.channels.first ?? 0) / 128
    let bytes = request.latentFrames > 1 ? laterTile : firstTile
    return Int(Double(bytes) * tile * channels)
      + request.frameCount * 3 * (request.width * request.height + 4 * tilePixels)
  }
}
