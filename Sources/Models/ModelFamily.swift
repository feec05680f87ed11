import JSON
import Tensors

/// A family of released models: which components make it up, and which weights each declares.
public struct ModelFamily: Equatable, Sendable {
  /// The name in traces and manifests.
  public let name: String
  /// The folders of the text encoders and of the VAE, without the transformers.
  public let sharedComponents: [String]
  /// The folders of the tokenizers with the files that are used of each.
  public let tokenizers: [String: [String]]
  /// The class that a transformer's config names.
  public let transformerClass: String

  /// Folders of transformers start so; the rest is the variant (`384p`, `768p`, `image`).
  public static let transformerPrefix = "diffusion_transformer_"

  /// miniFLUX (`rain1011/pyramid-flow-miniflux`).
  public static let miniFLUX = ModelFamily(
    name: "miniflux", sharedComponents: ["text_encoder", "text_encoder_2", "causal_video_vae"],
    tokenizers: ["tokenizer": CLIPTokenizer.fileNames, "tokenizer_2": T5Tokenizer.fileNames],
    transformerClass: "PyramidFluxTransformer")

  /// The family of that name.
  public static func named(_ name: String) -> ModelFamily? { name == miniFLUX.name ? miniFLUX : nil }

  /// What the models themselves ask for when they are built from this config.
  ///
  /// - Throws: ``BenbenError`` when the config is malformed or the component is none of this family.
  public func declarations(of component: String, config: JSONValue) throws -> [WeightDeclaration] {
    let recorder = WeightRecorder()
    let scope = WeightScope(recorder)
    switch component {
    case "text_encoder": _ = try CLIPTextEncoder(CLIPTextConfig(json: config, component: component), scope)
    case "text_encoder_2": _ = try T5Encoder(T5Config(json: config, component: component), scope)
    case "causal_video_vae":
      _ = try CausalVideoVAE(CausalVideoVAEConfig(json: config, component: component), scope)
    case _ where component.hasPrefix(Self.transformerPrefix):
      _ = try PyramidFluxTransformer(PyramidFluxConfig(json: config, component: component), scope)
    default:
      throw BenbenError(
        .malformed, "not a component of \(name)", at: component,
        because: "it has \(sharedComponents.joined(separator: ", ")) and \(Self.transformerPrefix)*")
    }
    return recorder.declarations
  }
}
