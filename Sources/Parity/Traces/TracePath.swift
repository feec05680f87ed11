/// The place of a dataset in a golden trace.
///
/// The layout of `golden.h5` is described in the manual, "Golden traces"; its paths are spelled here and nowhere else.
public enum TracePath: Hashable, Sendable, CustomStringConvertible {
  /// The two texts of a run.
  public enum Text: String, CaseIterable, Sendable {
    /// The negative prompt.
    case negative
    /// The prompt.
    case prompt
  }

  /// The ids, or the mask, of a tokenized text.
  public enum Tokens: String, CaseIterable, Sendable {
    /// The ids of the first, or only, CLIP tokenizer.
    case clip = "clip_ids"
    /// The ids of SD3's second CLIP tokenizer.
    case clip2 = "clip2_ids"
    /// The ids of the T5 tokenizer.
    case t5 = "t5_ids"
    /// The mask of T5's ids: 1 for ids, 0 for padding.
    case t5Mask = "t5_mask"
  }

  /// One step of a stage of a unit.
  public struct Step: Hashable, Sendable {
    /// The unit (latent frame), stage and step, from 0.
    public let unit: Int, stage: Int, step: Int

    /// Creates a step.
    public init(unit: Int, stage: Int, step: Int) {
      self.unit = unit
      self.stage = stage
      self.step = step
    }

    var group: String { "dit/unit\(unit)/stage\(stage)/step\(step)" }
  }

  /// The ids of a text, [1, tokens].
  case tokens(Text, Tokens)
  /// T5's embeddings of a text, [1, tokens, width].
  case textEmbedding(Text)
  /// The pooled CLIP vector of a text, [1, width].
  case pooledText(Text)
  /// The timesteps of a stage, [steps].
  case timesteps(unit: Int, stage: Int)
  /// The noise levels of a stage, [steps + 1].
  case sigmas(unit: Int, stage: Int)
  /// The timestep of a call, [texts].
  case timestep(Step)
  /// An input of a call, [texts, channels, frames, height, width]: earlier latents, then the noisy one.
  case input(Step, Int)
  /// The prediction of a call, of the noisy latent's shape.
  case prediction(Step)
  /// The latent at the end of a stage, [1, channels, 1, height, width].
  case latent(unit: Int, stage: Int)
  /// The noise of the whole clip, [1, channels, T, height, width].
  case initialNoise
  /// The noise that a stage starts with, [1, channels, 1, height, width].
  case blockNoise(unit: Int, stage: Int)
  /// The encoder's input image, [1, 3, 1, height, width].
  case encoderInput
  /// The mean of an image's latent, [1, channels, 1, height, width].
  case latentMean
  /// The standard deviation of an image's latent, [1, channels, 1, height, width].
  case latentDeviation
  /// The noise with which an image's latent was sampled, [1, channels, 1, height, width].
  case posteriorNoise
  /// The decoder's input latent, [1, channels, T, height, width].
  case decoderInput
  /// The decoded clip in −1…1, [1, 3, frames, height, width].
  case decoderOutput
  /// The clip in bytes, [frames, height, width, 3].
  case frames
  /// The image that a run started from, in bytes, [height, width, 3].
  case image
  /// An output of one of the transformer's modules in one call.
  case activation(call: Int, module: String, output: Int)

  /// The path in the file.
  public var description: String {
    switch self {
    case .tokens(let text, let tokens): "text/\(text.rawValue)/\(tokens.rawValue)"
    case .textEmbedding(let text): "text/\(text.rawValue)/t5_embeds"
    case .pooledText(let text): "text/\(text.rawValue)/pooled"
    case .timesteps(let unit, let stage): "scheduler/unit\(unit)/stage\(stage)/timesteps"
    case .sigmas(let unit, let stage): "scheduler/unit\(unit)/stage\(stage)/sigmas"
    case .timestep(let step): "\(step.group)/timestep"
    case .input(let step, let index): "\(step.group)/input\(index)"
    case .prediction(let step): "\(step.group)/prediction"
    case .latent(let unit, let stage): "latents/unit\(unit)/stage\(stage)"
    case .initialNoise: "noise/initial"
    case .blockNoise(let unit, let stage): "noise/block/unit\(unit)/stage\(stage)"
    case .encoderInput: "vae/encode/input"
    case .latentMean: "vae/encode/mean"
    case .latentDeviation: "vae/encode/std"
    case .posteriorNoise: "vae/encode/noise"
    case .decoderInput: "vae/input"
    case .decoderOutput: "vae/output"
    case .frames: "frames"
    case .image: "image"
    case .activation(let call, let module, let output):
      "\(Self.activations(call: call))/\(module)/\(output)"
    }
  }

  /// Whether the dataset belongs to the text encoders, which have a threshold of their own.
  public var isText: Bool {
    switch self {
    case .tokens, .textEmbedding, .pooledText: true
    default: false
    }
  }

  /// Whether the dataset is a latent, or a prediction of its change.
  public var isLatent: Bool {
    switch self {
    case .prediction, .latent, .decoderInput, .latentMean: true
    default: false
    }
  }

  /// Returns the group with the attributes of a text.
  static func group(_ text: Text) -> String { "text/\(text.rawValue)" }

  /// The group with the attributes of decoding.
  static let vaeGroup = "vae"

  /// Returns the group of a call's activations.
  static func activations(call: Int) -> String { "activations/call\(call)" }

  /// Returns a path without the numbers of units, stages, steps and calls, by which reports group.
  package static func kind(of path: String) -> String {
    let parts = path.split(separator: "/").map(String.init)
    let last = parts.last ?? ""
    switch parts.first {
    case "dit":
      let digits = last.reversed().prefix { $0.isASCII && $0.isNumber }.count
      return "dit/" + last.dropLast(digits)
    case "text": return "text/" + last
    case "scheduler": return "scheduler/" + last
    case "activations": return "activations"
    case "latents": return "latents"
    default: return path
    }
  }
}
