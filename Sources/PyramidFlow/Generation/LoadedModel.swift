import Checkpoints
import Files
import Kernels
import Models

/// The parts of a native model on the thread that runs them.
///
/// Parts are opened when they are asked for; opening maps, and costs neither time nor memory to speak of.
package struct LoadedModel {
  /// The model's files.
  package let native: NativeModel
  /// The model's family.
  package let family: ModelFamily
  /// Where its kernels run.
  package let context: KernelContext

  /// Gathers a model's files and the context of the calling thread.
  package init(_ native: NativeModel, in context: KernelContext) throws {
    guard let family = ModelFamily.named(native.family) else {
      throw BenbenError(
        .malformed, "this model cannot be run", at: native.path, because: "its family is \(native.family)")
    }
    self.native = native
    self.family = family
    self.context = context
  }

  /// The text encoders with their tokenizers.
  package func textEncoders() throws -> TextEncoders {
    let t5Folder = ModelFamily.tokenizer(of: family.t5Component)
    return TextEncoders(
      clips: try family.clipComponents.map { name in
        let folder = ModelFamily.tokenizer(of: name)
        let component = try native.component(name)
        return (
          try CLIPTokenizer(folder: folder) { try native.auxiliaryFile("\(folder)/\($0)") },
          try family.clip(name, config: component.config, WeightScope(component))
        )
      },
      t5Tokenizer: try T5Tokenizer(folder: t5Folder) { try native.auxiliaryFile("\(t5Folder)/\($0)") },
      t5: try self.t5())
  }

  /// The T5 encoder.
  package func t5() throws -> T5Encoder {
    let component = try native.component(family.t5Component)
    return try T5Encoder(T5Config(json: component.config, component: component.name), WeightScope(component))
  }

  /// The transformer of a variant.
  package func transformer(variant: String) throws -> any PyramidTransformer {
    let component = try native.component(ModelFamily.transformerPrefix + variant)
    return try family.transformer(component.name, config: component.config, WeightScope(component))
  }

  /// The VAE.
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

  /// The variant that was asked for; without one the only variant, or 384p where there are several.
  package func variant(_ wanted: String?) throws -> String {
    if let chosen = wanted ?? (variants.contains("384p") ? "384p" : variants.first), variants.contains(chosen)
    {
      return chosen
    }
    throw BenbenError(
      .missing, "the model has no transformer \(wanted ?? "")", at: path,
      because: variants.isEmpty
        ? "it was converted without one" : "it has \(variants.joined(separator: ", "))")
  }
}
