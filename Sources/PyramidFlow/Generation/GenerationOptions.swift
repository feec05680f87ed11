/// The keeping of finished latents' keys and values from one latent frame to the next, which saves about a quarter of the
/// transformer's work on a clip of five seconds, and more on longer ones, and changes no result.
///
/// They are in a file without a name, which the system keeps in memory as far as there is room, and removes with the process.
public enum HistoryCaching: Sendable, Equatable {
  /// Every call computes all keys and values.
  case off
  /// What is needed is kept, as far as half of the disk's free space goes.
  case automatic
  /// At most so many bytes are kept; what saves most comes first.
  case limited(bytes: Int)

  /// The most bytes to keep; nil for no limit but the disk's.
  var budget: Int? { if case .limited(let bytes) = self { bytes } else { nil } }
}

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
  /// What is kept of finished latents during the run.
  public var historyCaching: HistoryCaching
  /// The folder on whose disk it is kept; nil for the system's temporary one, which may be memory that no limit counts
  /// (`tmpfs`): name one on a disk then.
  public var historyFolder: String?
  /// Whether every finished latent frame is decoded small at once (``GenerationEvent/previewed(_:latent:of:)``).
  public var previews: Bool

  /// Creates options, by default without files to keep, without a limit and without previews.
  public init(
    embeddings: String? = nil, latents: String? = nil, memoryLimit: Int? = nil,
    historyCaching: HistoryCaching = .automatic, historyFolder: String? = nil, previews: Bool = false
  ) {
    self.embeddings = embeddings
    self.latents = latents
    self.memoryLimit = memoryLimit
    self.historyCaching = historyCaching
    self.historyFolder = historyFolder
    self.previews = previews
  }
}
