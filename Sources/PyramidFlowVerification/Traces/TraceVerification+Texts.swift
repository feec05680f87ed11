import Files
import Models
import Parity
import Tensors

extension TraceVerification {
  /// Compares ids, and the embeddings of the golden's own ids, so that a wrong token is reported only once.
  mutating func verifyTexts() throws {
    guard try trace.text(.prompt) != nil || trace.text(.negative) != nil else { return }
    let encoders = try parts.textEncoders()
    for text in TracePath.Text.allCases {
      guard let string = try trace.text(text) else { continue }
      let tokens = try encoders.tokenize(string)
      let mask = (0..<tokens.t5.ids.count).map { $0 < tokens.t5.count ? 1 : 0 }
      let clips = [TracePath.Tokens.clip, .clip2].prefix(tokens.clip.count)
      for (name, ids) in zip(clips, tokens.clip).map({ ($0, $1.ids) })
        + [(.t5, tokens.t5.ids), (.t5Mask, mask)]
      {
        if let golden = try trace.tokens(text, name) { try compare(.tokens(text, name), ids, golden) }
      }
      let clipIDs = try clips.compactMap { try trace.tokens(text, $0) }
      guard clipIDs.count == tokens.clip.count, let golden = try trace.embedding(text),
        let t5 = try trace.tokens(text, .t5)
      else { continue }
      let forced = TextEncoders.Tokens(
        clip: clipIDs.map { TokenizedText(ids: $0, count: $0.count) },
        t5: TokenizedText(ids: t5, count: golden.tokens.shape[0]))
      let embedding = try encoders.encode([forced], in: parts.context)[0]
      try compare(
        .textEmbedding(text), embedding.tokens, golden.tokens,
        note: "\(t5.count - golden.tokens.shape[0]) padded positions are left out")
      try compare(.pooledText(text), embedding.pooled, golden.pooled)
    }
  }

  /// Compares ids, which must be equal whatever the thresholds.
  private mutating func compare(_ path: TracePath, _ ids: [Int], _ golden: [Int]) throws {
    guard ids.count == golden.count else {
      throw BenbenError(
        .malformed, "the trace is of another model or run", at: trace.place(of: path),
        because: "it has \(golden.count) ids, the tokenizer gives \(ids.count)")
    }
    try add(
      TensorComparison(
        path, mode: .teacherForced,
        metrics: ErrorMetrics(ids.map(Float.init), reference: golden.map(Float.init)), threshold: 0))
  }
}
