import ArgumentParser
import Checkpoints
import JSON
import Models
import Tensors

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a released checkpoint to the native format.")

  @Argument(help: "The released checkpoint: the folder that holds text_encoder, causal_video_vae, ….")
  var checkpoint: String

  @Option(help: "The model folder to write.")
  var output: String?

  @Option(help: "The type of all weights: f32, bf16 or f16 (default: as stored).")
  var type: WeightType?

  @Option(help: "REGEX=TYPE: the type of the tensors whose component/name matches; the first match wins.")
  var tensorType: [String] = []

  @Option(help: "Convert only this component (repeatable).")
  var component: [String] = []

  @Flag(help: "Only say what would be done.")
  var dryRun = false

  @Flag(help: "Replace an existing output.")
  var force = false

  @Option(help: "Write the report to this file as JSON (- for standard output).")
  var json: String?

  @OptionGroup var common: CommonOptions

  /// The types that weights can be converted to.
  enum WeightType: String, ExpressibleByArgument, CaseIterable {
    case f32, bf16, f16

    var elementType: ElementType {
      switch self {
      case .f32: .f32
      case .bf16: .bf16
      case .f16: .f16
      }
    }
  }

  func validate() throws {
    if output == nil && !dryRun { throw ValidationError("--output MODEL is needed (or --dry-run)") }
  }

  mutating func run() throws {
    let conversion = try CheckpointImport.plan(
      checkpoint, components: component, request: try typeRequest())
    let report = try carryOut(conversion)
    if let json { try Console.write(report, to: json) }
    if dryRun {
      common.say("\(Console.bytes(conversion.byteCount)) on disk; nothing was written")
    }
  }

  private func carryOut(_ conversion: Conversion) throws -> JSONValue {
    guard !dryRun, let output else { return conversion.dryRunJSON }
    let progress = Progress(isQuiet: common.quiet)
    progress.begin("converting \(checkpoint)")
    var done = 0
    let total = conversion.sourceByteCount
    let report = try conversion.write(to: output, mayReplace: force, version: Benben.version) {
      component, bytes in
      done += bytes
      try progress.update("converting \(component)", done: done, of: total) { Console.bytes(Int($0)) + "/s" }
    }
    common.say("\(output): \(Console.bytes(conversion.byteCount)) from \(Console.bytes(total))")
    return report
  }

  private func typeRequest() throws -> TypeRequest {
    TypeRequest(
      type: type?.elementType,
      overrides: try tensorType.map { text in
        guard let separator = text.lastIndex(of: "="),
          let type = WeightType(rawValue: String(text[text.index(after: separator)...]))
        else {
          throw ValidationError("--tensor-type \(text): REGEX=TYPE is needed, TYPE being f32, bf16 or f16")
        }
        let pattern = String(text[..<separator])
        guard let expression = try? Regex(pattern) else {
          throw ValidationError("--tensor-type \(text): the regular expression is not valid")
        }
        return (pattern, expression, type.elementType)
      })
  }
}
