import Checkpoints
import Files
import Tensors

extension Pipeline.Value {
  /// Throws when something was computed that is no number: what follows would be black, after hours of work.
  func requireFinite(in model: NativeModel) throws {
    let (tensor, what) =
      switch self {
      case .latent(let unit, let stage, let latent): (latent, "latent \(unit + 1), stage \(stage + 1)")
      case .decoderInput(let latents): (latents, "the decoder's input")
      case .decoded(let region): (region.values, "a part of the decoded clip")
      }
    try tensor.requireFinite(what, in: model)
  }
}

extension Tensor {
  /// Throws when a tensor that a run computed, such as "the decoder's input", holds what is no number.
  func requireFinite(_ what: String, in model: NativeModel) throws {
    guard !FloatConversion.isFinite(UnsafeRawBufferPointer(elements), .f32) else { return }
    throw BenbenError(
      .malformed, "the clip would be black", at: model.path,
      because: "\(what) holds NaN or infinity: weights are damaged, or values left the range of their type",
      remedies: ["Check the model's hashes; if they are right, convert it again with a wider type."])
  }
}
