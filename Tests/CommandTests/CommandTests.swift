import Foundation
import JSON
import Media
import Parity
import Tensors
import Testing

/// The command as a user runs it: a process with arguments, output and an exit code.
@Suite(.serialized) struct CommandTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path
  private static let program: URL = {
    // The tests are built beside the program.
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("benben")
    if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
    // Swift Testing may be run by a helper: then the bundle's path is its argument.
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("benben")
  }()

  private let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "benben-command-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private struct Outcome {
    let code: Int32
    let output: String
    let errors: String
    var json: JSONValue? { try? JSONValue(parsing: output) }
  }

  private func run(
    _ arguments: String..., environment: [String: String] = [:], output: String? = nil
  ) throws -> Outcome {
    try run(arguments, environment: environment, output: output)
  }

  private func run(
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

  private var entries: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  private func copy(_ fixture: String) throws -> String {
    let path = folder + "/checkpoint"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(fixture)/checkpoint", toPath: path)
    return path
  }

  private func flip(_ path: String, at offset: Int, bit: UInt8) throws {
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.seek(toOffset: UInt64(offset))
    let byte = try #require(try handle.read(upToCount: 1)?.first)
    try handle.seek(toOffset: UInt64(offset))
    try handle.write(contentsOf: [byte ^ bit])
    try handle.close()
  }

  private func convert(_ fixture: String = "miniflux", _ type: String = "f32") throws -> String {
    let result = try run(
      "convert", "\(Self.fixtures)/\(fixture)/checkpoint", "--output", "model", "--type", type, "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    return folder + "/model"
  }

  /// Bars of the project against the official implementation.
  private func expectParity(_ report: JSONValue?) throws {
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

  @Test(arguments: ["miniflux", "shapes", "sd3"])
  func convertedModelComputesTheGoldenClip(fixture: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert(fixture)
    let golden = "\(Self.fixtures)/\(fixture)/golden"
    let report = try run(
      "verify", model, "--golden", golden + ".h5", "--mode", "both", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    try expectParity(report.json)
    let paths = Set(try #require(report.json?["stages"]?.array).compactMap { $0["path"]?.string })
    for path in [
      "text/prompt/t5_embeds", "dit/unit1/stage2/step1/prediction", "vae/output", "latents/unit1/stage2",
    ] {
      #expect(paths.contains(path), "\(path)")
    }
    let video = try run("verify", model, "--golden", golden + ".mp4", "--quiet")
    #expect(video.code == 0, "\(video.errors)")
  }

  @Test func tiledDecodingIsTheOfficialOne() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    let report = try run(
      "verify", model, "--golden", "\(Self.fixtures)/vae_tiled/golden.h5", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    try expectParity(report.json)
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

  /// A golden video that something happened to fails, and the report says what.
  ///
  /// Not told is a wrong matrix on a clip of noise: what encoding loses of its colours is more than that.
  @Test(
    arguments: [
      ("miniflux", .oneFrameLate), ("miniflux", .oneFrameEarly), ("miniflux", .exchangedChannels),
      ("shapes", .oneFrameLate), ("shapes", .oneFrameEarly), ("shapes", .exchangedChannels),
      ("shapes", .readAsBT709),
    ] as [(String, FrameDifference)])
  func saysWhatHappenedToAVideo(fixture: String, kind: FrameDifference) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let golden = "\(Self.fixtures)/\(fixture)/golden"
    let clip = try ClipReader.read(golden + ".mp4", maximumFrames: 100)
    let size = clip.width * clip.height * 3
    var frames = clip.frames
    switch kind {
    case .oneFrameLate: frames = Array(frames[..<size] + frames.dropLast(size))
    case .oneFrameEarly: frames = Array(frames[size...] + frames.suffix(size))
    default:
      for pixel in stride(from: 0, to: frames.count, by: 3) {
        let (r, g, b) = (Double(frames[pixel]), Double(frames[pixel + 1]), Double(frames[pixel + 2]))
        let luma = 0.299 * r + 0.587 * g + 0.114 * b
        let (cb, cr) = ((b - luma) / 1.772, (r - luma) / 1.402)
        let changed =
          kind == .exchangedChannels
          ? [b, g, r] : [luma + 1.5748 * cr, luma - 0.187324 * cb - 0.468124 * cr, luma + 1.8556 * cb]
        for channel in 0..<3 { frames[pixel + channel] = UInt8(min(max(changed[channel], 0), 255)) }
      }
    }
    try ClipWriter.write(
      frames, width: clip.width, height: clip.height, framesPerSecond: 24, to: folder + "/changed.mp4",
      quality: .official)
    let model = try convert(fixture)
    let outcome = try run(
      "verify", model, "--golden", "changed.mp4", "--trace", golden + ".h5", "--json", "-", "--quiet")
    #expect(outcome.code == 1, "\(outcome.errors)")
    #expect(outcome.json?["frames"]?["difference"]?["kind"]?.string == kind.rawValue, "\(outcome.output)")
  }

  /// The page carries the report and a PNG of each frame, and needs nothing else.
  @Test func writesAPage() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let golden = "\(Self.fixtures)/miniflux/golden.h5"
    let outcome = try run(
      "verify", model, "--golden", golden, "--mode", "free-running", "--report", "page.html", "--json", "-",
      "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let page = try String(contentsOfFile: folder + "/page.html", encoding: .utf8)
    #expect(!page.contains("src=\"") && !page.contains("href=\"") && page.firstRange(of: "@import") == nil)
    let start = try #require(page.firstRange(of: "id=\"data\">")).upperBound
    let end = try #require(page[start...].firstRange(of: "</script>")).lowerBound
    let data = try JSONValue(parsing: Array(page[start..<end].utf8))
    #expect(data["report"] == outcome.json)
    let frames = try #require(data["clip"]?["frames"]?.array)
    #expect(frames.count == 17)
    let text = try #require(frames[3]["ours"]?.string)
    let png = try #require(Data(base64Encoded: text))
    try png.write(to: URL(fileURLWithPath: folder + "/frame.png"))
    let picture = try ClipReader.read(folder + "/frame.png", maximumFrames: 1)
    #expect(picture.width == 128 && picture.height == 64)
    #expect(try run("verify", model, "--golden", golden, "--report", "no/page.html", "--quiet").code == 73)
  }

  /// A bundle as `tools/record_golden.py` writes it: verified by its trace, unless a file is not the one it lists.
  @Test func verifiesBundles() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let bundle = folder + "/bundle"
    try FileManager.default.createDirectory(atPath: bundle, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: "\(Self.fixtures)/miniflux/golden.h5", toPath: bundle + "/golden.h5")
    let trace = try SourceFile(path: bundle + "/golden.h5")
    func list(_ path: String, bytes: Int, _ hash: String) throws {
      let row: JSONValue = ["path": .string(path), "bytes": .integer(bytes), "sha256": .string(hash)]
      let manifest: JSONValue = ["schema": "benben.bundle/1", "files": [row]]
      try manifest.prettyText.write(toFile: bundle + "/manifest.json", atomically: true, encoding: .utf8)
    }
    func verify() throws -> Outcome {
      try run("verify", model, "--golden", bundle, "--mode", "teacher-forced", "--json", "-", "--quiet")
    }
    try list("golden.h5", bytes: trace.size, try trace.sha256())
    let report = try verify()
    #expect(report.code == 0 && report.json?["passed"] == true, "\(report.errors)")
    for (path, bytes, hash) in [
      ("golden.h5", trace.size, String(repeating: "0", count: 64)),
      ("golden.h5", trace.size + 1, try trace.sha256()), ("../golden.h5", trace.size, try trace.sha256()),
      ("clip.mp4", trace.size, try trace.sha256()),
    ] {
      try list(path, bytes: bytes, hash)
      let refused = try verify()
      #expect(refused.code == 65, "\(refused.errors)")
      #expect(refused.errors.contains("bundle"))
    }
  }

  /// 20·log10(max|b| / RMSE) of the worst teacher-forced prediction against the golden: the bars of the project, which lie
  /// above what the official code loses when it computes in bf16 (34 to 40 dB).
  @Test(arguments: ["miniflux", "sd3", "shapes"], ["f16", "bf16", "int8", "int8-wide", "int8-int16"])
  func quantizedModelsStayClose(fixture: String, type: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let recipe = "\(Self.fixtures)/../../tools/recipes/\(type).json"
    let converted = try run(
      ["convert", "\(Self.fixtures)/\(fixture)/checkpoint", "--output", "model", "--quiet"]
        + (FileManager.default.fileExists(atPath: recipe) ? ["--recipe", recipe] : ["--type", type]))
    #expect(converted.code == 0, "\(converted.errors)")
    let report = try run(
      "verify", "model", "--golden", "\(Self.fixtures)/\(fixture)/golden.h5", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    let stages = try #require(report.json?["stages"]?.array)
    let predictions = stages.filter { $0["path"]?.string?.hasSuffix("prediction") == true }
    let ratios = predictions.compactMap { $0["psnrDb"]?.double }
    let bars: [String: Double] = ["f16": 100, "bf16": 56, "int8": 47, "int8-wide": 52, "int8-int16": 52]
    #expect(ratios.count > 10 && ratios.allSatisfy { $0 >= bars[type] ?? .infinity }, "\(ratios)")
    let frames = try #require(report.json?["frames"])
    #expect(try #require(frames["ssimMean"]?.double) >= 0.95)
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
    // Neither the cheapest nor the dearest plan.
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
    let refused = try run("bench", part, "model", "--shape", "128x:1", "--repeat", "1")
    #expect(refused.code == 64 && refused.errors.contains("--shape"), "\(refused.errors)")
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

  @Test func imageToVideoIsTheOfficialOne() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let report = try run(
      "verify", try convert(), "--golden", "\(Self.fixtures)/i2v/golden.h5", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    try expectParity(report.json)
    let paths = Set(try #require(report.json?["stages"]?.array).compactMap { $0["path"]?.string })
    for path in [
      "vae/encode/input", "vae/encode/mean", "vae/encode/std", "dit/unit0/stage0/step0/input0",
      "dit/unit1/stage2/step1/prediction", "latents/unit1/stage2", "vae/input", "vae/output",
    ] {
      #expect(paths.contains(path), "\(path)")
    }
  }

  @Test func aDamagedWeightIsFoundWhereItActs() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    let file = model + "/diffusion_transformer_384p.benben"
    let header = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = Int(header[16]) | Int(header[17]) << 8 | Int(header[18]) << 16
    let json = try JSONValue(parsing: Array(header[64..<64 + length]))
    let dataStart = (64 + length + 4095) / 4096 * 4096
    for block in ["single_transformer_blocks.1", "transformer_blocks.0"] {
      let name = block + (block.hasPrefix("single") ? ".proj_mlp.weight" : ".attn.to_q.weight")
      let tensor = try #require(json["tensors"]?.array?.first { $0["name"]?.string == name })
      // The high exponent bit of one weight.
      let offset = dataStart + (try #require(tensor["offset"]?.integer)) + 4 * 100 + 3
      try flip(file, at: offset, bit: 0x40)
      let check = try run("check", model, "--json", "-", "--quiet")
      #expect(check.code == 1 && check.json?["damage"]?.array?.first?["tensor"]?.string == name)
      let report = try run(
        "verify", model, "--golden", "\(Self.fixtures)/miniflux/golden.h5", "--mode", "teacher-forced",
        "--json", "-",
        "--quiet")
      #expect(report.code == 1)
      let first = try #require(report.json?["firstDivergence"]?.string)
      #expect(first.hasPrefix("activations/call0/\(block)/"), "\(first)")
      try flip(file, at: offset, bit: 0x40)
    }
    #expect(try run("check", model, "--quiet").code == 0)
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

  /// Traces whose shapes are not those of their request, recorded for the miniFLUX fixture's family.
  @Test(arguments: [
    "odd-input", "fewer-channels", "permuted-shape", "narrow-negative", "other-length", "no-frames",
    "empty-datasets",
  ])
  func refusesTracesOfOtherShapes(name: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    let result = try run("verify", model, "--golden", "\(Self.fixtures)/hostile-traces/\(name).h5", "--quiet")
    #expect(result.code == 65, "\(result.errors)")
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
