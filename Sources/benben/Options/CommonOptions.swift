import ArgumentParser
import Kernels
import PyramidFlowVerification
import Tensors

/// Options that every verb knows.
struct CommonOptions: ParsableArguments {
  @Option(name: .customLong("threads"), help: "Threads to compute with (default: one per core).")
  private var askedThreads: Int?

  /// The threads to compute with: as many as asked for, but no more than there are processors; nil for the default.
  var threads: Int? { askedThreads.map { min($0, ProcessorCount.logical) } }

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: "Say more.")
  var verbose = false

  @Flag(help: "Decode clips, pictures and traces in this process, with all of its rights.")
  var noIsolation = false

  func validate() throws {
    if noIsolation { IsolatedReading.end() }
    if let asked = askedThreads {
      if !(1...1024 ~= asked) { throw ValidationError("--threads must be 1 to 1024, not \(asked)") }
      if asked > ProcessorCount.logical {
        say("--threads \(asked): this machine runs \(ProcessorCount.logical) at once, so that many are used")
      }
    }
    if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
  }

  func say(_ line: String) {
    if !quiet { Console.note(line) }
  }
}
