import Kernels
import Tensors

/// The token sequences of a batch: which rows belong to which sample, and which keys each query sees.
///
/// Where the keys and values of a prefix of every sequence are known, only the tokens behind it are rows.
struct BatchLayout {
  /// The number of text tokens that are rows, in each sample.
  let textCounts: [Int]
  /// The number of image tokens that are rows.
  let imageCount: Int
  /// The number of tokens of the known prefix, in each sample.
  let knownCounts: [Int]
  let rotary: [RotaryPositions]
  /// The clips from coarse to fine.
  let clips: [ClipExtents]
  /// The number of tokens in each frame of the whole sequence, in order of time.
  private let frameSizes: [Int]
  private let knownFrames: Int
  /// The number of text tokens of the whole sequence, in each sample.
  private let allTextCounts: [Int]
  private var queries = Queries.all

  /// The rows that are queries: nothing reads what becomes of the others.
  enum Queries {
    case all, lastClip, none
  }

  /// Creates the layout of a batch whose samples have clips of the same shapes.
  init(_ batch: [TransformerSample], axes: [Int], knownFrames: Int = 0) {
    let shapes = batch.first?.clips.map(\.shape) ?? []
    precondition(batch.allSatisfy { $0.clips.map(\.shape) == shapes })
    self.init(
      textCounts: batch.map { $0.text.shape[0] }, clips: (batch.first?.clips ?? []).map(Patches.extents),
      axes: axes, knownFrames: knownFrames)
  }

  init(textCounts: [Int], clips: [ClipExtents], axes: [Int], knownFrames: Int = 0) {
    self.clips = clips
    self.knownFrames = knownFrames
    allTextCounts = textCounts
    self.textCounts = knownFrames == 0 ? textCounts : textCounts.map { _ in 0 }
    frameSizes = clips.flatMap { Array(repeating: $0.tokensPerFrame, count: $0.frames) }
    let knownImage = frameSizes.prefix(knownFrames).reduce(0, +)
    imageCount = frameSizes.reduce(0, +) - knownImage
    let knownCounts = textCounts.map { knownFrames == 0 ? 0 : $0 + knownImage }
    self.knownCounts = knownCounts
    rotary = zip(textCounts, knownCounts).map {
      RotaryPositions(textCount: $0, clips: clips, axes: axes, skipping: $1)
    }
  }

  var samples: Range<Int> { textCounts.indices }
  var lastClipTokenCount: Int { clips.last?.tokenCount ?? 0 }
  var textRows: [Range<Int>] { Self.runs(textCounts) }
  var imageRows: [Range<Int>] { Self.runs(textCounts.map { _ in imageCount }) }
  /// The number of image tokens of the known prefix.
  var knownImageCount: Int { frameSizes.prefix(knownFrames).reduce(0, +) }
  /// The rows of each sample in the joint sequence, its text followed by its image.
  var jointRows: [Range<Int>] { Self.runs(textCounts.map { $0 + imageCount }) }

  /// The rows of each sample's text, and of its image, in the joint sequence.
  var jointTextRows: [Range<Int>] { zip(jointRows, textCounts).map { $0.lowerBound..<$0.lowerBound + $1 } }
  var jointImageRows: [Range<Int>] { zip(jointRows, textCounts).map { $0.lowerBound + $1..<$0.upperBound } }

  /// The rows of each sample's keys, those of the known prefix first.
  var keyRows: [Range<Int>] {
    Self.runs(zip(knownCounts, textCounts).map { $0 + $1 + imageCount })
  }

  /// Returns the places among the keys of rows of the joint sequence, a range for each sample.
  func keys(of rows: [Range<Int>]) -> [Range<Int>] {
    rows.indices.map { sample in
      let shift = keyRows[sample].lowerBound + knownCounts[sample] - jointRows[sample].lowerBound
      return rows[sample].lowerBound + shift..<rows[sample].upperBound + shift
    }
  }

  /// Returns the layout of a block after which only some rows are read.
  func with(_ queries: Queries) -> BatchLayout {
    var layout = self
    layout.queries = queries
    return layout
  }

  /// Whether anything reads what becomes of the rows.
  var hasQueries: Bool { queries != .none }

  /// Returns the number of a sample's queries among `rows` that include those of its last clip.
  private func queryCount(of rows: Int) -> Int {
    switch queries {
    case .all: rows
    case .lastClip: lastClipTokenCount
    case .none: 0
    }
  }

  /// The rows of each sample's queries among all queries.
  var queryRows: [Range<Int>] {
    Self.runs(textCounts.map { queryCount(of: $0 + imageCount) })
  }
  /// The rows in the joint sequence of each sample's queries, which are its last ones.
  var jointQueryRows: [Range<Int>] { Self.ends(of: jointRows, counts: queryRows.map(\.count)) }
  /// The rows of each sample's image that are queries, in the image stream and among all queries.
  var imageQueryRows: [Range<Int>] {
    Self.ends(of: imageRows, counts: imageRows.map { queryCount(of: $0.count) })
  }
  var imageQueryPlaces: [Range<Int>] { Self.ends(of: queryRows, counts: imageQueryRows.map(\.count)) }
  /// The rows of each sample's text that are queries, in the text stream and among all queries.
  var textQueryRows: [Range<Int>] {
    textRows.map { queries == .all ? $0 : $0.lowerBound..<$0.lowerBound }
  }
  var textQueryPlaces: [Range<Int>] {
    zip(queryRows, textQueryRows).map { $0.lowerBound..<$0.lowerBound + $1.count }
  }

  /// Returns the last `counts` rows of ranges.
  private static func ends(of rows: [Range<Int>], counts: [Int]) -> [Range<Int>] {
    zip(rows, counts).map { $0.upperBound - $1..<$0.upperBound }
  }

  static func runs(_ counts: [Int]) -> [Range<Int>] {
    var end = 0
    return counts.map { count in
      defer { end += count }
      return end..<end + count
    }
  }

  /// Returns the attention blocks of a sample, in which a query sees only tokens that are not later than itself.
  ///
  /// Text has time 0, like the first frame, so the tokens are sorted by time and every block of equal time sees a
  /// prefix.
  func attentionBlocks(sample: Int) -> [AttentionBlock] {
    // The queries are the last rows of the keys.
    let shift = keyRows[sample].count - queryRows[sample].count
    var start = 0
    return frameSizes.enumerated().compactMap { index, size in
      let end = start + size + (index == 0 ? allTextCounts[sample] : 0)
      defer { start = end }
      return end > shift
        ? AttentionBlock(queries: max(start - shift, 0)..<end - shift, keys: end) : nil
    }
  }
}

extension BatchLayout {
  /// Embeds the image tokens of a batch that are rows into the image stream, [rows, width].
  ///
  /// Every frame is a product of its own: sums of f32 may be in another order by the number of rows, and what is kept of a
  /// frame must not depend on which others are computed beside it.
  func embed(
    _ batch: [TransformerSample], order: Patches.Order, by embedder: Linear, into image: Tensor,
    then epilogue: [Linear.Epilogue] = [], in context: KernelContext
  ) throws {
    let tokens = Tensor.concatenated(batch.map { imageTokens(of: $0, order: order) })
    let frames = Self.runs(samples.flatMap { _ in frameSizes.dropFirst(knownFrames) })
    try embedder(
      LinearInput(tokens),
      frames.map { Linear.Segment(rows: $0, into: image.rows($0), then: epilogue) }, in: context)
  }

  /// Returns the image tokens of a sample that are rows, [tokens, 4·channels].
  private func imageTokens(of sample: TransformerSample, order: Patches.Order) -> Tensor {
    let tokens = Tensor.concatenated(sample.clips.map { Patches.tokens($0, order: order) })
    return tokens.rows(knownImageCount..<tokens.shape[0])
  }
}
