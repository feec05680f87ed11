import Checkpoints
import Kernels
import Models
import Parity
import Tensors

/// A native model with its parts ready to run.
///
/// Parts are opened when they are asked for; opening maps, and costs neither time nor memory to speak of.
struct LoadedModel {
  let native: NativeModel
  let family: ModelFamily
  let context: KernelContext

  init(path: String, threads: Int?) throws {
    native = try NativeModel(path: path)
    guard let family = ModelFamily.named(native.family) else {
      throw BenbenError(
        .malformed, "this model cannot be run", at: path, because: "its family is \(native.family)")
    }
    self.family = family
    context = try KernelContext(threads: threads)
  }

  func textEncoders() throws -> TextEncoders {
    let t5Folder = ModelFamily.tokenizer(of: family.t5Component)
    return TextEncoders(
      clips: try family.clipComponents.map { name in
        let folder = ModelFamily.tokenizer(of: name)
        let component = try native.component(name)
        return (
          try CLIPTokenizer(folder: folder) { try native.carriedFile("\(folder)/\($0)") },
          try family.clip(name, config: component.config, WeightScope(component))
        )
      },
      t5Tokenizer: try T5Tokenizer(folder: t5Folder) { try native.carriedFile("\(t5Folder)/\($0)") },
      t5: try self.t5())
  }

  func t5() throws -> T5Encoder {
    let component = try native.component(family.t5Component)
    return try T5Encoder(T5Config(json: component.config, component: component.name), WeightScope(component))
  }

  /// The variants whose transformers the model holds.
  var variants: [String] {
    native.componentNames.filter { $0.hasPrefix(ModelFamily.transformerPrefix) }
      .map { String($0.dropFirst(ModelFamily.transformerPrefix.count)) }
  }

  /// The only variant, or 384p where there are several; or the one that was asked for.
  func variant(_ wanted: String?) throws -> String {
    if let chosen = wanted ?? (variants.contains("384p") ? "384p" : variants.first), variants.contains(chosen)
    {
      return chosen
    }
    throw BenbenError(
      .missing, "the model has no transformer \(wanted ?? "")", at: native.path,
      because: variants.isEmpty
        ? "it was converted without one" : "it has \(variants.joined(separator: ", "))")
  }

  func transformer(variant: String) throws -> any PyramidTransformer {
    let component = try native.component(ModelFamily.transformerPrefix + variant)
    return try family.transformer(component.name, config: component.config, WeightScope(component))
  }

  func vae() throws -> CausalVideoVAE {
    let component = try native.component(ModelFamily.vaeComponent)
    return try CausalVideoVAE(
      CausalVideoVAEConfig(json: component.config, component: component.name), WeightScope(component))
  }

  /// What its verification must reach by default.
  var thresholds: Thresholds {
    .defaults(
      coarsestLossyType: native.coarsestLossyType, computesInBFloat16: native.computesInBFloat16)
  }
}
