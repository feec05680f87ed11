import Checkpoints
import Files
import Kernels
import Parity
import PyramidFlow

extension Conversion {
  /// Returns the conversion with types chosen by the errors they cause on the steps of a golden trace.
  ///
  /// Without a target, only tensors whose products exceed the range of f16 on the trace are kept wider. With a target,
  /// groups of the transformer's tensors are also rounded one at a time and measured; the smallest plan that reaches
  /// the target is chosen and measured as a whole.
  ///
  /// Runs on the calling thread, whose number of OpenMP threads is restored afterwards.
  ///
  /// - Parameters:
  ///   - trace: the golden trace of the family.
  ///   - target: the minimum signal-to-noise ratio of a prediction, or the maximum number of bytes.
  ///   - threads: the number of threads that kernels use; nil for all cores.
  ///   - sibling: a path on the disk to use for intermediate files; nil for the system's temporary folder.
  ///   - onEvent: receives progress; an error that it throws ends the calibration.
  /// - Throws: `BenbenError` when the trace is of another family, needs more memory than the machine has, or the target
  ///   cannot be reached.
  public func calibrated(
    on trace: GoldenTrace, target: SensitivitySearch.Target? = nil, threads: Int? = nil,
    beside sibling: String? = nil, onEvent: (CalibrationEvent) throws -> Void = { _ in }
  ) throws -> Conversion {
    let request = try GenerationRequest(trace, family: family)
    try MemoryPlan(self, request: request)?.requireFit(at: trace)
    let folder = try TemporaryFolder(beside: sibling)
    let plan = try audited()
    return try withoutActuallyEscaping(onEvent) { onEvent in
      try KernelContext.scoped(threads: threads) { context in
        let audited = try RangeAudit(trace: trace, context: context, folder: folder.path, onEvent: onEvent)
          .refine(plan)
        guard let target else { return audited }
        return try Calibration(
          trace: trace, target: target, context: context, folder: folder.path, onEvent: onEvent
        ).refine(audited)
      }
    }
  }
}
