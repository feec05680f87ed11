import Checkpoints
import Kernels
import Models
import Tensors

/// A native model with its parts ready to run.
///
/// Parts are opened when they are asked for; opening maps, and costs neither time nor memory to speak of.
struct LoadedModel {
  let native: NativeModel
  let context: KernelContext

  init(path: String, threads: Int?) throws {
    native = try NativeModel(path: path)
    guard ModelFamily.named(native.family) != nil else {
      throw BenbenError(
        .malformed, "this model cannot be run", at: path, because: "its family is \(native.family)")
    }
    context = try KernelContext(threads: threads)
  }

  func textEncoders() throws -> TextEncoders {
    let clip = try native.component("text_encoder")
    let t5 = try native.component("text_encoder_2")
    return TextEncoders(
      clipTokenizer: try CLIPTokenizer(folder: "tokenizer") { try native.carriedFile("tokenizer/" + $0) },
      t5Tokenizer: try T5Tokenizer(folder: "tokenizer_2") { try native.carriedFile("tokenizer_2/" + $0) },
      clip: try CLIPTextEncoder(CLIPTextConfig(json: clip.config, component: clip.name), WeightScope(clip)),
      t5: try T5Encoder(T5Config(json: t5.config, component: t5.name), WeightScope(t5)))
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

  func transformer(variant: String) throws -> PyramidFluxTransformer {
    let component = try native.component(ModelFamily.transformerPrefix + variant)
    return try PyramidFluxTransformer(
      PyramidFluxConfig(json: component.config, component: component.name), WeightScope(component))
  }

  func vae() throws -> CausalVideoVAE {
    let component = try native.component("causal_video_vae")
    return try CausalVideoVAE(
      CausalVideoVAEConfig(json: component.config, component: component.name), WeightScope(component))
  }
}
