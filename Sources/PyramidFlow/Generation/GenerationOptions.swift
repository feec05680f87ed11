/// The files that a generation keeps, and its memory limit.
public struct GenerationOptions: Sendable {
  /// A safetensors file that keeps the embeddings of the texts; they are read from it when it exists.
  public var embeddings: String?
  /// A file that keeps every finished latent frame, from which an interrupted run of the same request goes on.
  ///
  /// The caller removes it when the clip is safe.
  public var latents: String?
  /// The largest amount of memory that a run may need, in bytes, mapped weights included; nil for no limit but the
  /// machine's memory.
  public var memoryLimit: Int?

  /// Creates options, by default without files to keep and without a limit.
  public init(embeddings: String? = nil, latents: String? = nil, memoryLimit: Int? = nil) {
    self.embeddings = embeddings
    self.latents = latents
    self.memoryLimit = memoryLimit
  }
}
