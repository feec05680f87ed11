import ArgumentParser
import Files
import Parity
import PyramidFlow
import PyramidFlowVerification

/// Where a run's noise comes from.
struct NoiseOptions: ParsableArguments {
  @OptionGroup var seeded: SeedOptions

  @Option(help: "Take the noise from this golden trace.", completion: .file(extensions: ["h5"]))
  var noise: String?

  /// The noise that is asked for; what is not said is as in another clip.
  func chosen(like clip: ClipProvenance?) throws -> Noise {
    if let noise { return try .recorded(in: GoldenTrace(at: noise)) }
    switch clip?.noise {
    case nil: return seeded.noise()
    case .seed(let seed): return seeded.noise(like: seed)
    case .recorded(let identity):
      if seeded.seed != nil { return seeded.noise() }
      throw BenbenError(
        .usage, "the clip was made from recorded noise", at: identity, because: "no seed draws it",
        remedies: ["Name the recording (--noise), or take other noise (--seed)."])
    }
  }

  /// What a user should know of the noise.
  var remark: String? { noise == nil ? seeded.remark : nil }
}
