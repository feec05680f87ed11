import Clips

/// An event of a generation.
public enum GenerationEvent: Sendable {
  /// A phase of a generation, in order.
  public enum Phase: String, CaseIterable, Sendable {
    /// Encoding the texts.
    case texts
    /// Encoding the image that the clip starts from.
    case image
    /// Sampling the latents.
    case latents
    /// Decoding the latents to frames.
    case decoding
  }

  /// A phase began.
  case began(Phase)
  /// A phase ended.
  case ended(Phase)
  /// A text is longer than an encoder reads: its end is left out after so many tokens.
  case cut(text: String, encoder: String, tokens: Int)
  /// A block of T5 ended, where nearly all of the work on texts is.
  case encoded(block: Int, of: Int)
  /// An earlier run had finished these units and calls, which are the given share of the sampling.
  case resumed(units: Int, of: Int, calls: Int, fraction: Double)
  /// A part of what a stage's history is approximated from was computed, before the given call; the given share of the
  /// sampling is done.
  case approximated(TransformerCall, of: Int, units: Int, fraction: Double)
  /// A call of the transformer ended; the given share of the sampling is done.
  case called(TransformerCall, of: Int, units: Int, fraction: Double)
  /// A finished latent frame was decoded for a look at it: one frame, small and less sharp than the clip.
  case previewed(Clip, latent: Int, of: Int)
  /// So many latent frames were decoded, those of all tiles counted.
  case decoded(latents: Int, of: Int)

  /// The phase that the event belongs to.
  public var phase: Phase {
    switch self {
    case .began(let phase), .ended(let phase): phase
    case .cut, .encoded: .texts
    case .resumed, .approximated, .called, .previewed: .latents
    case .decoded: .decoding
    }
  }

  /// The share of the phase that is done, 0 to 1.
  public var fraction: Double {
    switch self {
    case .began, .cut: 0
    case .ended: 1
    case .resumed(_, _, _, let fraction), .approximated(_, _, _, let fraction),
      .called(_, _, _, let fraction):
      fraction
    case .encoded(let part, let count), .decoded(let part, let count), .previewed(_, let part, let count):
      Double(part) / Double(max(count, 1))
    }
  }
}
