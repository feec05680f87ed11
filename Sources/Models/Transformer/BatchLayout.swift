import Kernels
import Tensors

/// The token sequences of a batch: which rows belong to which sample, and which keys each query sees.
struct BatchLayout {
  let textCounts: [Int]
  let imageCount: Int
  /// The number of tokens in each frame of the sequence, in order of time.
  let frameSizes: [Int]
  let rotary: [RotaryPositions]
  /// The clips from coarse to fine.
  let clips: [ClipExtents]

  /// Creates the layout of a batch whose samples have clips of the same shapes.
  init(_ batch: [TransformerSample], axes: [Int]) {
    let shapes = batch.first?.clips.map(\.shape) ?? []
    precondition(batch.allSatisfy { $0.clips.map(\.shape) == shapes })
    self.init(
      textCounts: batch.map { $0.text.shape[0] }, clips: (batch.first?.clips ?? []).map(Patches.extents),
      axes: axes)
  }

  init(textCounts: [Int], clips: [ClipExtents], axes: [Int]) {
    self.clips = clips
    self.textCounts = textCounts
    imageCount = clips.reduce(0) { $0 + $1.tokenCount }
    frameSizes = clips.flatMap { Array(repeating: $0.tokensPerFrame, count: $0.frames) }
    rotary = textCounts.map { RotaryPositions(textCount: $0, clips: clips, axes: axes) }
  }

  var samples: Range<Int> { textCounts.indices }
  var lastClipTokenCount: Int { clips.last?.tokenCount ?? 0 }
  var textRows: [Range<Int>] { Self.runs(textCounts) }
  var imageRows: [Range<Int>] { Self.runs(textCounts.map { _ in imageCount }) }
  /// The rows of each sample in the joint sequence, its text followed by its image.
  var jointRows: [Range<Int>] { Self.runs(textCounts.map { $0 + imageCount }) }

  /// The rows of each sample's text, and of its image, in the joint sequence.
  var jointTextRows: [Range<Int>] { zip(jointRows, textCounts).map { $0.lowerBound..<$0.lowerBound + $1 } }
  var jointImageRows: [Range<Int>] { zip(jointRows, textCounts).map { $0.lowerBound + $1..<$0.upperBound } }

  private static func runs(_ counts: [Int]) -> [Range<Int>] {
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
    var start = 0
    return frameSizes.enumerated().map { index, size in
      let end = start + size + (index == 0 ? textCounts[sample] : 0)
      defer { start = end }
      return AttentionBlock(queries: start..<end, keys: end)
    }
  }
}
