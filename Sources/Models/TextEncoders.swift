import Kernels
import Tensors

/// The text side of miniFLUX: CLIP-L for the pooled vector, T5 for the tokens (`FluxTextEncoderWithMask`).
public struct TextEncoders {
  /// The ids of one text.
  public struct Tokens: Equatable, Sendable {
    /// CLIP's ids and T5's.
    public let clip: TokenizedText, t5: TokenizedText

    /// Gathers ids.
    public init(clip: TokenizedText, t5: TokenizedText) {
      self.clip = clip
      self.t5 = t5
    }
  }

  private let clipTokenizer: CLIPTokenizer
  private let t5Tokenizer: T5Tokenizer
  private let clip: CLIPTextEncoder
  private let t5: T5Encoder

  /// Gathers tokenizers and encoders.
  public init(clipTokenizer: CLIPTokenizer, t5Tokenizer: T5Tokenizer, clip: CLIPTextEncoder, t5: T5Encoder) {
    self.clipTokenizer = clipTokenizer
    self.t5Tokenizer = t5Tokenizer
    self.clip = clip
    self.t5 = t5
  }

  /// Tokenizes a text.
  public func tokenize(_ text: String) throws -> Tokens {
    Tokens(clip: clipTokenizer(text), t5: try t5Tokenizer(text))
  }

  /// Encodes a text that was tokenized.
  public func encode(_ tokens: Tokens, in context: KernelContext) throws -> TextEmbedding {
    TextEmbedding(
      tokens: try t5(Array(tokens.t5.ids[..<tokens.t5.count]), in: context),
      pooled: try clip.pooled(tokens.clip.ids, in: context))
  }
}
