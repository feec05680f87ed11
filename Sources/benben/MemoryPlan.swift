import Checkpoints
import JSON
import Models
import Tensors

/// What running a planned model will need: its components one after the other, each with its weights and working memory.
struct MemoryPlan {
  /// A part of a run.
  struct Phase {
    let component: String
    let weights: Int
    let working: Int
  }

  let request: GenerationRequest
  let variant: String
  let phases: [Phase]

  /// The plan of a conversion, run at the official size and length of its first transformer; nil without a transformer.
  init?(_ conversion: Conversion) throws {
    guard let family = ModelFamily.named(conversion.family),
      let transformer = conversion.plans.first(where: { family.role(of: $0.component) == .transformer })
    else { return nil }
    variant = String(transformer.component.dropFirst(ModelFamily.transformerPrefix.count))
    let released = ReleasedVariant.named(variant)
    let request = GenerationRequest(
      prompt: "", width: released.width, height: released.height, latentFrames: released.latentFrames,
      steps: ReleasedVariant.steps, videoSteps: ReleasedVariant.videoSteps,
      guidanceScale: released.guidanceScale, videoGuidanceScale: ReleasedVariant.videoGuidanceScale)
    self.request = request
    phases = try conversion.plans.filter {
      family.role(of: $0.component) != .transformer || $0.component == transformer.component
    }.map { plan in
      let working =
        switch family.role(of: plan.component) {
        case .transformer:
          MemoryEstimate.transformer(
            width: try family.transformerWidth(plan.component, config: plan.source.config), request)
        case .vae:
          MemoryEstimate.decoder(
            try CausalVideoVAEConfig(json: plan.source.config, component: plan.component), request)
        case .clip, .t5, nil: 0
        }
      return Phase(component: plan.component, weights: plan.byteCount, working: MemoryEstimate.base + working)
    }
  }

  /// What the greediest part needs at once: the system drops the mapped weights of parts that are done.
  var peak: Int { phases.map { $0.weights + $0.working }.max() ?? 0 }

  /// Lines for people.
  var lines: [String] {
    let size = "\(request.width)×\(request.height), \(request.latentFrames) latent frames"
    let parts = phases.map {
      "  \($0.component): \(Console.bytes($0.weights)) of mapped weights, about \(Console.bytes($0.working)) beside them"
    }
    // The rest is left to the system.
    let machine = [4, 8, 16, 24, 32, 64, 128].first { Double(peak) < Double($0) * 1e9 * 0.85 }
    let fits = machine.map { "fits a machine of \($0) GB" } ?? "fits no machine of up to 128 GB"
    return ["running \(variant) at \(size) (estimated):"] + parts + [
      "  at once: \(Console.bytes(peak)); \(fits)"
    ]
  }

  var json: JSONValue {
    [
      "variant": .string(variant), "width": .integer(request.width), "height": .integer(request.height),
      "latentFrames": .integer(request.latentFrames), "peakBytes": .integer(peak),
      "parts": .array(
        phases.map {
          [
            "component": .string($0.component), "weightBytes": .integer($0.weights),
            "workingBytes": .integer($0.working),
          ]
        }),
    ]
  }
}
