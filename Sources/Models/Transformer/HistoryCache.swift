import Files
import Kernels
import Tensors

/// The keys and values of finished latents, kept from one latent frame to the next.
///
/// Neither text nor history sees the noisy latent, and all video units have the same timesteps. So for the same stage, step
/// and text, the keys and values of the text and of all latents that are at the coarsest size in two consecutive units are
/// the same numbers in both, in every layer; only what comes after them is computed. They are kept after the norm and the
/// rotation, in the type in which attention reads them, in a file that the system keeps in memory as far as there is room.
package final class HistoryCache {
  /// The prefix of one call's sequence that is known, and the longer one that the next unit will know.
  package final class Call: CallHistory {
    fileprivate let cache: HistoryCache
    /// The latent frames whose keys and values are known, together with the text's; 0 when nothing is.
    package let knownFrames: Int
    /// The latent frames that are kept for the next unit.
    let keptFrames: Int
    fileprivate let place: Int
    fileprivate let capacities: [Int]
    fileprivate let textCounts: [Int]
    private let frames: Int
    fileprivate let frameTokens: Int
    /// Whether everything that the next unit is to know was written.
    fileprivate var isWritten = true

    fileprivate init(
      _ cache: HistoryCache, knownFrames: Int, keptFrames: Int, place: Int, frames: Int, frameTokens: Int
    ) {
      self.cache = cache
      self.knownFrames = knownFrames
      self.keptFrames = keptFrames
      self.place = place
      self.frames = frames
      self.frameTokens = frameTokens
      textCounts = cache.textCounts
      capacities = cache.textCounts.map { $0 + frames * frameTokens }
    }

    package func load(layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
      try cache.load(self, layer: layer, sample: sample, key: key, value: value)
    }

    /// Keeps what the next unit knows; where that fails, it computes it.
    package func store(layer: Int, sample: Int, key: Tensor, value: Tensor) {
      cache.store(self, layer: layer, sample: sample, key: key, value: value)
    }

    /// Returns the tokens of a sample's prefix.
    fileprivate func tokens(_ frames: Int, sample: Int) -> Int {
      frames == 0 ? 0 : textCounts[sample] + frames * frameTokens
    }

    /// The offset of a sample's keys in a layer, and of its values behind them.
    fileprivate func offset(layer: Int, sample: Int) -> Int {
      let before = layer * capacities.reduce(0, +) + capacities[..<sample].reduce(0, +)
      return place + 2 * before * cache.shape.rowSize
    }
  }

  /// What is kept of a stage's step.
  private struct Entry {
    let place: Int
    var frames = 0
  }

  private struct Key: Hashable {
    let stage: Int
    let timestep: Double
  }

  private let file: ScratchFile
  fileprivate let shape: HistoryShape
  fileprivate let textCounts: [Int]
  /// The most bytes that are kept.
  private let budget: Int
  private var entries: [Key: Entry] = [:]
  private var end = 0
  /// The longest prefix, in frames, that any unit of the stage knows.
  private let longest: [Int: Int]
  private let lastUnit: Int

  /// Creates an empty cache for one run.
  ///
  /// - Parameters:
  ///   - calls: the calls of the run.
  ///   - textCounts: the number of text tokens in each sample.
  ///   - folder: a folder on the disk to use; nil for the system's temporary one.
  ///   - budget: the most bytes to keep; nil for what is needed, as far as half of the free space goes.
  ///   - reserved: the bytes of the free space that something else will take.
  package init(
    _ calls: [TransformerCall], textCounts: [Int], shape: HistoryShape, in folder: String? = nil,
    budget: Int? = nil, reserved: Int = 0
  ) throws {
    file = try ScratchFile(in: folder)
    self.shape = shape
    self.textCounts = textCounts
    let free = max(0, file.freeSpace - reserved)
    self.budget = reserved > 0 ? min(budget ?? free / 2, free) : budget ?? free / 2
    let last = calls.map(\.unit).max() ?? 0
    lastUnit = last
    longest = Dictionary(
      calls.filter { $0.unit < last }.map { ($0.stage, $0.coarseFrames) }, uniquingKeysWith: max)
  }

  /// The bytes that are kept so far.
  package var byteCount: Int { end }

  /// Returns what is known for a call, and where it keeps what the next unit needs; nil for a call that neither has nor keeps
  /// anything.
  package func call(_ call: TransformerCall) -> Call? {
    let key = Key(stage: call.stage, timestep: call.timestep)
    let frames = longest[call.stage] ?? 0
    let kept = call.unit < lastUnit ? call.coarseFrames : 0
    let frameTokens = call.coarseFrameTokens
    if entries[key] == nil, kept > 0 {
      let tokens = textCounts.reduce(0) { $0 + $1 + frames * frameTokens }
      let size = 2 * shape.layers * tokens * shape.rowSize
      // Stages come from coarse to fine, so that what saves most is kept first.
      guard end + size <= budget else { return nil }
      entries[key] = Entry(place: end)
      end += size
    }
    guard let entry = entries[key] else { return nil }
    return Call(
      self, knownFrames: entry.frames, keptFrames: max(kept, entry.frames), place: entry.place,
      frames: frames, frameTokens: frameTokens)
  }

  /// Notes that a call was computed, and kept its part.
  package func finish(_ call: Call, of transformerCall: TransformerCall) {
    let key = Key(stage: transformerCall.stage, timestep: transformerCall.timestep)
    if call.isWritten { entries[key]?.frames = call.keptFrames } else { entries[key] = nil }
  }

  fileprivate func load(_ call: Call, layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
    let count = call.tokens(call.knownFrames, sample: sample)
    let offset = call.offset(layer: layer, sample: sample)
    for (tensor, offset) in [(key, offset), (value, offset + call.capacities[sample] * shape.rowSize)] {
      try HistoryRows.read(count, of: tensor, isRounded: shape.isRounded) {
        try file.read(at: offset + $0 * shape.rowSize, into: $1)
      }
    }
  }

  /// Writes those keys and values of a sample in a layer that the next unit knows and this one did not.
  fileprivate func store(_ call: Call, layer: Int, sample: Int, key: Tensor, value: Tensor) {
    let rows = call.tokens(call.knownFrames, sample: sample)..<call.tokens(call.keptFrames, sample: sample)
    guard call.isWritten, !rows.isEmpty else { return }
    let offset = call.offset(layer: layer, sample: sample)
    do {
      for (tensor, offset) in [(key, offset), (value, offset + call.capacities[sample] * shape.rowSize)] {
        try HistoryRows.write(tensor.rows(rows), isRounded: shape.isRounded) {
          try file.write($1, at: offset + (rows.lowerBound + $0) * shape.rowSize)
        }
      }
    } catch {
      // A full disk costs time, not the run: the next unit computes it all.
      call.isWritten = false
    }
  }
}

/// The numbers that determine what a cache holds.
package struct HistoryShape: Equatable, Sendable {
  /// The number of layers that attend.
  let layers: Int
  /// The width of keys and values.
  let width: Int
  /// Whether attention rounds keys and values to bf16 in every layer, so that nothing is lost by keeping them so.
  let isRounded: Bool

  /// The bytes of a token's key, or of its value.
  var rowSize: Int { width * (isRounded ? 2 : 4) }
}
