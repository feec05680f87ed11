import ArgumentParser
import Checkpoints
import Files
import Tensors

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model's weights as safetensors, for other tools.",
    discussion: """
      Names are the official ones, after the component's where there are several. int8 tensors are written as I8 beside \
      NAME_scale (one f32 a row, w = q·s), or as f32 with --dequantize. --format comfy writes a file for each component, \
      without a prefix, whose int8 matrices are ComfyUI's int8_tensorwise.
      """)

  @Argument(help: "The model folder, or one of its .benben files.", completion: .directory)
  var model: String

  @Option(
    help: "The .safetensors file to write; of several components in ComfyUI's format, a folder.",
    completion: .file())
  var output: String

  @Option(help: "safetensors, or comfy.")
  var format = Format.safetensors

  @Flag(help: "Write int8 tensors as f32 values.")
  var dequantize = false

  @Flag(help: "Replace an existing output.")
  var force = false

  @OptionGroup var common: CommonOptions

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case safetensors, comfy
  }

  func validate() throws {
    if dequantize, format == .comfy {
      throw ValidationError(
        "--dequantize and --format comfy exclude each other: int8 is what that format is for")
    }
  }

  mutating func run() throws {
    try OutputPlaces.requireApart([output], from: [model])
    let collection = try WeightCollection(path: model)
    let isFolder = format == .comfy && SafetensorsExport.components(of: collection).count > 1
    if isFolder, output.lowercased().hasSuffix(".safetensors") {
      throw ValidationError(
        "--output \(output): each component is a file of its own; name a folder, or export one of the .benben files"
      )
    }
    let quantized: SafetensorsExport.Quantized =
      format == .comfy ? .comfy : dequantize ? .dequantized : .scaled
    let export = SafetensorsExport(collection, quantized: quantized)
    let total = try export.byteCount
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("exporting \(model)")
    var done = 0
    func report(_ what: String, _ bytes: Int) throws {
      done += bytes
      try progress.update(what, done: min(done, total), of: total, rate: ProgressLine.bytes)
    }
    if isFolder {
      try SafetensorsExport.writeComponents(
        of: collection, quantized: quantized, to: output, mayReplace: force
      ) {
        try report("exporting \($0)", $1)
      }
    } else {
      try export.write(to: output, mayReplace: force) { try report("exporting", $0) }
    }
    common.say("\(output): \(ByteSize.text(total))")
  }
}
