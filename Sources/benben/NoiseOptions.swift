import ArgumentParser
import Models
import Parity
import Tensors

/// Where a run's noise comes from.
struct NoiseOptions: ParsableArguments {
  @OptionGroup var seeded: SeedOptions

  @Option(help: "Take the noise from this golden trace.")
  var noise: String?

  func source() throws -> any NoiseSource {
    try noise.map { GoldenNoise(try GoldenTrace(path: $0)) } ?? seeded.source
  }

  /// What a user should know of the noise.
  var remark: String? { noise == nil ? seeded.remark : nil }

  /// What tells this noise from other noise.
  func identity() throws -> String {
    try noise.map { "noise of a trace, SHA-256 \(try SourceFile(path: $0).sha256())" } ?? seeded.identity
  }
}
