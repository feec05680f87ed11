import ArgumentParser
import Checkpoints
import Files
import Models
import PyramidFlow
import Tensors

struct DrawNoise: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "noise",
    abstract: "Write the noise of a seed, to compare it with PyTorch's or to start another program from it.",
    discussion: """
      Every --shape is drawn after the one before it, as torch.randn does after torch.manual_seed, and written as the f32 \
      tensor noise.0, noise.1 and so on. `generate` draws [1, 16, latent frames, height / 8, width / 8] first.
      """)

  @Option(help: "The dimensions of a tensor, such as 1,16,2,16,16 (repeatable).")
  var shape: [Dimensions]

  @Option(help: "The file to write (.safetensors).", completion: .file())
  var output: String

  @Flag(help: "Replace the output.")
  var force = false

  @OptionGroup var seeded: SeedOptions

  @OptionGroup var common: CommonOptions

  /// The dimensions of one tensor.
  struct Dimensions: ExpressibleByArgument {
    /// 4 GB.
    private static let maximumElements = 1 << 30
    let shape: Shape

    init?(argument: String) {
      guard let shape = argument.integers(separatedBy: { $0 == "," }), shape.count <= 8,
        let count = shape.checkedElementCount, 1...Self.maximumElements ~= count
      else { return nil }
      self.shape = shape
    }
  }

  func validate() throws {
    if shape.isEmpty {
      throw ValidationError("--shape: name the dimensions of a tensor, such as 1,16,2,16,16")
    }
  }

  func run() throws {
    _ = try StagedFile(destination: output, mayReplace: force)
    if let remark = seeded.remark { common.say(remark) }
    let noise = seeded.noise()
    let source = try noise.makeSource()
    let tensors = try shape.enumerated().map { ("noise.\($0)", try source.initial(shape: $1.shape)) }
    try TensorArchive.write(tensors, origin: noise.identity, to: output, mayReplace: force)
    common.say("\(output): \(noise.identity)")
  }
}
