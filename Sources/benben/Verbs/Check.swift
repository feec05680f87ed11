import ArgumentParser
import Checkpoints
import JSON
import PyramidFlow
import Tensors

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every hash and invariant of a native model; name what is damaged.")

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(help: "Write the result to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    try Console.requireWritable(json, from: [model])
    let native = try NativeModel(path: model)
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("checking \(model)")
    var done = 0
    let total = max(native.manifest["bytes"]?.integer ?? 0, 1)
    let report = try native.checkIntegrity { file, bytes in
      done += bytes
      try progress.update("checking \(file)", done: min(done, total), of: total, rate: ProgressLine.bytes)
    }
    for item in report.damage {
      Console.error("damaged: \(item.file)\(item.tensor.map { ": tensor \($0)" } ?? ""): \(item.why)")
    }
    if let json { try Console.write(try JSONValue(encoding: report), to: json) }
    guard report.passed else { throw ExitCode(1) }
    common.say("\(model) is sound")
  }
}
