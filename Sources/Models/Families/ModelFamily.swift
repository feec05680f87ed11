import Files
import JSON
import Tensors

/// A family of released models: which components make it up, and which weights each declares.
package struct ModelFamily: Equatable, Sendable {
  /// The role of a component, whatever its name.
  package enum Role: String, Sendable, CaseIterable {
    /// The pyramid transformer.
    case transformer
    /// The causal video VAE.
    case vae
    /// A CLIP text encoder.
    case clip
    /// The T5 text encoder.
    case t5
  }

  /// An architecture of pyramid transformers.
  package enum Architecture: Sendable {
    /// miniFLUX: joint blocks, then single blocks, rotary positions.
    case flux
    /// SD3: joint blocks, a position table.
    case mmdit

    /// The class that a transformer's config names.
    package var className: String {
      switch self {
      case .flux: PyramidFluxConfig.className
      case .mmdit: PyramidMMDiTConfig.className
      }
    }
  }

  /// The name in traces and manifests.
  package let name: String
  /// The official repository.
  package let repository: String
  /// The folders of the CLIP text encoders, in the order in which their pooled vectors are concatenated.
  package let clipComponents: [String]
  /// The folder of the T5 text encoder.
  package let t5Component: String
  /// Whether CLIP's pooled vectors go through its projection.
  package let projectsPooled: Bool
  /// The architecture of its transformers.
  package let architecture: Architecture
  /// The constants that bring latents to unit scale.
  package let latentNormalization: LatentNormalization

  /// The prefix of transformer folders; the variant follows it (`384p`, `768p`, `image`).
  package static let transformerPrefix = "diffusion_transformer_"
  /// The folder of the VAE.
  package static let vaeComponent = "causal_video_vae"

  /// The miniFLUX family (`rain1011/pyramid-flow-miniflux`).
  package static let miniFLUX = ModelFamily(
    name: "miniflux", repository: "rain1011/pyramid-flow-miniflux", clipComponents: ["text_encoder"],
    t5Component: "text_encoder_2", projectsPooled: false, architecture: .flux,
    latentNormalization: .miniFLUX)

  /// The SD3 family (`rain1011/pyramid-flow-sd3`).
  package static let sd3 = ModelFamily(
    name: "sd3", repository: "rain1011/pyramid-flow-sd3", clipComponents: ["text_encoder", "text_encoder_2"],
    t5Component: "text_encoder_3", projectsPooled: true, architecture: .mmdit,
    latentNormalization: .sd3)

  /// All families.
  package static let all = [miniFLUX, sd3]

  /// Returns the family of that name, or nil when there is none.
  package static func named(_ name: String) -> ModelFamily? { all.first { $0.name == name } }

  /// The folders of the text encoders and of the VAE, without the transformers.
  package var sharedComponents: [String] { clipComponents + [t5Component, Self.vaeComponent] }

  /// Returns the folder of a text encoder's tokenizer.
  package static func tokenizer(of textEncoder: String) -> String {
    "tokenizer" + textEncoder.dropFirst("text_encoder".count)
  }

  /// The folders of the tokenizers, with the files that each holds.
  package var tokenizers: [(folder: String, files: [TokenizerFile])] {
    clipComponents.map { (Self.tokenizer(of: $0), CLIPTokenizer.files) }
      + [(Self.tokenizer(of: t5Component), T5Tokenizer.files)]
  }

  /// Throws when a tokenizer cannot be read from its files, or has ids for which its text encoder has no embedding.
  ///
  /// - Parameters:
  ///   - folder: the tokenizer's folder.
  ///   - config: the text encoder's config; nil where it is not known.
  ///   - file: returns the content of a file of the folder, or nil when it is not there.
  package func requireTokenizer(
    _ folder: String, config: JSONValue? = nil, file: (String) throws -> [UInt8]?
  ) throws {
    let fast = TokenizerFile.fast
    if let content = try file(fast.rawValue) {
      guard fast.matches(content) else {
        throw tokenizerFault("\(folder)/\(fast.rawValue)", "it is cut short, or something else")
      }
      if folder == Self.tokenizer(of: t5Component), let model = try file(TokenizerFile.sentencePiece.rawValue)
      {
        try T5Tokenizer.requirePieces(of: model, in: content, folder: folder)
      }
    }
    let size =
      folder == Self.tokenizer(of: t5Component)
      ? try T5Tokenizer(folder: folder, file: file).vocabularySize
      : try CLIPTokenizer(folder: folder, file: file).vocabularySize
    guard let rows = config?["vocab_size"]?.integer, size > rows else { return }
    throw BenbenError(
      .malformed, "a tokenizer and its text encoder do not fit together", at: folder,
      because: "it has \(size) ids, the encoder embeddings for \(rows)",
      remedies: ["Take both from one release."])
  }

  /// Returns the role of the component of that name, or nil when the family has no such component.
  package func role(of component: String) -> Role? {
    if clipComponents.contains(component) { return .clip }
    if component == t5Component { return .t5 }
    if component == Self.vaeComponent { return .vae }
    return component.hasPrefix(Self.transformerPrefix) ? .transformer : nil
  }

  /// Returns the weights that a component's model requests when it is built from this config.
  ///
  /// - Throws: ``BenbenError`` when the config is malformed or the component does not belong to this family.
  package func declarations(of component: String, config: JSONValue) throws -> [WeightDeclaration] {
    let recorder = WeightRecorder()
    let scope = WeightScope(recorder)
    switch role(of: component) {
    case .clip: _ = try clip(component, config: config, scope)
    case .t5: _ = try T5Encoder(T5Config(json: config, component: component), scope)
    case .vae: _ = try CausalVideoVAE(CausalVideoVAEConfig(json: config, component: component), scope)
    case .transformer: _ = try transformer(component, config: config, scope)
    case nil:
      throw BenbenError(
        .malformed, "not a component of \(name)", at: component,
        because: "it has \(sharedComponents.joined(separator: ", ")) and \(Self.transformerPrefix)*")
    }
    return recorder.declarations
  }

  /// Builds a CLIP text encoder of this family.
  package func clip(_ component: String, config: JSONValue, _ scope: WeightScope) throws -> CLIPTextEncoder {
    try CLIPTextEncoder(
      CLIPTextConfig(json: config, component: component, projectsPooled: projectsPooled), scope)
  }

  /// Returns the width of a transformer's residual stream.
  package func transformerWidth(_ component: String, config: JSONValue) throws -> Int {
    switch architecture {
    case .flux: try PyramidFluxConfig(json: config, component: component).attention.width
    case .mmdit: try PyramidMMDiTConfig(json: config, component: component).attention.width
    }
  }

  /// Returns the inputs that a transformer expects.
  func transformerInputs(_ component: String, config: JSONValue) throws -> TransformerInputs {
    switch architecture {
    case .flux: try PyramidFluxConfig(json: config, component: component).inputs
    case .mmdit: try PyramidMMDiTConfig(json: config, component: component).inputs
    }
  }

  /// Builds a transformer of this family.
  package func transformer(
    _ component: String, config: JSONValue, _ scope: WeightScope
  ) throws -> any PyramidTransformer {
    switch architecture {
    case .flux: try PyramidFluxTransformer(PyramidFluxConfig(json: config, component: component), scope)
    case .mmdit: try PyramidMMDiT(PyramidMMDiTConfig(json: config, component: component), scope)
    }
  }
}
