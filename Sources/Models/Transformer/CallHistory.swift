import Kernels
import Tensors

/// The keys and values of a call's text and history: those that are known before it, and what becomes of the others.
///
/// Tensors are those of a sample's whole sequence, [tokens, width], text first and then the clips from coarse to fine, after
/// the norm and the rotation.
package protocol CallHistory {
  /// The latent frames whose keys and values are known, together with the text's; 0 when nothing is.
  var knownFrames: Int { get }

  /// Reads the known keys and values of a layer into the first rows.
  func load(layer: Int, sample: Int, key: Tensor, value: Tensor) throws

  /// Keeps what is to be kept of a layer's keys and values, all of which are there now.
  func store(layer: Int, sample: Int, key: Tensor, value: Tensor) throws
}

extension CallHistory {
  /// Returns the part of the samples from one on, for a batch that starts with it.
  func starting(at sample: Int) -> any CallHistory { LaterSamples(all: self, first: sample) }
}

/// The history of the samples from one on.
private struct LaterSamples: CallHistory {
  let all: any CallHistory
  let first: Int
  var knownFrames: Int { all.knownFrames }

  func load(layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
    try all.load(layer: layer, sample: first + sample, key: key, value: value)
  }

  func store(layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
    try all.store(layer: layer, sample: first + sample, key: key, value: value)
  }
}

/// A layer's part of what a call knows and keeps.
struct LayerHistory {
  private let call: any CallHistory
  private let layer: Int

  init?(_ call: (any CallHistory)?, layer: Int) {
    guard let call else { return nil }
    self.call = call
    self.layer = layer
  }

  /// Reads the known keys and values into the first rows of every sample's.
  func load(into operands: AttentionOperands, _ layout: BatchLayout) throws {
    guard call.knownFrames > 0 else { return }
    for (sample, rows) in layout.keyRows.enumerated() {
      try call.load(
        layer: layer, sample: sample, key: operands.key.rows(rows), value: operands.value.rows(rows))
    }
  }

  /// Hands out all keys and values.
  func store(_ operands: AttentionOperands, _ layout: BatchLayout) throws {
    for (sample, rows) in layout.keyRows.enumerated() {
      try call.store(
        layer: layer, sample: sample, key: operands.key.rows(rows), value: operands.value.rows(rows))
    }
  }
}
