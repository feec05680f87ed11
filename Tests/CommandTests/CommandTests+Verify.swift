import Clips
import Files
import Foundation
import JSON
import Media
import Parity
import Tensors
import TestSupport
import Testing

extension CommandTests {
  @Test(arguments: ["miniflux", "shapes", "sd3"])
  func convertedModelComputesTheGoldenClip(fixture: String) throws {
    let model = try convert(fixture)
    let golden = "\(Fixtures.path)/\(fixture)/golden"
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
    let model = try convert()
    let report = try run(
      "verify", model, "--golden", "\(Fixtures.path)/vae_tiled/golden.h5", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    try expectParity(report.json)
  }

  /// A golden video that something happened to and that was written again fails, and the report says what; the clip of
  /// miniflux is noise, most of whose chroma encoding takes.
  @Test(
    arguments: [
      ("miniflux", .oneFrameLate), ("miniflux", .oneFrameEarly), ("miniflux", .exchangedChannels),
      ("miniflux", .readAsBT709), ("miniflux", .rotatedChannels),
      ("shapes", .oneFrameLate), ("shapes", .oneFrameEarly), ("shapes", .exchangedChannels),
      ("shapes", .readAsBT709),
    ] as [(String, ClipAlteration)])
  func saysWhatHappenedToAVideo(fixture: String, kind: ClipAlteration) throws {
    let golden = "\(Fixtures.path)/\(fixture)/golden"
    let clip = try ClipReader.read(golden + ".mp4", maximumFrames: 100)
    let size = clip.width * clip.height * 3
    var frames = clip.bytes
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
          ? [b, g, r]
          : kind == .rotatedChannels
            ? [g, b, r] : [luma + 1.5748 * cr, luma - 0.187324 * cb - 0.468124 * cr, luma + 1.8556 * cb]
        for channel in 0..<3 { frames[pixel + channel] = UInt8(min(max(changed[channel], 0), 255)) }
      }
    }
    try ClipWriter.write(
      try #require(Clip(width: clip.width, height: clip.height, bytes: frames)), framesPerSecond: 24,
      to: folder + "/changed.mp4", quality: .official)
    let model = try convert(fixture)
    let outcome = try run(
      "verify", model, "--golden", "changed.mp4", "--trace", golden + ".h5", "--json", "-", "--quiet")
    #expect(outcome.code == 1, "\(outcome.errors)")
    #expect(outcome.json?["frames"]?["difference"]?["kind"]?.string == kind.rawValue, "\(outcome.output)")
  }

  /// A golden without its first frame, or with a frame too many, is compared as far as it goes; without its length it is not of
  /// this run.
  @Test func saysThatFramesAreMissing() throws {
    let model = try convert("shapes")
    let golden = "\(Fixtures.path)/shapes/golden"
    let clip = try ClipReader.read(golden + ".mp4", maximumFrames: 100)
    let size = clip.width * clip.height * 3
    func verify(_ frames: [UInt8]) throws -> Outcome {
      try ClipWriter.write(
        try #require(Clip(width: clip.width, height: clip.height, bytes: frames)), framesPerSecond: 24,
        to: folder + "/changed.mp4", quality: .official)
      return try run(
        "verify", model, "--golden", "changed.mp4", "--trace", golden + ".h5", "--json", "-", "--quiet")
    }
    let short = try verify(Array(clip.bytes.dropFirst(size)))
    #expect(short.code == 1)
    #expect(short.json?["frames"]?["difference"]?["kind"] == "one-frame-early")
    #expect(short.json?["frames"]?["explanations"]?.array?.first == "the golden has 8 frames, the run 9")
    let long = try verify(clip.bytes + clip.bytes.suffix(size))
    #expect(long.code == 1)
    #expect(long.json?["frames"]?["explanations"] == ["the golden has 10 frames, the run 9"])
    #expect(try verify(clip.bytes + clip.bytes).code == 65)

    // What another encoder loses is not known.
    try #require(Clip(width: clip.width, height: clip.height, bytes: Array(clip.bytes.dropFirst(size))))
      .write(to: folder + "/changed.gif")
    let other = try run(
      "verify", model, "--golden", "changed.gif", "--trace", golden + ".h5", "--json", "-", "--quiet")
    let explanations = other.json?["frames"]?["explanations"]?.array?.compactMap(\.string) ?? []
    #expect(explanations.last?.contains("encoded as gif") == true, "\(explanations)")
  }

  /// Nothing simple makes the clip of other weights the golden one.
  @Test func saysThatThePicturesDiffer() throws {
    let model = try convert("miniflux")
    let golden = "\(Fixtures.path)/shapes/golden"
    let outcome = try run("verify", model, "--golden", golden + ".mp4", "--json", "report.json")
    #expect(
      outcome.code == 1 && outcome.output.contains("the pictures themselves differ"), "\(outcome.output)")
    let report = try JSONValue(parsing: try contents("report.json"))
    #expect(report["frames"]?["difference"] == .null)
  }

  /// 20·log10(max|b| / RMSE) of the worst teacher-forced prediction against the golden: the bars of the project, which lie
  /// above what the official code loses when it computes in bf16 (34 to 40 dB).
  @Test(arguments: ["miniflux", "sd3", "shapes"], ["f16", "bf16", "int8", "int8-wide", "int8-int16"])
  func quantizedModelsStayClose(fixture: String, type: String) throws {
    let recipe = "\(Fixtures.path)/../../tools/recipes/\(type).json"
    let converted = try run(
      ["convert", "\(Fixtures.path)/\(fixture)/checkpoint", "--output", "model", "--quiet"]
        + (FileManager.default.fileExists(atPath: recipe) ? ["--recipe", recipe] : ["--type", type]))
    #expect(converted.code == 0, "\(converted.errors)")
    let report = try run(
      "verify", "model", "--golden", "\(Fixtures.path)/\(fixture)/golden.h5", "--json", "-", "--quiet")
    #expect(report.code == 0, "\(report.errors)")
    let stages = try #require(report.json?["stages"]?.array)
    let predictions = stages.filter { $0["path"]?.string?.hasSuffix("prediction") == true }
    let ratios = predictions.compactMap { $0["psnrDb"]?.double }
    let bars: [String: Double] = ["f16": 100, "bf16": 56, "int8": 47, "int8-wide": 52, "int8-int16": 52]
    #expect(ratios.count > 10 && ratios.allSatisfy { $0 >= bars[type] ?? .infinity }, "\(ratios)")
    let frames = try #require(report.json?["frames"])
    #expect(try #require(frames["ssimMean"]?.double) >= 0.95)
  }

  @Test func imageToVideoIsTheOfficialOne() throws {
    let report = try run(
      "verify", try convert(), "--golden", "\(Fixtures.path)/i2v/golden.h5", "--json", "-", "--quiet")
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

  /// Flips the high exponent bit of one weight of the transformer; once more restores it.
  func flipWeight(_ name: String, of model: String) throws {
    let file = model + "/diffusion_transformer_384p.benben"
    let header = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = Int(header[16]) | Int(header[17]) << 8 | Int(header[18]) << 16
    let json = try JSONValue(parsing: Array(header[64..<64 + length]))
    let dataStart = (64 + length + 4095) / 4096 * 4096
    let tensor = try #require(json["tensors"]?.array?.first { $0["name"]?.string == name })
    try flip(file, at: dataStart + (try #require(tensor["offset"]?.integer)) + 4 * 100 + 3, bit: 0x40)
  }

  @Test func aDamagedWeightIsFoundWhereItActs() throws {
    let model = try convert()
    for block in ["single_transformer_blocks.1", "transformer_blocks.0"] {
      let name = block + (block.hasPrefix("single") ? ".proj_mlp.weight" : ".attn.to_q.weight")
      try flipWeight(name, of: model)
      let check = try run("check", model, "--json", "-", "--quiet")
      #expect(check.code == 1 && check.json?["damage"]?.array?.first?["tensor"]?.string == name)
      let report = try run(
        "verify", model, "--golden", "\(Fixtures.path)/miniflux/golden.h5", "--mode", "teacher-forced",
        "--json", "-",
        "--quiet")
      #expect(report.code == 1)
      let first = try #require(report.json?["firstDivergence"]?.string)
      #expect(first.hasPrefix("activations/call0/\(block)/"), "\(first)")
      try flipWeight(name, of: model)
    }
    #expect(try run("check", model, "--quiet").code == 0)
  }

  /// Traces whose shapes are not those of their request, recorded for the miniFLUX fixture's family.
  @Test(arguments: [
    "odd-input", "fewer-channels", "permuted-shape", "narrow-negative", "other-length", "no-frames",
    "empty-datasets", "many-ids",
  ])
  func refusesTracesOfOtherShapes(name: String) throws {
    let model = try convert()
    let result = try run("verify", model, "--golden", "\(Fixtures.path)/hostile-traces/\(name).h5", "--quiet")
    #expect(result.code == 65, "\(result.errors)")
  }

  /// HDF5 itself does not bear these files, which the fuzzer found: only the process that reads them ends.
  ///
  /// Version 1.14.6 refuses the first two by itself.
  @Test(arguments: [
    ("heap", ["its reader was ended by signal", "attribute schema cannot be read"]),
    ("stray-pointer", ["its reader was ended by signal", "attribute schema cannot be read"]),
    ("endless", ["takes too long"]),
  ])
  func aFileThatEndsItsReaderIsRefused(name: String, answers: [String]) throws {
    let model = try convert()
    let result = try run("verify", model, "--golden", "\(Fixtures.path)/hostile-hdf5/\(name).h5")
    #expect(result.code == 65, "\(result.errors)")
    #expect(answers.contains(where: result.errors.contains), "\(result.errors)")
  }

  /// A chunk of 7 KB whose two filters make 4 GB of it: what reads it has no more memory than the trace declares.
  @Test func whatInflatesWithoutEndIsRefused() throws {
    let model = try convert("shapes")
    let start = ContinuousClock.now
    let result = try run("verify", model, "--golden", "\(Fixtures.path)/hostile-hdf5/inflating.h5")
    #expect(result.code == 65 && result.errors.contains("its values cannot be read"), "\(result.errors)")
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  /// A request that would take more memory than there is ends before it takes any.
  @Test func aRequestThatDoesNotFitIsRefused() throws {
    let model = try convert()
    let result = try run(
      "verify", model, "--golden", "\(Fixtures.path)/hostile-traces/huge-request.h5", "--quiet")
    #expect(result.code == 65 && result.errors.contains("the run does not fit"), "\(result.errors)")
  }
}
