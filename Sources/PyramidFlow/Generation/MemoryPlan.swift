import Checkpoints
import Files
import Foundation
import JSON
import Models
import Tensors

/// The estimated memory of a run: its components one after the other, each with its mapped weights and working memory.
public struct MemoryPlan: Sendable {
  /// A part of a run, in which one component runs.
  public struct Phase: Sendable {
    /// The component that runs.
    public let component: String
    /// The bytes of the component's mapped weights, which the system may drop and read again.
    public let weights: Int
    /// The bytes of the component's working memory.
    public let working: Int
  }

  /// The request of the run.
  public let request: GenerationRequest
  /// The variant of the transformer.
  public let variant: String
  /// The parts of the run, in order.
  public let phases: [Phase]

  /// Creates the plan of a run of a conversion's model; nil without a transformer.
  ///
  /// - Parameters:
  ///   - conversion: the conversion that makes the model.
  ///   - request: what is to be run; nil for the official size and length of the first transformer.
  /// - Throws: `BenbenError` when the request cannot be carried out, or a component's config is malformed.
  public init?(_ conversion: Conversion, request: GenerationRequest? = nil) throws {
    guard let family = ModelFamily.named(conversion.family),
      let transformer = conversion.plans.first(where: { family.role(of: $0.component) == .transformer })
    else { return nil }
    variant = String(transformer.component.dropFirst(ModelFamily.transformerPrefix.count))
    let released = ReleasedVariant.named(variant)
    let request =
      request
      ?? GenerationRequest(
        prompt: "", width: released.width, height: released.height, latentFrames: released.latentFrames,
        steps: ReleasedVariant.steps, videoSteps: ReleasedVariant.videoSteps,
        guidanceScale: released.guidanceScale, videoGuidanceScale: ReleasedVariant.videoGuidanceScale)
    self.request = try request.validated()
    phases = try conversion.plans.filter {
      family.role(of: $0.component) != .transformer || $0.component == transformer.component
    }.map { plan in
      try Self.phase(
        plan.component, weights: plan.byteCount, config: plan.source.config,
        multipliesIntegers: plan.multipliesIntegers, family: family, request)
    }
  }

  /// Creates the plan of a run of a converted model.
  package init(_ native: NativeModel, variant: String, _ request: GenerationRequest) throws {
    guard let family = ModelFamily.named(native.family) else {
      throw BenbenError(
        .malformed, "this model cannot be run", at: native.path, because: "its family is \(native.family)")
    }
    self.variant = variant
    self.request = try request.validated()
    let transformer = ModelFamily.transformerPrefix + variant
    phases = try native.componentSizes.filter { name, _ in
      family.role(of: name) != .transformer || name == transformer
    }.map { name, bytes in
      let component = try native.component(name)
      return try Self.phase(
        name, weights: bytes, config: component.config, multipliesIntegers: component.multipliesIntegers,
        family: family, request)
    }
  }

  private static func phase(
    _ component: String, weights: Int, config: JSONValue, multipliesIntegers: Bool, family: ModelFamily,
    _ request: GenerationRequest
  ) throws -> Phase {
    let working =
      switch family.role(of: component) {
      case .transformer:
        MemoryEstimate.transformer(
          width: try family.transformerWidth(component, config: config),
          multipliesIntegers: multipliesIntegers, request)
      case .vae: MemoryEstimate.decoder(try CausalVideoVAEConfig(json: config, component: component), request)
      case .clip, .t5, nil: 0
      }
    return Phase(component: component, weights: weights, working: MemoryEstimate.base + working)
  }

  /// Throws when the run needs more memory than is allowed, or more working memory than this machine has.
  ///
  /// - Parameter limit: the allowed bytes, mapped weights included; nil for no limit.
  public func requireFit(limit: Int?) throws {
    let own = phases.map(\.working).max() ?? 0
    let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
    func refuse(_ needed: Int, _ what: String, _ code: BenbenError.Code? = nil) -> BenbenError {
      BenbenError(
        .usage, "the run does not fit",
        at: "\(request.width)×\(request.height), \(request.latentFramesText)",
        because: "it needs about \(ByteSize.text(needed)) at once; \(what)",
        remedies: ["Ask for a smaller or shorter clip, or convert to int8."], code: code)
    }
    if let limit, peak > limit {
      throw refuse(peak, "\(ByteSize.text(limit)) are allowed", .exceedsMemoryLimit)
    }
    if own > machine { throw refuse(own, "this machine has \(ByteSize.text(machine))") }
  }

  /// The bytes that the largest part needs at once; the system drops the mapped weights of parts that are done.
  public var peak: Int { phases.map { $0.weights + $0.working }.max() ?? 0 }

  /// The plan as lines of text.
  public var lines: [String] {
    let size = "\(request.width)×\(request.height), \(request.latentFramesText)"
    let parts = phases.map {
      "  \($0.component): \(ByteSize.text($0.weights)) of mapped weights, about \(ByteSize.text($0.working)) beside them"
    }
    // Fifteen per cent of the machine's memory is left to the system.
    let machine = [4, 8, 16, 24, 32, 64, 128].first { Double(peak) < Double($0) * 1e9 * 0.85 }
    let fits = machine.map { "fits a machine of \($0) GB" } ?? "fits no machine of up to 128 GB"
    return ["running \(variant) at \(size) (estimated):"] + parts + [
      "  at once: \(ByteSize.text(peak)); \(fits)"
    ]
  }

  /// The plan as `memory` in `schemas/convert-report.schema.json`.
  package var json: JSONValue {
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
