/// The files that a model is assembled from.
///
/// Each is a `.safetensors` or `.bin` file, a shard index, or a folder with one of them. Its contents are recognised by
/// the names of its tensors, whatever it is called.
public struct SingleFiles: Sendable {
  /// The transformer.
  public var transformer: String?
  /// The VAE.
  public var vae: String?
  /// The T5 encoder.
  public var t5: String?
  /// The CLIP text encoders; miniFLUX has one, SD3 two.
  public var clips: [String]
  /// The folder that holds the tokenizers' folders as a release does; needed with text encoders.
  public var tokenizers: String?
  /// The variant of the transformer, which its tensors do not determine.
  public var variant: String

  /// Creates a set of files.
  public init(
    transformer: String? = nil, vae: String? = nil, t5: String? = nil, clips: [String] = [],
    tokenizers: String? = nil, variant: String = "384p"
  ) {
    self.transformer = transformer
    self.vae = vae
    self.t5 = t5
    self.clips = clips
    self.tokenizers = tokenizers
    self.variant = variant
  }
}
