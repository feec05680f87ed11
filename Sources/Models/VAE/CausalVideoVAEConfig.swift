import JSON
import Tensors

/// The settings of the causal video VAE (`CausalVideoVAE`).
package struct CausalVideoVAEConfig: Equatable, Sendable {
  /// One half of the autoencoder.
  struct Half: Equatable, Sendable {
    /// The channels of each level, finest first.
    let channels: [Int]
    let layersPerBlock: [Int]
    /// Whether each block, in order of computation, changes the size in space and in time.
    let spatial: [Bool], temporal: [Bool]
    let normGroups: Int
    let inputChannels: Int, outputChannels: Int
  }

  let encoder: Half, decoder: Half
  /// The number of channels of a latent.
  package let latentChannels: Int

  /// The number of pixels along the side of a latent pixel, and of frames in a latent frame.
  package static let scale = 8
  static let normEpsilon: Float = 1e-6

  /// Reads `config.json`.
  package init(json: JSONValue, component: String) throws {
    let reader = ConfigReader(component: component, json: json)
    func half(_ name: String, _ direction: String) throws -> Half {
      let channels = try reader.integers("\(name)_block_out_channels", in: 1...16384, count: 1...8)
      let groups = try reader.integer("\(name)_norm_num_groups", in: 1...1024, default: 32)
      try reader.require(
        channels.allSatisfy { $0 % groups == 0 }, "\(name)_norm_num_groups", "does not divide the channels")
      _ = try reader.text("\(name)_act_fn", among: ["silu", "swish"], default: "silu")
      return Half(
        channels: channels,
        layersPerBlock: try reader.integers(
          "\(name)_layers_per_block", in: 1...64, count: channels.count...channels.count),
        spatial: try reader.booleans("\(name)_spatial_\(direction)_sample", count: channels.count),
        temporal: try reader.booleans("\(name)_temporal_\(direction)_sample", count: channels.count),
        normGroups: groups,
        inputChannels: try reader.integer("\(name)_in_channels", in: 1...1024),
        outputChannels: try reader.integer("\(name)_out_channels", in: 1...1024))
    }
    encoder = try half("encoder", "down")
    decoder = try half("decoder", "up")
    latentChannels = decoder.inputChannels
    try reader.require(
      encoder.outputChannels == latentChannels, "encoder_out_channels", "differs from decoder_in_channels")
    try reader.require(encoder.inputChannels == 3, "encoder_in_channels", "is not 3: images are RGB")
    try reader.require(decoder.outputChannels == 3, "decoder_out_channels", "is not 3: images are RGB")
    for half in [encoder, decoder] {
      try reader.require(
        half.spatial.count(where: { $0 }) == 3 && half.temporal.count(where: { $0 }) == 3, "downsample_scale",
        "is not 8 in space and time, as Pyramid Flow demands")
    }
  }
}
