import Checkpoints
import Foundation
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
      try Self.phase(
        plan.component, weights: plan.byteCount, config: plan.source.config, family: family, request)
    }
  }

  /// What a run of a converted model needs.
  init(_ loaded: LoadedModel, variant: String, _ request: GenerationRequest) throws {
    self.variant = variant
    self.request = request
    let transformer = ModelFamily.transformerPrefix + variant
    phases = try loaded.native.componentSizes.filter { name, _ in
      loaded.family.role(of: name) != .transformer || name == transformer
    }.map { name, bytes in
      try Self.phase(
        name, weights: bytes, config: loaded.native.component(name).config, family: loaded.family, request)
    }
  }

  private static func phase(
    _ component: String, weights: Int, config: JSONValue, family: ModelFamily, _ request: GenerationRequest
  ) throws -> Phase {
    let working =
      switch family.role(of: component) {
      case .transformer:
        MemoryEstimate.transformer(width: try family.transformerWidth(component, config: config), request)
      case .vae: MemoryEstimate.decoder(try CausalVideoVAEConfig(json: config, component: component), request)
      case .clip, .t5, nil: 0
      }
    return Phase(component: component, weights: weights, working: MemoryEstimate.base + working)
  }

  /// Throws when the run needs more than is allowed, or than this machine has for what is not mapped.
  func requireFit(limit: Int?) throws {
    let own = phases.map(\.working).max() ?? 0
    let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
    func refuse(_ needed: Int, _ what: String) -> BenbenError {
      BenbenError(
        .usage, "the run does not fit",
        at: "\(request.width)×\(request.height), \(request.latentFrames) latent frames",
        because: "it needs about \(Console.bytes(needed)) at once; \(what)",
        remedies: ["Ask for a smaller or shorter clip, or convert with --type int8."])
    }
    if let limit, peak > limit { throw refuse(peak, "--memory-limit allows \(Console.bytes(limit))") }
    if own > machine { throw refuse(own, "this machine has \(Console.bytes(machine))") }
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
