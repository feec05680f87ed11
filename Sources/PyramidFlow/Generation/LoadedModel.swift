import Checkpoints
import Files
import Kernels
import Models

/// The parts of a native model on the thread that runs them.
///
/// Parts are opened when they are requested; opening only maps files, which costs next to no time or memory.
package struct LoadedModel {
  /// The model's files.
  package let native: NativeModel
  /// The model's family.
  package let family: ModelFamily
  /// The context in which the model's kernels run.
  package let context: KernelContext

  /// Creates a model from its files and the context of the calling thread.
  package init(_ native: NativeModel, in context: KernelContext) throws {
    guard let family = ModelFamily.named(native.family) else {
      throw BenbenError(
        .malformed, "this model cannot be run", at: native.path, because: "its family is \(native.family)")
    }
    self.native = native
    self.family = family
    self.context = context
  }

  /// Opens the text encoders with their tokenizers.
  package func textEncoders() throws -> TextEncoders {
    let t5Folder = ModelFamily.tokenizer(of: family.t5Component)
    return TextEncoders(
      clips: try family.clipComponents.map { name in
        let folder = ModelFamily.tokenizer(of: name)
        let component = try native.component(name)
        return (
          try CLIPTokenizer(folder: "\(native.path)/\(folder)") {
            try native.auxiliaryFile("\(folder)/\($0)")
          },
          try family.clip(name, config: component.config, WeightScope(component))
        )
      },
      t5Tokenizer: try T5Tokenizer(folder: "\(native.path)/\(t5Folder)") {
        try native.auxiliaryFile("\(t5Folder)/\($0)")
      },
      t5: try self.t5())
  }

  /// Opens the T5 encoder.
  package func t5() throws -> T5Encoder {
    let component = try native.component(family.t5Component)
    return try T5Encoder(T5Config(json: component.config, component: component.name), WeightScope(component))
  }

  /// Opens the transformer of a variant.
  package func transformer(variant: String) throws -> any PyramidTransformer {
    let component = try native.component(ModelFamily.transformerPrefix + variant)
    return try family.transformer(component.name, config: component.config, WeightScope(component))
  }

  /// Asks for a component to be brought into memory in the background, as what follows reads it all, again and again.
  package func readAhead(_ component: String) throws { try native.component(component).readAhead("") }

  /// Opens the VAE.
  package func vae() throws -> CausalVideoVAE {
    let component = try native.component(ModelFamily.vaeComponent)
    return try CausalVideoVAE(
      CausalVideoVAEConfig(json: component.config, component: component.name), WeightScope(component))
  }
}

extension NativeModel {
  /// The variants whose transformers the model holds.
  package var variants: [String] {
    componentNames.filter { $0.hasPrefix(ModelFamily.transformerPrefix) }
      .map { String($0.dropFirst(ModelFamily.transformerPrefix.count)) }
  }

  /// Returns the requested variant, or without a request 384p if the model holds it, else its first variant.
  package func variant(_ wanted: String?) throws -> String {
    if let chosen = wanted ?? (variants.contains("384p") ? "384p" : variants.first), variants.contains(chosen)
    {
      return chosen
    }
    throw BenbenError(
      .missing, "the model has no transformer" + (wanted.map { " \($0)" } ?? ""), at: path,
      because: variants.isEmpty
        ? "it was converted without one" : "it has \(variants.joined(separator: ", "))")
  }
}
