import Checkpoints
import Files
import Kernels
import Models
import Parity
import Tensors

/// An audit that finds tensors whose products exceed the range of f16 on a golden trace, and keeps them wider.
///
/// Benben's own products are f32, so nothing overflows here; but a model that is exported in f16 runs in f16.
struct RangeAudit {
  let trace: GoldenTrace
  let context: KernelContext
  /// A folder for the files to measure.
  let folder: String
  let onEvent: (CalibrationEvent) throws -> Void

  private static let maximumHalf: Float = 65504
  private static let calls = 8

  /// Returns the conversion with wider types where products need them.
  func refine(_ conversion: Conversion) throws -> Conversion {
    guard let family = ModelFamily.named(conversion.family) else { return conversion }
    let plans = conversion.plans.filter { $0.rows.contains { $0.type == .f16 } }
    if plans.isEmpty { return conversion }
    let request = try GenerationRequest(trace, family: conversion.family)
    var result = conversion
    for plan in plans {
      try Task.checkCancellation()
      try onEvent(.measuringRanges(component: plan.component))
      let component = try plan.written(to: folder + "/\(plan.component).benben")
      let ranges = MagnitudeRecorder()
      context.magnitudes = ranges
      defer { context.magnitudes = nil }
      try run(component, family, request)
      result = result.replacing(
        plan.retyped { row in
          guard row.type == .f16, let largest = ranges.largest[row.name], largest > Self.maximumHalf else {
            return nil
          }
          return (
            SensitivitySearch.Choice(type: row.typeBeyondHalf, activations: row.activations),
            "wider than f16: its products reach \(largest) in the golden trace"
          )
        })
    }
    return result
  }

  /// Runs a component on the inputs that the trace holds for it.
  private func run(
    _ component: NativeComponent, _ family: ModelFamily, _ request: GenerationRequest
  ) throws {
    let (name, scope) = (component.name, WeightScope(component))
    switch family.role(of: name) {
    case .t5:
      let encoder = try T5Encoder(T5Config(json: component.config, component: name), scope)
      for kind in TracePath.Text.allCases {
        guard let ids = try trace.tokens(kind, .t5),
          let length = try trace.embedding(kind)?.tokens.shape[0]
        else { continue }
        _ = try encoder([Array(ids.prefix(length))], in: context)
      }
    case .clip:
      let encoder = try family.clip(name, config: component.config, scope)
      let ids = family.clipComponents.first == name ? TracePath.Tokens.clip : .clip2
      for kind in TracePath.Text.allCases {
        if let ids = try trace.tokens(kind, ids) { _ = try encoder.pooled(ids, in: context) }
      }
    case .transformer:
      let transformer = try family.transformer(name, config: component.config, scope)
      let calls = try RecordedCalls(trace, request: request, inputs: transformer.inputs, limit: Self.calls)
      _ = try calls.errors(PyramidSampler(transformer, in: context))
    case .vae:
      let vae = try CausalVideoVAE(CausalVideoVAEConfig(json: component.config, component: name), scope)
      let shape = [
        vae.config.latentChannels, request.latentFrames, request.latentHeight, request.latentWidth,
      ]
      guard let latent = try trace.tensor(.decoderInput, shape: [1] + shape),
        let tiling = try trace.tiling()
      else { return }
      _ = try vae.decode(latent.reshaped(shape), tiling: tiling, in: context)
    case nil: break
    }
  }
}
