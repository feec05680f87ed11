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

  func chosen() throws -> Noise {
    try noise.map { try .recorded(in: GoldenTrace(at: $0)) } ?? seeded.noise
  }

  /// What a user should know of the noise.
  var remark: String? { noise == nil ? seeded.remark : nil }
}
