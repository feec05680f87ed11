import Foundation
import JSON
import Media
import Parity
import Tensors
import Testing

/// The command as a user runs it: a process with arguments, output and an exit code.
@Suite(.serialized) struct CommandTests {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path
  static let program: URL = {
    // The tests are built beside the program.
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("benben")
    if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
    // Swift Testing may be run by a helper: then the bundle's path is its argument.
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("benben")
  }()

  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "benben-command-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  struct Outcome {
    let code: Int32
    let output: String
    let errors: String
    var json: JSONValue? { try? JSONValue(parsing: output) }
  }

  func run(
    _ arguments: String..., environment: [String: String] = [:], output: String? = nil
  ) throws -> Outcome {
    try run(arguments, environment: environment, output: output)
  }

  func run(
    _ arguments: [String], environment: [String: String] = [:], output path: String? = nil
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = Self.program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let errorPath = folder + "/stderr-\(UUID().uuidString)"
    _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: errorPath)
    let pipe = Pipe()
    process.standardOutput = path.flatMap(FileHandle.init(forWritingAtPath:)) ?? pipe
    try process.run()
    let output = path == nil ? pipe.fileHandleForReading.readDataToEndOfFile() : Data()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit, "\(arguments)")
    let errors = FileManager.default.contents(atPath: errorPath) ?? Data()
    try FileManager.default.removeItem(atPath: errorPath)
    return Outcome(
      code: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self))
  }

  var entries: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  func copy(_ fixture: String) throws -> String {
    let path = folder + "/checkpoint"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(fixture)/checkpoint", toPath: path)
    return path
  }

  func flip(_ path: String, at offset: Int, bit: UInt8) throws {
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.seek(toOffset: UInt64(offset))
    let byte = try #require(try handle.read(upToCount: 1)?.first)
    try handle.seek(toOffset: UInt64(offset))
    try handle.write(contentsOf: [byte ^ bit])
    try handle.close()
  }

  func convert(_ fixture: String = "miniflux", _ type: String = "f32") throws -> String {
    let result = try run(
      "convert", "\(Self.fixtures)/\(fixture)/checkpoint", "--output", "model", "--type", type, "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    return folder + "/model"
  }

  /// Bars of the project against the official implementation.
  func expectParity(_ report: JSONValue?) throws {
    let report = try #require(report)
    #expect(report["passed"] == true && report["firstDivergence"] == .null)
    for stage in try #require(report["stages"]?.array) {
      let nmse = try #require(stage["nmse"]?.double)
      let path = try #require(stage["path"]?.string)
      let isToken = path.hasSuffix("_ids") || path.hasSuffix("_mask")
      #expect(nmse <= (isToken ? 0 : stage["mode"] == "free-running" ? 1e-8 : 1e-10), "\(path) \(nmse)")
    }
    let frames = try #require(report["frames"])
    #expect(try #require(frames["psnrMinDb"]?.double) >= 60)
    #expect(try #require(frames["identicalFraction"]?.double) >= 0.995)
  }

  @Test func saysWhatTookHowLong() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let outcome = try run(
      "generate", model, "--prompt", "a ball", "--output", "clip.gif", "--width", "128", "--height", "64",
      "--temp", "2", "--steps", "2,1,1", "--video-steps", "1,1,2", "--json", "-", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let steps = try #require(outcome.json?["steps"]?.array)
    #expect(steps.map { $0["unit"]?.integer } == [0, 0, 0, 0, 1, 1, 1, 1])
    #expect(steps.map { $0["stage"]?.integer } == [0, 0, 1, 2, 0, 1, 2, 2])
    // 8×16 latents in patches of four, and what stands before them.
    #expect(steps.map { $0["latentTokens"]?.integer } == [2, 2, 8, 32, 4, 16, 64, 64])
    let seconds = try #require(outcome.json?["seconds"])
    #expect(try #require(seconds["latents"]?.double) > 0 && seconds["writing"]?.double != nil)
  }

  @Test func aDryRunSaysWhatRunningNeeds() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let result = try run(
      "convert", "\(Self.fixtures)/shapes/checkpoint", "--type", "int8", "--dry-run", "--json", "-")
    #expect(result.code == 0 && entries.isEmpty, "\(result.errors)")
    #expect(result.errors.contains("fits a machine of 4 GB"), "\(result.errors)")
    let memory = try #require(result.json?["memory"])
    let parts = try #require(memory["parts"]?.array)
    let weights = parts.compactMap { $0["weightBytes"]?.integer }
    #expect(weights.count == 4 && weights.reduce(0, +) == result.json?["bytes"]?.integer)
    let needs = zip(weights, parts).map { $0 + ($1["workingBytes"]?.integer ?? 0) }
    #expect(memory["peakBytes"]?.integer == needs.max())
    let vae = try run(
      "convert", "\(Self.fixtures)/shapes/checkpoint", "--component", "causal_video_vae", "--dry-run",
      "--json", "-")
    #expect(vae.json?["memory"] == .null)
  }

  @Test func roundsWeightsOnlyOnceUnlessForced() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let exact = try keepingTypes("miniflux")
    let golden = "\(Self.fixtures)/miniflux/golden.h5"
    #expect(try run("convert", exact, "--output", "int8", "--type", "int8", "--quiet").code == 0)
    let direct = try run(
      "convert", "\(Self.fixtures)/miniflux/checkpoint", "--output", "direct", "--type", "int8", "--quiet")
    #expect(direct.code == 0)
    #expect(try hashes(folder + "/int8") == hashes(folder + "/direct"))
    let refused = try run("convert", "int8", "--output", "again", "--type", "f16", "--quiet")
    #expect(refused.code == 64 && refused.errors.contains("rounded already"), "\(refused.errors)")
    #expect(try run("convert", "int8", "--output", "again", "--type", "f16", "--force", "--quiet").code == 0)
    // Keeping what is stored rounds nothing.
    #expect(try run("convert", "int8", "--output", "copy", "--quiet").code == 0)
    #expect(try hashes(folder + "/copy") == hashes(folder + "/int8"))
    func products(_ model: String) throws -> [JSONValue?] {
      let manifest = try JSONValue(
        parsing: Array(try #require(FileManager.default.contents(atPath: "\(folder)/\(model)/manifest.json")))
      )
      return try #require(manifest["tensors"]?.array).map { $0["activations"] }
    }
    #expect(try products("copy") == products("int8"))
    #expect(try run("verify", "copy", "--golden", golden, "--quiet").code == 0)
    let comparison = try run("compare", "copy", "int8", "--json", "-")
    #expect(comparison.code == 0 && comparison.json?["equal"] == true, "\(comparison.errors)")
    let packed = try run("pack", "int8", "--output", "int8.zst", "--quiet")
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(try run("unpack", "int8.zst", "--output", "unpacked", "--quiet").code == 0)
    #expect(try run("check", "unpacked", "--quiet").code == 0)
    #expect(try run("export", "int8", "--output", "int8.safetensors", "--quiet").code == 0)
    #expect(try run("inspect", "int8.safetensors", "--json").json?["tensors"]?.array?.isEmpty == false)
    #expect(try run("export", "int8", "--output", "int8.safetensors", "--quiet").code == 73)
  }

  @Test func calibrationReachesItsTarget() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func calibrate(_ target: String, _ value: String) throws -> Outcome {
      try run(
        "convert", "\(Self.fixtures)/shapes/checkpoint", "--dry-run", "--json", "-", "--quiet",
        "--calibrate", "\(Self.fixtures)/shapes/golden.h5", target, value)
    }
    let fine = try calibrate("--target-sqnr-db", "56")
    #expect(fine.code == 0, "\(fine.errors)")
    #expect(try calibrate("--target-sqnr-db", "56").output == fine.output)
    let calibration = try #require(fine.json?["calibration"])
    #expect(try #require(calibration["measuredSqnrDb"]?.double) >= 56)
    let chosen = try #require(calibration["groups"]?.array).compactMap { $0["chosen"]?.integer }
    // Neither the cheapest nor the mostPrecise plan.
    #expect(Set(chosen).isSuperset(of: [0, 2]))
    let coarse = try calibrate("--target-sqnr-db", "30")
    let bytes = try [fine, coarse].map { try #require($0.json?["bytes"]?.integer) }
    #expect(bytes[1] < bytes[0])
    let limited = try calibrate("--target-bytes", "\(bytes[0])")
    #expect(try #require(limited.json?["bytes"]?.integer) <= bytes[0])
    #expect(try #require(limited.json?["calibration"]?["measuredSqnrDb"]?.double) >= 50)
    for (target, value) in [("--target-bytes", "1000"), ("--target-sqnr-db", "150")] {
      let refused = try calibrate(target, value)
      #expect(refused.code == 64 && refused.errors.contains("cannot be reached"), "\(refused.errors)")
    }
    #expect(entries.isEmpty, "\(entries)")
  }

  @Test(arguments: [("dit", "128x128:2:2"), ("t5", "7"), ("vae", "128x64:2"), ("convert", "int8")])
  func measuresSpeed(part: String, shape: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    _ = try convert("miniflux", "int8")
    let outcome = try run(
      "bench", part, "model", "--shape", shape, "--repeat", "2", "--json", "-", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let measurement = try #require(outcome.json?["measurements"]?.array?.first)
    #expect(measurement["seconds"]?.array?.count == 2)
    #expect(try #require(measurement["bestSeconds"]?.double) > 0)
    if part != "convert" { #expect(try #require(measurement["gigaOperationsPerSecond"]?.double) > 0) }
    for shape in ["128x:1", "4x4:1", "100000"] {
      let refused = try run("bench", part, "model", "--shape", shape, "--repeat", "1")
      #expect(refused.code == 64 && refused.errors.contains("--shape"), "\(refused.errors)")
    }
  }

  /// A weight of T5 is made so large that what it gives exceeds f16.
  @Test func productsBeyondHalfKeepAWiderType() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.copyItem(
      atPath: "\(Self.fixtures)/miniflux/checkpoint", toPath: folder + "/checkpoint")
    let encoder = folder + "/checkpoint/text_encoder_2"
    let name = "encoder.block.0.layer.1.DenseReluDense.wo.weight"
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: encoder).filter { $0.hasSuffix(".safetensors") }
        .map { encoder + "/" + $0 }
        .first {
          try String(decoding: Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self).contains(
            "\"\(name)\"")
        })
    var bytes = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16
    let range = try #require(
      JSONValue(parsing: Array(bytes[8..<8 + length]))[name]?["data_offsets"]?.integers)
    for place in stride(from: 8 + length + range[0], to: 8 + length + range[1], by: 2) {
      // Times 2^15: bf16 has its exponent in bits 7 to 14.
      let pattern = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
      if pattern & 0x7F80 == 0 { continue }
      let scaled = pattern + 15 << 7
      (bytes[place], bytes[place + 1]) = (UInt8(truncatingIfNeeded: scaled), UInt8(scaled >> 8))
    }
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    let result = try run(
      "convert", "checkpoint", "--output", "model", "--type", "f16", "--json", "-", "--quiet", "--calibrate",
      "\(Self.fixtures)/miniflux/golden.h5")
    #expect(result.code == 0, "\(result.errors)")
    let rows = try #require(result.json?["tensors"]?.array)
    let wide = rows.filter { $0["type"]?.string != "f16" }
    #expect(wide.contains { $0["name"]?.string == name && $0["type"]?.string == "bf16" })
    #expect(!wide.isEmpty && wide.allSatisfy { $0["reason"]?.string?.contains("wider than f16") == true })
    #expect(wide.count < rows.count / 10)
  }

  @Test func conversionsAreTheSameEverywhere() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy("miniflux")
    #expect(try run("convert", checkpoint, "--output", "one", "--quiet").code == 0)
    try FileManager.default.moveItem(atPath: checkpoint, toPath: folder + "/moved")
    let second = try run(
      "convert", "moved/", "--output", "two/", "--threads", "1", "--quiet",
      environment: ["LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"])
    #expect(second.code == 0, "\(second.errors)")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder + "/one").sorted()
    #expect(files == (try FileManager.default.subpathsOfDirectory(atPath: folder + "/two").sorted()))
    for file in files where !file.hasPrefix("tokenizer") || file.contains("/") {
      #expect(
        FileManager.default.contents(atPath: "\(folder)/one/\(file)")
          == FileManager.default.contents(atPath: "\(folder)/two/\(file)"), "\(file)")
    }
  }

  /// One clear line, the right exit code, nothing left behind.
  @Test(arguments: [
    ("missing shard", 66), ("missing tensor", 65), ("wrong shape", 65), ("extra tensor", 65),
    ("truncated file", 65),
    ("Git-LFS pointer", 65), ("not a checkpoint", 65), ("no folder", 66), ("missing config", 66),
    ("missing tokenizer", 66), ("malformed config", 65), ("no weights", 66),
  ])
  func refusesABrokenCheckpoint(fault: String, code: Int) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy("miniflux")
    let shard = checkpoint + "/text_encoder_2/model-00002-of-00003.safetensors"
    let vae = checkpoint + "/causal_video_vae/diffusion_pytorch_model.safetensors"
    let config = checkpoint + "/diffusion_transformer_384p/config.json"
    func edit(_ path: String, _ from: String, _ to: String) throws {
      let bytes = try #require(FileManager.default.contents(atPath: path))
      let range = try #require(bytes.range(of: Data(from.utf8)))
      try (bytes[..<range.lowerBound] + Data(to.utf8) + bytes[range.upperBound...]).write(
        to: URL(fileURLWithPath: path))
    }
    var path = checkpoint
    switch fault {
    case "missing shard": try FileManager.default.removeItem(atPath: shard)
    case "missing tensor": try edit(config, "\"num_layers\": 2", "\"num_layers\": 3")
    case "wrong shape": try edit(config, "\"joint_attention_dim\": 64", "\"joint_attention_dim\": 63")
    case "extra tensor": try edit(config, "\"num_layers\": 2", "\"num_layers\": 1")
    case "truncated file":
      try FileHandle(forUpdating: URL(fileURLWithPath: vae)).truncate(atOffset: 100_000)
    case "Git-LFS pointer":
      try Data("version https://git-lfs.github.com/spec/v1\n".utf8).write(to: URL(fileURLWithPath: vae))
    case "not a checkpoint": path = checkpoint + "/tokenizer"
    case "no folder": path = folder + "/absent"
    case "missing config": try FileManager.default.removeItem(atPath: config)
    case "missing tokenizer":
      try FileManager.default.removeItem(atPath: checkpoint + "/tokenizer_2/spiece.model")
    case "malformed config": try edit(config, "\"num_layers\": 2", "\"num_layers\": 2,,")
    default: try FileManager.default.removeItem(atPath: vae)
    }
    let result = try run("convert", path, "--output", "model", "--quiet")
    #expect(result.code == Int32(code), "\(result.errors)")
    let first = result.errors.split(separator: "\n").first ?? ""
    #expect(first.hasPrefix("benben: error: ") && first.split(separator: ": ").count >= 5, "\(first)")
    #expect(entries == ["checkpoint"])
  }

  private func files(in path: String) -> [String] {
    (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).filter {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path + "/" + $0, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  /// The hashes of all tensors of a model, by component and name.
  private func hashes(_ model: String) throws -> [String: String] {
    var hashes: [String: String] = [:]
    for file in files(in: model) where file.hasSuffix(".benben") {
      let bytes = Array(try #require(FileManager.default.contents(atPath: model + "/" + file)))
      let length = bytes[16..<24].reversed().reduce(0) { $0 << 8 | Int($1) }
      let header = try JSONValue(parsing: Array(bytes[64..<64 + length]))
      for tensor in try #require(header["tensors"]?.array) {
        hashes["\(file)/\(tensor["name"]?.string ?? "")"] = tensor["sha256"]?.string
      }
    }
    return hashes
  }

  /// Whichever file is missing: the message names it, and where it is to be had.
  @Test(arguments: ["miniflux", "sd3"])
  func namesEveryMissingFile(fixture: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy(fixture)
    for file in files(in: checkpoint) {
      let path = checkpoint + "/" + file
      try FileManager.default.moveItem(atPath: path, toPath: folder + "/away")
      let result = try run("convert", checkpoint, "--output", "model", "--quiet")
      #expect(result.code == 66, "\(file): \(result.errors)")
      #expect(
        result.errors.split(separator: "\n").first?.contains((file as NSString).lastPathComponent) == true,
        "\(file): \(result.errors)")
      #expect(result.errors.contains("huggingface.co/rain1011/pyramid-flow-\(fixture)"), "\(result.errors)")
      try FileManager.default.moveItem(atPath: folder + "/away", toPath: path)
    }
  }

  @Test(arguments: ["miniflux", "sd3"])
  func recognisesRenamedFiles(fixture: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy(fixture)
    let original = try hashes(try convert(fixture, "bf16"))
    for (index, file) in files(in: checkpoint).enumerated() {
      let renamed = (file as NSString).deletingLastPathComponent + "/file-\(97 * index % 50)"
      try FileManager.default.moveItem(atPath: checkpoint + "/" + file, toPath: checkpoint + "/" + renamed)
    }
    let result = try run("convert", checkpoint, "--output", "renamed", "--type", "bf16", "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    #expect(try hashes(folder + "/renamed") == original && original.count > 100)
    let report = try run(
      "verify", "renamed", "--golden", "\(Self.fixtures)/\(fixture)/golden.h5", "--mode", "teacher-forced",
      "--quiet")
    #expect(report.code == 0, "\(report.errors)")
  }

  /// Single files give the tensors of the folder, whatever they are called.
  @Test func assemblesSingleFiles() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy("sd3")
    func file(_ path: String, _ name: String) throws -> String {
      try FileManager.default.moveItem(atPath: "\(checkpoint)/\(path)", toPath: "\(folder)/\(name)")
      return name
    }
    let arguments = [
      "--diffusion-transformer", try file("diffusion_transformer_384p/diffusion_pytorch_model.bin", "a.pt"),
      "--vae", try file("causal_video_vae/diffusion_pytorch_model.bin", "b"),
      "--t5", checkpoint + "/text_encoder_3", "--clip", try file("text_encoder_2/model.safetensors", "c"),
      "--clip", try file("text_encoder/model.safetensors", "d"), "--tokenizers", checkpoint,
    ]
    let result = try run(["convert", "--output", "assembled", "--json", "-"] + arguments)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains("num_attention_heads"))
    #expect(try hashes(folder + "/assembled") == hashes(try keepingTypes("sd3")))
    let inspection = try run("inspect", "assembled", "--json").json
    #expect(
      inspection?["family"] == "sd3"
        && inspection?["uses"]?.array?.allSatisfy { $0["possible"] == true } == true)

    // A file named for what it is not, and parts that are not there.
    for (arguments, reason) in [
      (["--vae", "d"], "CLIP text encoder"), (["--t5", "b"], "causal video VAE"),
      (["--clip", "c", "--clip", "d"], "tokenizers"), (["--vae", "b", "--component", "x"], "--component"),
      (["--vae", "absent"], "absent"), (["--vae", "b", "--variant", "../x"], "--variant"),
    ] {
      let refused = try run(["convert", "--output", "refused", "--quiet"] + arguments)
      #expect(refused.code != 0 && refused.errors.contains(reason), "\(refused.errors)")
    }
    #expect(!entries.contains("refused"))
  }

  /// Both CLIPs of SD3 in one file, each under a prefix of its own.
  @Test func takesTwoComponentsFromOneFile() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = "\(Self.fixtures)/sd3/checkpoint"
    let clips = ["text_encoder", "text_encoder_2"]
    let apart = try run(
      ["convert", checkpoint, "--output", "apart", "--quiet"] + clips.flatMap { ["--component", $0] })
    #expect(apart.code == 0, "\(apart.errors)")
    #expect(try run("export", "apart", "--output", "both.safetensors", "--quiet").code == 0)
    let together = try run(
      "convert", "--clip", "both.safetensors", "--tokenizers", checkpoint, "--output", "together", "--quiet")
    #expect(together.code == 0, "\(together.errors)")
    #expect(try hashes(folder + "/together") == hashes(folder + "/apart"))
  }

  /// The fixture converted without changing a type.
  private func keepingTypes(_ fixture: String) throws -> String {
    let result = try run(
      "convert", "\(Self.fixtures)/\(fixture)/checkpoint", "--output", "kept", "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    return folder + "/kept"
  }

  @Test func saysWhatIsMissingForWhichUse() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy("miniflux")
    func missing() throws -> [String]? {
      let inspection = try run("inspect", checkpoint, "--json").json
      #expect(inspection?["family"] == "miniflux")
      return inspection?["uses"]?.array?.first { $0["use"] == "image-to-video" }?["missing"]?.array?
        .compactMap(\.string)
    }
    #expect(try missing() == [])
    try FileManager.default.removeItem(atPath: checkpoint + "/text_encoder_2/config.json")
    try FileManager.default.removeItem(atPath: checkpoint + "/tokenizer")
    #expect(try missing() == ["text_encoder_2", "tokenizer"])
    try FileManager.default.moveItem(
      atPath: checkpoint + "/diffusion_transformer_384p", toPath: checkpoint + "/diffusion_transformer_image")
    #expect(try missing()?.first?.hasPrefix("diffusion_transformer_") == true)
    #expect(try run("inspect", checkpoint).output.contains("incomplete: text_encoder_2: config.json"))
  }

  @Test func startsFromAnImage() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("sd3", "bf16")
    func generate(_ output: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "generate", model, "--prompt", "x", "--output", output, "--width", "64", "--height", "64",
          "--steps",
          "1,1,1", "--quiet",
        ] + more)
    }
    let image = "\(Self.fixtures)/media/block.jpg"
    let result = try generate("a", "--image", image, "--temp", "2", "--seed", "3")
    #expect(result.code == 0, "\(result.errors)")
    #expect(files(in: folder + "/a").count == 9)
    #expect(try generate("b", "--image", image, "--temp", "1").code == 64)
    #expect(try generate("b", "--image", "absent.png").code == 66)
    #expect(try generate("b", "--image", "\(Self.fixtures)/README.md").code == 65)
    let tooLong = try generate("b", "--temp", "17")
    #expect(tooLong.code == 64 && tooLong.errors.contains("at most 16"), "\(tooLong.errors)")
    let tooLarge = try generate("b", "--temp", "1", "--width", "1088", "--height", "1088")
    #expect(tooLarge.code == 64 && tooLarge.errors.contains("512"), "\(tooLarge.errors)")
  }

  @Test func replacesNothingButModels() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = try copy("miniflux")
    let before = try FileManager.default.subpathsOfDirectory(atPath: checkpoint).count
    #expect(try run("convert", checkpoint, "--output", checkpoint, "--force", "--quiet").code == 73)
    #expect(try FileManager.default.subpathsOfDirectory(atPath: checkpoint).count == before)
    for output in ["", ".", "..", "/"] {
      #expect(
        try run("convert", checkpoint, "--output", output, "--force", "--quiet").code == 64, "\(output)")
    }
    #expect(try run("convert", checkpoint, "--output", "model", "--quiet").code == 0)
    #expect(try run("convert", checkpoint, "--output", "model", "--quiet").code == 73)
    #expect(try run("convert", checkpoint, "--output", "model", "--force", "--quiet").code == 0)
    try Data().write(to: URL(fileURLWithPath: folder + "/model/notes.txt"))
    #expect(try run("convert", checkpoint, "--output", "model", "--force", "--quiet").code == 73)
    #expect(entries == ["checkpoint", "model"])
  }

  @Test func aFullDeviceIsAnErrorAndNoTrap() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    #expect(try run("inspect", model, "--json", output: "/dev/full").code == 74)
    #expect(try run("check", model, "--json", "/dev/full", "--quiet").code != 0)
  }

  @Test func generatesFromASeed() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes", "bf16")
    func generate(_ output: String, _ seed: String) throws -> Outcome {
      try run(
        "generate", model, "--prompt", "a blue square moving left", "--output", output, "--width", "64",
        "--height",
        "64", "--temp", "2", "--steps", "2,1,1", "--video-steps", "1,1,1", "--seed", seed, "--quiet")
    }
    for output in ["a", "b", "c.mp4", "d.gif"] { #expect(try generate(output, "7").code == 0) }
    #expect(try generate("e", "8").code == 0)
    let frames = ["a", "b", "e"].map {
      FileManager.default.contents(atPath: "\(folder)/\($0)/frame_0008.png")
    }
    #expect(frames[0] != nil && frames[0] == frames[1] && frames[0] != frames[2])
    #expect(entries == ["a", "b", "c.mp4", "d.gif", "e", "model"])
  }

  /// A GPU's draws are other ones, of which kind may be left open.
  @Test func generatesFromTheSeedOfAGPU() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes", "bf16")
    func generate(_ output: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "generate", model, "--prompt", "a red ball", "--output", output, "--width", "64", "--height", "64",
          "--temp", "1", "--steps", "1,1,1", "--seed", "42",
        ] + more)
    }
    #expect(try generate("cpu.png", "--rng", "torch-cpu").code == 0)
    let open = try generate("open.png", "--rng", "torch-cuda")
    #expect(open.code == 0 && open.errors.contains("noise as an A100 draws it"), "\(open.errors)")
    let named = try generate("named.png", "--rng", "torch-cuda", "--gpu", "108x2048")
    #expect(named.code == 0 && !named.errors.contains("A100"), "\(named.errors)")
    let images = ["open", "named", "cpu"].map { FileManager.default.contents(atPath: "\(folder)/\($0).png") }
    #expect(images[0] != nil && images[0] == images[1] && images[0] != images[2])
    #expect(try generate("x.png", "--gpu", "A100").code == 64)
  }

  @Test func writesTheNoiseOfASeed() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func noise(_ more: String...) throws -> Outcome {
      try run(
        ["noise", "--seed", "42", "--shape", "3,1", "--shape", "2", "--output", "n.safetensors"] + more)
    }
    #expect(try noise().code == 0)
    let file = try #require(FileManager.default.contents(atPath: folder + "/n.safetensors"))
    let values = file.suffix(20).withUnsafeBytes { bytes in
      (0..<5).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    // torch.manual_seed(42); torch.randn(3, 1); torch.randn(2)
    let expected: [Float] = [
      0.33669036626815796, 0.12880940735340118, 0.23446236550807953, 0.23033303022384644, -1.1228563785552979,
    ]
    #expect(values == expected)
    #expect(try noise().code == 73)
    #expect(try noise("--force", "--shape", "2,0").code == 64)
  }

  /// Nobody should wait for an hour to learn it.
  @Test func refusesOutputsThatCannotBeReplacedBeforeItWorks() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes", "bf16")
    for name in ["notes", "clip.mp4"] {
      try FileManager.default.createDirectory(
        atPath: folder + "/" + name, withIntermediateDirectories: false)
      try Data().write(to: URL(fileURLWithPath: folder + "/\(name)/README"))
    }
    try Data().write(to: URL(fileURLWithPath: folder + "/file"))
    func generate(_ output: String, _ more: String...) throws -> Outcome {
      try run(["generate", model, "--prompt", "x", "--temp", "16", "--output", output] + more)
    }
    for output in ["notes", "clip.mp4", "file"] {
      let outcome = try generate(output)
      #expect(outcome.code == 73 && outcome.errors.contains("the output exists"), "\(outcome.errors)")
      #expect(!outcome.errors.contains("generating"))
    }
    #expect(try generate("new", "--embeddings", "nowhere/texts.safetensors").code == 73)
  }

  /// An interrupted run goes on where it stood, and makes the clip of one that was not; embeddings are not computed twice.
  @Test func takesUpWhatAnEarlierRunKept() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes", "bf16")
    func arguments(_ output: String, _ more: String...) -> [String] {
      [
        "generate", model, "--prompt", "a red ball", "--output", output, "--width", "128", "--height", "128",
        "--temp", "2", "--steps", "1,1,1", "--video-steps", "150,150,150", "--embeddings",
        "texts.safetensors",
        "--quiet",
      ] + more
    }
    #expect(try run(arguments("whole")).code == 0)
    let interrupted = Process()
    interrupted.executableURL = Self.program
    interrupted.arguments = arguments("parts", "--resume")
    interrupted.currentDirectoryURL = URL(fileURLWithPath: folder)
    interrupted.standardError = FileHandle.nullDevice
    try interrupted.run()
    let deadline = Date.now + 60
    while !entries.contains("parts.latents"), Date.now < deadline { usleep(2000) }
    interrupted.interrupt()
    interrupted.waitUntilExit()
    #expect(interrupted.terminationStatus == 130)
    #expect(entries == ["model", "parts.latents", "texts.safetensors", "whole"])

    let other = try run(arguments("parts", "--resume", "--seed", "1"))
    #expect(other.code == 64 && other.errors.contains("another run"), "\(other.errors)")
    let resumed = try run(arguments("parts", "--resume").filter { $0 != "--quiet" })
    #expect(resumed.code == 0 && resumed.errors.contains("going on after 1 of 2"), "\(resumed.errors)")
    for frame in 0..<9 {
      let name = "frame_000\(frame).png"
      let frames = ["whole", "parts"].map { FileManager.default.contents(atPath: "\(folder)/\($0)/\(name)") }
      #expect(frames[0] != nil && frames[0] == frames[1], "\(name)")
    }
    #expect(entries == ["model", "parts", "texts.safetensors", "whole"])

    let otherText = try run(arguments("c") + ["--negative-prompt", "x"])
    #expect(otherText.code == 64 && otherText.errors.contains("another run"), "\(otherText.errors)")
    try Data(repeating: 0, count: 100).write(to: URL(fileURLWithPath: folder + "/texts.safetensors"))
    #expect(try run(arguments("c")).code == 65)
  }

  @Test func saysWhatARunNeeds() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes", "int8")
    func generate(_ limit: String) throws -> Outcome {
      try run(
        "generate", model, "--prompt", "x", "--output", "x.png", "--width", "64", "--height", "64", "--steps",
        "1,1,1", "--memory-limit", limit)
    }
    let refused = try generate("50MB")
    #expect(refused.code == 64 && refused.errors.contains("does not fit"), "\(refused.errors)")
    let ran = try generate("1.5 GB")
    #expect(ran.code == 0 && ran.errors.contains("at once"), "\(ran.errors)")
    #expect(try generate("many").code == 64)
  }

  @Test func speaksOfMisuse() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for arguments in [
      ["nonsense"], ["convert", "x"], ["convert", "x", "--output", "y", "--type", "int3"],
      ["convert", "x", "--output", "y", "--tensor-type", "("], ["verify", "m"],
      ["generate", "m", "--prompt", "x"],
      ["generate", "m", "--prompt", "x", "--output", "y.avi"], ["check", "m", "--threads", "0"],
      ["generate", "m", "--prompt", "x", "--output", "y", "--steps", "1,2"],
      ["verify", "m", "--golden", "g", "--shard", "1//2"],
    ] {
      let process = try run(arguments)
      #expect(process.code == 64, "\(arguments): \(process.errors)")
      #expect(process.errors.hasPrefix("benben: error: usage: "))
    }
    #expect(try run("--version").output.contains("0.1"))
    #expect(try run("help", "verify").code == 0)
    #expect(try run("check", "absent").code == 66)
    #expect(try run("inspect", "absent").code == 66)
    let model = try convert()
    #expect(
      try run("generate", model, "--prompt", "x", "--output", "y.mp4", "--width", "100").errors.contains(
        "64 or 128"))
  }

  @Test func inspectsAnything() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let checkpoint = "\(Self.fixtures)/miniflux/checkpoint"
    let model = try convert()
    for path in [
      checkpoint, checkpoint + "/text_encoder/model.safetensors",
      checkpoint + "/text_encoder_2/model.safetensors.index.json", model, model + "/text_encoder.benben",
    ] {
      let result = try run("inspect", path, "--json")
      #expect(result.code == 0, "\(result.errors)")
      #expect(result.json?["tensors"]?.array?.isEmpty == false)
    }
    #expect(try run("inspect", model, "--json").json?["source"]?["text_encoder"]?.array?.count == 1)
  }
}
