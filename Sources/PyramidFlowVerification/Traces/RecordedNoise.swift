import Files
import Models
import Parity
import PyramidFlow
import Tensors

/// The noise that a golden trace recorded.
struct RecordedNoise: NoiseSource {
  let trace: GoldenTrace

  func initial(shape: Shape) throws -> Tensor { try recorded(.initialNoise, shape) }

  func posterior(shape: Shape) throws -> Tensor { try recorded(.posteriorNoise, shape) }

  func block(unit: Int, stage: Int, shape: Shape) throws -> Tensor {
    try recorded(.blockNoise(unit: unit, stage: stage), shape)
  }

  private func recorded(_ path: TracePath, _ shape: Shape) throws -> Tensor {
    let wanted = [1] + shape
    let recorded = trace.shape(of: path)
    guard recorded == wanted, let tensor = try trace.tensor(path) else {
      let request = trace.request
      throw BenbenError(
        .malformed, "the trace has not the noise that this run needs", at: trace.place(of: path),
        because: recorded.map { "its shape is \($0.text), the run needs \(wanted.text)" }
          ?? "it was not recorded",
        remedies: [
          "Ask for the run that was recorded: \(request.width)×\(request.height), \(request.latentFrames) latent frames, "
            + "as many steps and stages."
        ])
    }
    return tensor.reshaped(shape)
  }
}

extension Noise {
  /// Returns the noise that a golden trace recorded.
  ///
  /// - Throws: `BenbenError` when the trace cannot be read.
  public static func recorded(in trace: GoldenTrace) throws -> Noise {
    let hash = try trace.sha256()
    return Noise(identity: "noise of a trace, SHA-256 \(hash)") { RecordedNoise(trace: trace) }
  }
}
