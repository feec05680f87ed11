import Clips
import Models
import Parity
import PyramidFlow
import Tensors

extension TraceVerification {
  /// Compares the first image of an image-to-video run, and the distribution of its latent.
  mutating func verifyEncoding() throws {
    let shape = [3, 1, request.height, request.width]
    guard let input = try trace.tensor(.encoderInput, shape: [1] + shape) else { return }
    if let image = try trace.startImage() {
      try compare(.encoderInput, CausalVideoVAE.channelsFirst(image.encoderInput), input)
    }
    let frame = CausalVideoVAE.channelsLast(input.reshaped(shape))
    let isTiled = try trace.tiling()?.tileSize != nil
    let (mean, deviation) = try parts.vae().encode(frame, isTiled: isTiled, in: parts.context)
    for (path, values) in [(TracePath.latentMean, mean), (.latentDeviation, deviation)] {
      if let golden = try trace.tensor(path) { try compare(path, values, golden) }
    }
  }

  /// Compares the decoder's input, made from the golden's latents, and the clip decoded from the golden's input.
  mutating func verifyDecoding() throws {
    guard let tiling = try trace.tiling() else { return }
    let vae = try parts.vae()
    let channels = vae.config.latentChannels
    let finest = PyramidFlowSchedule.stageCount - 1
    let frame = request.latentShape(stage: finest, channels: channels)
    let shape = [channels, request.latentFrames, frame[2], frame[3]]
    guard let golden = try trace.tensor(.decoderInput, shape: [1] + shape) else { return }
    if trace.request.mode != "vae" {
      let image = request.startsFromImage ? try recordedImageLatent(channels: channels) : nil
      let latents =
        try (image.map { [$0] } ?? [])
        + request.units.compactMap {
          try trace.tensor(.latent(unit: $0.index, stage: finest), shape: [1] + frame)?.reshaped(frame)
        }
      if latents.count == request.latentFrames {
        try compare(.decoderInput, parts.family.latentNormalization.decoderInput(latents), golden)
      }
    }
    let decoded = Tensor(CausalVideoVAE.decodedShape(shape))
    let clip = try Pipeline(parts, variant: "").decode(golden.reshaped(shape), with: vae, tiling: tiling) {
      if case .decoded(let region) = $0 { decoded.place(region) }
    } onEvent: {
      try onEvent(.generation($0, request))
    }
    try compare(decoded, clip, mode: .teacherForced)
  }

  /// Compares a free run from the recorded request and noise.
  mutating func verifyFreeRun() throws {
    guard trace.request.mode != "vae" else { return }
    let image = try trace.startImage()
    guard image != nil || !request.startsFromImage else { return }
    var latents: [(path: TracePath, latent: Tensor)] = []
    var decoded = Tensor([0])
    let clip = try Pipeline(parts, variant: try parts.native.variant(options.variant)).run(
      request, image: image, noise: RecordedNoise(trace: trace), tiling: try trace.tiling() ?? .official
    ) {
      switch $0 {
      case .latent(let unit, let stage, let latent):
        latents.append((.latent(unit: unit, stage: stage), latent))
      case .decoderInput(let input):
        latents.append((.decoderInput, input))
        decoded = Tensor(CausalVideoVAE.decodedShape(input.shape))
      case .decoded(let region): decoded.place(region)
      }
    } onEvent: {
      try onEvent(.generation($0, request))
    }
    for (path, latent) in latents {
      if let golden = try trace.tensor(path) { try compare(path, latent, golden, mode: .freeRunning) }
    }
    try compare(decoded, clip, mode: .freeRunning)
  }
}
