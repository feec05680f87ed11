import Checkpoints
import Files
import JSON
import Models
import Tensors

/// Intermediate results that a run keeps for a later one: the embeddings of its texts, and the finished latent frames.
package struct ResumeState {
  /// The file that keeps embeddings, if any.
  let embeddings: String?
  /// The file that keeps latents, if any.
  let latents: String?
  /// The identifier of the run's noise (``Noise/identity``).
  let noise: String
  let model: NativeModel
  let variant: String
  let family: ModelFamily

  /// Returns the embeddings kept by an earlier run of the same text encoders and texts, if there are any.
  func embeddings(of texts: [String]) throws -> [TextEmbedding]? {
    guard let embeddings,
      let kept = try TensorArchive.read(embeddings, origin: origin(of: texts))
    else { return nil }
    return try texts.indices.map { index in
      guard let tokens = kept["\(index).tokens"], let pooled = kept["\(index).pooled"],
        tokens.shape.count == 2, pooled.shape.count == 2, pooled.shape[0] == 1,
        1...T5Tokenizer.length ~= tokens.shape[0]
      else { throw damaged(embeddings, "it lacks the embeddings of a text") }
      return TextEmbedding(tokens: tokens, pooled: pooled)
    }
  }

  /// Stores the embeddings of the texts for a later run.
  func keep(_ results: [TextEmbedding], of texts: [String]) throws {
    guard let embeddings else { return }
    let tensors = results.enumerated().flatMap { index, text in
      [("\(index).tokens", text.tokens), ("\(index).pooled", text.pooled)]
    }
    try TensorArchive.write(tensors, origin: origin(of: texts), to: embeddings)
  }

  /// Returns the finished latent frames of an earlier run of the same request; empty when there was no such run.
  func latents(of request: GenerationRequest, image: Tensor?, shape: Shape) throws
    -> [Tensor]
  {
    guard let latents, let kept = try TensorArchive.read(latents, origin: origin(of: request))
    else { return [] }
    guard kept["image"]?.array == image?.array else {
      throw damaged(latents, "it was begun from another image")
    }
    let finished = (0..<request.units.count).prefix { kept["\($0)"] != nil }.compactMap { kept["\($0)"] }
    guard finished.count == kept.count - (image == nil ? 0 : 1), finished.allSatisfy({ $0.shape == shape })
    else {
      throw damaged(latents, "it does not hold the latent frames of such a run")
    }
    return finished
  }

  /// Stores the finished latent frames for a later run.
  func keep(
    _ finished: [Tensor], of request: GenerationRequest, image: Tensor?
  ) throws {
    guard let latents else { return }
    let tensors = finished.enumerated().map { ("\($0)", $1) } + (image.map { [("image", $0)] } ?? [])
    try TensorArchive.write(
      tensors, origin: origin(of: request), to: latents, mayReplace: true)
  }

  private func damaged(_ path: String, _ why: String) -> BenbenError {
    BenbenError(
      .malformed, "the kept results cannot be used", at: path, because: why,
      remedies: ["Remove the file, or name another one."])
  }

  private func origin(of texts: [String]) -> String {
    let encoders = family.clipComponents + [family.t5Component]
    let parts = (model.manifest["components"]?.array ?? []).filter {
      $0["name"]?.string.map(encoders.contains) ?? false
    }
    let members: JSONValue = [
      "components": .array(parts), "files": model.manifest["files"] ?? .null,
      "texts": .array(texts.map(JSONValue.string)),
    ]
    return members.canonicalText
  }

  private func origin(of request: GenerationRequest) -> String {
    let members: JSONValue = [
      "components": model.manifest["components"] ?? .null, "files": model.manifest["files"] ?? .null,
      "noise": .string(noise),
      "request": .string(String(describing: request)), "variant": .string(variant),
    ]
    return members.canonicalText
  }
}
