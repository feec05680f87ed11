import Kernels
import Tensors

/// The causal video VAE (`video_vae/modeling_causal_vae.py`, commit 3040d71, `CausalVideoVAE`).
///
/// Latents are [16, frames, height, width]; decoded clips are [frames, 8·height, 8·width, 3] in about −1…1.
package struct CausalVideoVAE {
  /// The settings.
  package let config: CausalVideoVAEConfig
  private let encoder: Encoder
  private let decoder: Decoder
  private let quantization: CausalConvolution, postQuantization: CausalConvolution

  /// The division of frames into overlapping tiles.
  ///
  /// The official code also divides a clip in time; as the decoder only looks back, that changes nothing.
  package struct Tiling: Equatable, Sendable {
    /// The side of a tile in pixels; nil decodes whole frames.
    package let tileSize: Int?

    /// Creates a tiling.
    package init(tileSize: Int?) { self.tileSize = tileSize }

    /// Tiling as the official demos switch it on.
    package static let official = Tiling(tileSize: 256)
  }

  /// Builds the VAE from its weights.
  package init(_ config: CausalVideoVAEConfig, _ scope: WeightScope) throws {
    self.config = config
    encoder = try Encoder(config.encoder, scope.scope("encoder"))
    decoder = try Decoder(config.decoder, scope.scope("decoder"))
    let latent = config.latentChannels
    quantization = try CausalConvolution("quant_conv", 2 * latent, 2 * latent, kernel: 1, scope)
    postQuantization = try CausalConvolution("post_quant_conv", latent, latent, kernel: 1, scope)
  }

  private struct Encoder {
    private let input: CausalConvolution
    private let levels: [DownBlock]
    private let middle: CausalMidBlock
    private let end: VAEHead

    init(_ half: CausalVideoVAEConfig.Half, _ scope: WeightScope) throws {
      let (channels, groups) = (half.channels, half.normGroups)
      let (finest, coarsest) = (channels[0], channels[channels.count - 1])
      input = try CausalConvolution("conv_in", half.inputChannels, finest, scope)
      levels = try channels.indices.map { level in
        try DownBlock(
          channels[max(level - 1, 0)], channels[level], layers: half.layersPerBlock[level],
          spatial: half.spatial[level], temporal: half.temporal[level], groups: groups,
          scope.scope("down_blocks.\(level)"))
      }
      middle = try CausalMidBlock(coarsest, groups: groups, scope.scope("mid_block"))
      end = VAEHead(
        norm: try scope.norm("conv_norm_out", coarsest),
        convolution: try CausalConvolution("conv_out", coarsest, 2 * half.outputChannels, scope),
        groups: groups)
    }

    func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
      var x = try input(x, cache: cache, in: context)
      for level in levels { x = try level(x, cache: cache, in: context) }
      x = try middle(x, cache: cache, in: context)
      return try end(x, cache: cache, in: context)
    }
  }

  private struct Decoder {
    /// The largest number of values that a stage takes at once.
    ///
    /// Larger inputs pass through in runs of frames, two at least, so that memory does not grow with the length of a
    /// chunk. The cached frames make the result the same.
    private static let maximumValues = 1 << 22

    private let input: CausalConvolution
    private let stages: [any CausalStage]

    init(_ half: CausalVideoVAEConfig.Half, _ scope: WeightScope) throws {
      let (channels, groups) = (Array(half.channels.reversed()), half.normGroups)
      let (coarsest, finest) = (channels[0], channels[channels.count - 1])
      input = try CausalConvolution("conv_in", half.inputChannels, coarsest, scope)
      let levels = try channels.indices.map { level in
        try upStages(
          channels[max(level - 1, 0)], channels[level], layers: half.layersPerBlock[level],
          spatial: half.spatial[level], temporal: half.temporal[level], groups: groups,
          scope.scope("up_blocks.\(level)"))
      }
      let middle = try CausalMidBlock(coarsest, groups: groups, scope.scope("mid_block"))
      let end = VAEHead(
        norm: try scope.norm("conv_norm_out", finest),
        convolution: try CausalConvolution("conv_out", finest, half.outputChannels, scope), groups: groups)
      stages = [middle] + levels.joined() + [end]
    }

    /// Returns the decoded frames in pieces, in order.
    func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> [Tensor] {
      try run(stages[...], input(x, cache: cache, in: context), cache: cache, in: context)
    }

    private func run(
      _ stages: ArraySlice<any CausalStage>, _ x: Tensor, cache: TemporalCache, in context: KernelContext
    ) throws -> [Tensor] {
      guard let stage = stages.first else { return [x] }
      let frames = x.shape[0]
      // Convolutions compute frames two by two, the first of a clip aside: what is left over comes first.
      let framesAtOnce = max(1, Self.maximumValues * frames / max(x.count, 1) / 2) * 2
      if frames > framesAtOnce {
        var pieces: [Tensor] = []
        var end = (frames - 1) % framesAtOnce + 1
        for start in [0] + Swift.stride(from: end, to: frames, by: framesAtOnce) {
          pieces += try run(stages, x.rows(start..<end), cache: cache, in: context)
          end += framesAtOnce
        }
        return pieces
      }
      return try run(stages.dropFirst(), stage(x, cache: cache, in: context), cache: cache, in: context)
    }
  }

  /// Returns the mean and the standard deviation of an image's latent, [16, 1, height/8, width/8] each.
  ///
  /// - Parameters:
  ///   - image: [1, height, width, 3] in −1…1, with sides that are multiples of 8.
  ///   - isTiled: whether an image larger than 256 pixels is encoded in overlapping tiles of that side
  ///     (`tiled_encode`), as with tiling switched on.
  package func encode(
    _ image: Tensor, isTiled: Bool, in context: KernelContext
  ) throws -> (mean: Tensor, deviation: Tensor) {
    let (height, width, scale) = (image.shape[1], image.shape[2], CausalVideoVAEConfig.scale)
    let size = Self.encodedTileSize
    let encoded: Tensor  // [1, h, w, 32]
    if isTiled, height > size || width > size {
      let step = size * 3 / 4
      encoded = Tensor([1, height / scale, width / scale, 2 * config.latentChannels])
      var mosaic = TileBlender(step: step / scale, blend: size / scale / 4)
      for y in stride(from: 0, to: height, by: step) {
        for x in stride(from: 0, to: width, by: step) {
          let tile = image.cropped(y..<min(y + size, height), x..<min(x + size, width))
          encoded.place(mosaic.add(try moments(tile, in: context), isFirstInRow: x == 0))
        }
      }
    } else {
      encoded = try moments(image, in: context)
    }
    let moments = Self.channelsFirst(encoded)
    let mean = moments.rows(0..<config.latentChannels)
    let logVariance = moments.rows(config.latentChannels..<2 * config.latentChannels)
    return (mean.copy(), logVariance.map { Float.deviation(logVariance: $0) })
  }

  /// The side of the tiles in which images are encoded, in pixels.
  private static let encodedTileSize = 256

  private func moments(_ image: Tensor, in context: KernelContext) throws -> Tensor {
    let cache = TemporalCache()
    return try quantization(encoder(image, cache: cache, in: context), cache: cache, in: context)
  }

  /// Returns the shape of a decoded clip, [1 + 8·(T − 1), 8·height, 8·width, 3].
  ///
  /// - Parameter latent: the latent's shape, [16, T, height, width].
  package static func decodedShape(_ latent: Shape) -> Shape {
    let scale = CausalVideoVAEConfig.scale
    return [1 + scale * (latent[1] - 1), scale * latent[2], scale * latent[3], 3]
  }

  /// Returns the latent pixels of a frame that decoding passes over, those where tiles overlap more than once.
  package static func decodedArea(height: Int, width: Int, tiling: Tiling) -> Int {
    let size = tiling.tileSize.map { $0 / CausalVideoVAEConfig.scale } ?? max(height, width)
    func length(_ side: Int) -> Int {
      stride(from: 0, to: side, by: size * 3 / 4).reduce(0) { $0 + min(size, side - $1) }
    }
    return height > size || width > size ? length(height) * length(width) : height * width
  }

  /// Decodes a latent, whose normalisation is undone already, to frames of ``decodedShape(_:)``.
  package func decode(_ latent: Tensor, tiling: Tiling, in context: KernelContext) throws -> Tensor {
    let result = Tensor(Self.decodedShape(latent.shape))
    try decode(latent, tiling: tiling, in: context) { result.place($0) }
    return result
  }

  /// Decodes a latent, whose normalisation is undone already, region by region: a whole clip in f32 may need more
  /// memory than all of decoding.
  ///
  /// - Parameters:
  ///   - progress: called after some latent frames of a tile with the number of those done and their total number, of all
  ///     tiles together.
  ///   - onPart: receives the regions of the clip, which together cover it exactly once.
  package func decode(
    _ latent: Tensor, tiling: Tiling, in context: KernelContext,
    progress: (Int, Int) throws -> Void = { _, _ in }, onPart: (ClipRegion) throws -> Void
  ) throws {
    let frames = Self.channelsLast(latent)
    let (height, width) = (frames.shape[1], frames.shape[2])
    let scale = CausalVideoVAEConfig.scale
    guard let size = tiling.tileSize.map({ $0 / scale }), height > size || width > size else {
      let decoded = try decode(frames, in: context) { try progress($0, frames.shape[0]) }
      return try onPart(ClipRegion(values: decoded, top: 0, left: 0))
    }
    // Tiles overlap by a quarter of their side.
    let step = size * 3 / 4
    let rows = Array(stride(from: 0, to: height, by: step))
    let columns = Array(stride(from: 0, to: width, by: step))
    var mosaic = TileBlender(step: scale * step, blend: scale * size / 4)
    var done = 0
    for y in rows {
      for x in columns {
        let tile = frames.cropped(y..<min(y + size, height), x..<min(x + size, width))
        let decoded = try decode(tile, in: context) {
          try progress(done + $0, rows.count * columns.count * frames.shape[0])
        }
        done += frames.shape[0]
        try onPart(mosaic.add(decoded, isFirstInRow: x == 0))
      }
    }
  }

  /// Decodes the first latent frame by itself and the others two by two, as convolutions compute them.
  private func decode(
    _ frames: Tensor, in context: KernelContext, progress: (_ latents: Int) throws -> Void
  ) throws -> Tensor {
    let cache = TemporalCache()
    let decoded = Tensor(Self.decodedShape([config.latentChannels] + frames.shape.dropLast()))
    var done = 0
    for latents in FramePair.ranges(count: frames.shape[0], earlier: 0) {
      let input = try postQuantization(frames.rows(latents), cache: cache, in: context)
      for piece in try decoder(input, cache: cache, in: context) {
        _ = decoded.rows(done..<done + piece.shape[0]).elements.update(fromContentsOf: piece.elements)
        done += piece.shape[0]
      }
      try progress(latents.upperBound)
    }
    return decoded
  }

  /// Converts [channels, frames, height, width] to [frames, height, width, channels].
  package static func channelsLast(_ x: Tensor) -> Tensor {
    transposed(x, rows: x.shape[0], columns: x.count / x.shape[0], shape: x.shape.dropFirst() + [x.shape[0]])
  }

  /// Converts [frames, height, width, channels] to [channels, frames, height, width].
  package static func channelsFirst(_ x: Tensor) -> Tensor {
    transposed(x, rows: x.count / x.shape[3], columns: x.shape[3], shape: [x.shape[3]] + x.shape.dropLast())
  }

  private static func transposed(_ x: Tensor, rows: Int, columns: Int, shape: Shape) -> Tensor {
    let result = Tensor(shape)
    for row in 0..<rows {
      for column in 0..<columns { result.elements[column * rows + row] = x.elements[row * columns + column] }
    }
    return result
  }
}

extension Tensor {
  /// Returns a copy of a region of every frame of [frames, height, width, channels].
  func cropped(_ rows: Range<Int>, _ columns: Range<Int>) -> Tensor {
    let result = Tensor([shape[0], rows.count, columns.count, shape[3]])
    ClipRegion(values: result, top: rows.lowerBound, left: columns.lowerBound).forEachLine(of: shape) {
      _ = result.elements[$0].update(fromContentsOf: elements[$1])
    }
    return result
  }

  /// Copies a region into [frames, height, width, channels].
  package func place(_ part: ClipRegion) {
    part.forEachLine(of: shape) { _ = elements[$1].update(fromContentsOf: part.values.elements[$0]) }
  }
}
