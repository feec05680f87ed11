import Kernels
import Tensors

/// The text encoders of a model: CLIP for the pooled vector, T5 for the tokens (`FluxTextEncoderWithMask`,
/// `SD3TextEncoderWithMask`).
package struct TextEncoders {
  /// The token ids of one text.
  package struct Tokens: Equatable, Sendable {
    /// The ids of each CLIP encoder.
    package let clip: [TokenizedText]
    /// T5's ids.
    package let t5: TokenizedText

    /// Creates the token ids of one text.
    package init(clip: [TokenizedText], t5: TokenizedText) {
      self.clip = clip
      self.t5 = t5
    }
  }

  private let clips: [(tokenizer: CLIPTokenizer, encoder: CLIPTextEncoder)]
  private let t5Tokenizer: T5Tokenizer
  private let t5: T5Encoder

  /// Creates text encoders from tokenizers and encoders; miniFLUX has one CLIP, SD3 has two.
  package init(
    clips: [(tokenizer: CLIPTokenizer, encoder: CLIPTextEncoder)], t5Tokenizer: T5Tokenizer, t5: T5Encoder
  ) {
    self.clips = clips
    self.t5Tokenizer = t5Tokenizer
    self.t5 = t5
  }

  /// Tokenizes a text.
  package func tokenize(_ text: String) throws -> Tokens {
    Tokens(clip: clips.map { $0.tokenizer(text) }, t5: try t5Tokenizer(text))
  }

  /// Encodes tokenized texts, each of which has ids for every CLIP encoder.
  ///
  /// - Parameter onBlock: called after every block of T5, where nearly all of the work is, with the number of those done
  ///   and of all.
  package func encode(
    _ texts: [Tokens], in context: KernelContext, onBlock: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> [TextEmbedding] {
    let pooled = try texts.map { text in
      try zip(clips, text.clip).map { clip, tokens in try clip.encoder.pooled(tokens.ids, in: context) }
    }
    let tokens = try t5(texts.map { Array($0.t5.ids[..<$0.t5.count]) }, in: context, onBlock: onBlock)
    return zip(tokens, pooled).map { tokens, pooled in
      TextEmbedding(
        tokens: tokens, pooled: Tensor([1, pooled.reduce(0) { $0 + $1.count }], pooled.flatMap(\.elements)))
    }
  }
}
