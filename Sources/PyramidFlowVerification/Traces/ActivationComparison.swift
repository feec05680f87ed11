import Files
import Models
import Parity
import Tensors

/// A comparison of the outputs of the transformer's modules with the recorded activations of one call.
final class ActivationComparison: ActivationObserver {
  private let trace: GoldenTrace
  private let call: Int
  private let threshold: Double
  private var pending: Set<String>
  private var results: [TensorComparison] = []

  /// Creates a comparison; nil when nothing was recorded for the call.
  init?(_ trace: GoldenTrace, call: Int, threshold: Double) {
    let recorded = trace.recordedActivations(call: call)
    if recorded.isEmpty { return nil }
    self.trace = trace
    self.call = call
    self.threshold = threshold
    pending = Set(recorded)
  }

  /// Returns the comparisons in order of computation.
  ///
  /// - Throws: `BenbenError` when the trace holds modules that this model does not have.
  func finish() throws -> [TensorComparison] {
    if let unknown = pending.min() {
      throw BenbenError(
        .malformed, "the trace is of another model", at: "\(trace.path):/\(unknown)",
        because: "this model has no such module")
    }
    return results
  }

  func observe(module: String, output: Int, stream: ObservedStream, samples: [Tensor]) throws {
    let path = TracePath.activation(call: call, module: module, output: output)
    guard pending.remove(path.description) != nil, let golden = try trace.tensor(path) else { return }
    results.append(try compare(path, golden, stream, samples))
  }

  private func compare(
    _ path: TracePath, _ golden: Tensor, _ stream: ObservedStream, _ samples: [Tensor]
  ) throws -> TensorComparison {
    let width = samples[0].shape[1]
    let isMatrix = stream == .samples
    guard golden.shape.count == (isMatrix ? 2 : 3), golden.shape[0] == samples.count,
      golden.shape.last == width
    else {
      throw mismatch(path, golden, samples)
    }
    var metrics = ErrorMetrics()
    for (index, sample) in samples.enumerated() {
      let rows =
        isMatrix
        ? golden.rows(index..<index + 1)
        : golden.rows(index..<index + 1).reshaped(
          [golden.shape[1], width])
      // Recorded text is padded, ours is not: text tokens come first, the image's last.
      let text =
        switch stream {
        case .text: sample.shape[0]
        case .textThenImage(let counts): counts[index]
        case .image, .samples: 0
        }
      let image = sample.shape[0] - text
      guard rows.shape[0] >= sample.shape[0], stream != .image || rows.shape[0] == image else {
        throw mismatch(path, golden, samples)
      }
      metrics.add(sample.rows(0..<text).elements, reference: rows.rows(0..<text).elements)
      metrics.add(
        sample.rows(text..<text + image).elements,
        reference: rows.rows(rows.shape[0] - image..<rows.shape[0]).elements)
    }
    let left = golden.count - metrics.count
    return TensorComparison(
      path, mode: .teacherForced, metrics: metrics, threshold: threshold,
      note: left > 0 ? "\(left / width) padded text positions are left out" : nil)
  }

  private func mismatch(_ path: TracePath, _ golden: Tensor, _ samples: [Tensor]) -> BenbenError {
    BenbenError(
      .malformed, "the trace is of another model or run", at: trace.place(of: path),
      because:
        "it has the shape \(golden.shape.text), ours is \(samples.map(\.shape.text).joined(separator: " and "))"
    )
  }
}
