import ArgumentParser
import Checkpoints
import PyramidFlow
import PyramidFlowVerification

struct Card: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model card: contents, sources, and parity with the official implementation.",
    discussion:
      "The card depends on the model and the reports alone. It names no licence: that is the publisher's word."
  )

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(
    help: "What verify --json or verify --report wrote for this model (repeatable).", completion: .file())
  var report: [String] = []

  @Option(help: "The title (default: made of family and types).")
  var title: String?

  @Option(help: "The repository of its checkpoint, such as rain1011/pyramid-flow-miniflux.")
  var baseModel: String?

  @Option(help: "The file to write (- for standard output).", completion: .file(extensions: ["md"]))
  var output = "-"

  @OptionGroup var common: CommonOptions

  func run() throws {
    try OutputPlaces.requireApart([output], from: [self.model] + report)
    let model = try VideoModel(at: model)
    try ModelCard.requireReplaceable(output)
    let checks = try report.map { try ReportCheck(EvidenceReport(at: $0), of: model) }
    try Console.write(
      ModelCard(of: model, reports: checks, title: title, baseModel: baseModel).text, to: output)
  }
}
