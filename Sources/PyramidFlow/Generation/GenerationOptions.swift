/// What a generation keeps and what it may take.
public struct GenerationOptions: Sendable {
  /// A safetensors file that keeps the embeddings of the texts; they are taken from it when it exists.
  public var embeddings: String?
  /// A file that keeps every finished latent frame, from which an interrupted run of the same request goes on.
  ///
  /// The caller removes it when the clip is safe.
  public var latents: String?
  /// The most memory that a run may need, mapped weights included, in bytes; nil for what the machine has.
  public var memoryLimit: Int?

  /// Nothing kept, no limit.
  public init(embeddings: String? = nil, latents: String? = nil, memoryLimit: Int? = nil) {
    self.embeddings = embeddings
    self.latents = latents
    self.memoryLimit = memoryLimit
  }
}
