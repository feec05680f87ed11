import ArgumentParser
import Checkpoints
import Files
import Tensors

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model's weights as safetensors, for other tools.",
    discussion: """
      Names are the official ones, after the component's where there are several. int8 tensors are written as I8 beside \
      NAME_scale (one f32 a row, w = q·s), or as f32 with --dequantize.
      """)

  @Argument(help: "The model folder, or one of its .benben files.", completion: .directory)
  var model: String

  @Option(help: "The .safetensors file to write.", completion: .file())
  var output: String

  @Flag(help: "Write int8 tensors as f32 values.")
  var dequantize = false

  @Flag(help: "Replace an existing output.")
  var force = false

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let export = SafetensorsExport(try WeightCollection(path: model), dequantizes: dequantize)
    let total = try export.byteCount
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("exporting \(model)")
    var done = 0
    try export.write(to: output, mayReplace: force) { bytes in
      done += bytes
      try progress.update("exporting", done: min(done, total), of: total, rate: ProgressLine.bytes)
    }
    common.say("\(output): \(ByteSize.text(total))")
  }
}
