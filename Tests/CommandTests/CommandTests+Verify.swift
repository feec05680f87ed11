import Foundation
import JSON
import Media
import Parity
import Tensors
import Testing

extension CommandTests {
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
          ? [b, g, r]
          : kind == .rotatedChannels
            ? [g, b, r] : [luma + 1.5748 * cr, luma - 0.187324 * cb - 0.468124 * cr, luma + 1.8556 * cb]
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

  /// A golden without its first frame, or with a frame too many, is compared as far as it goes; without its length it is not of
  /// this run.
  @Test func saysThatFramesAreMissing() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("shapes")
    let golden = "\(Self.fixtures)/shapes/golden"
    let clip = try ClipReader.read(golden + ".mp4", maximumFrames: 100)
    let size = clip.width * clip.height * 3
    func verify(_ frames: [UInt8]) throws -> Outcome {
      try ClipWriter.write(
        frames, width: clip.width, height: clip.height, framesPerSecond: 24, to: folder + "/changed.mp4",
        quality: .official)
      return try run(
        "verify", model, "--golden", "changed.mp4", "--trace", golden + ".h5", "--json", "-", "--quiet")
    }
    let short = try verify(Array(clip.frames.dropFirst(size)))
    #expect(short.code == 1)
    #expect(short.json?["frames"]?["difference"]?["kind"] == "one-frame-early")
    #expect(short.json?["frames"]?["explanations"]?.array?.first == "the golden has 8 frames, the run 9")
    let long = try verify(clip.frames + clip.frames.suffix(size))
    #expect(long.code == 1)
    #expect(long.json?["frames"]?["explanations"] == ["the golden has 10 frames, the run 9"])
    #expect(try verify(clip.frames + clip.frames).code == 65)

    // What another encoder loses is not known.
    try ClipWriter.write(
      Array(clip.frames.dropFirst(size)), width: clip.width, height: clip.height, framesPerSecond: 24,
      to: folder + "/changed.gif")
    let other = try run(
      "verify", model, "--golden", "changed.gif", "--trace", golden + ".h5", "--json", "-", "--quiet")
    let explanations = other.json?["frames"]?["explanations"]?.array?.compactMap(\.string) ?? []
    #expect(explanations.last?.contains("encoded as gif") == true, "\(explanations)")
  }

  /// Nothing simple makes the clip of other weights the golden one.
  @Test func saysThatThePicturesDiffer() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let golden = "\(Self.fixtures)/shapes/golden"
    let outcome = try run("verify", model, "--golden", golden + ".mp4", "--json", "report.json")
    #expect(
      outcome.code == 1 && outcome.output.contains("the pictures themselves differ"), "\(outcome.output)")
    let report = try JSONValue(parsing: try contents("report.json"))
    #expect(report["frames"]?["difference"] == .null)
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
    let shown = try #require(data["bundles"]?.array?.first)
    #expect(shown["report"] == outcome.json)
    let frames = try #require(shown["clip"]?["frames"]?.array)
    #expect(frames.count == 17)
    let text = try #require(frames[3]["ours"]?.string)
    let png = try #require(Data(base64Encoded: text))
    try png.write(to: URL(fileURLWithPath: folder + "/frame.png"))
    let picture = try ClipReader.read(folder + "/frame.png", maximumFrames: 1)
    #expect(picture.width == 128 && picture.height == 64)
    #expect(try run("verify", model, "--golden", golden, "--report", "no/page.html", "--quiet").code == 73)
  }

  /// A golden bundle of one of the fixtures' traces, as `tools/record_golden.py` writes it.
  private func writeBundle(
    _ path: String, _ fixture: String, hash: String? = nil, bytes: Int? = nil, file: String? = nil
  )
    throws
  {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try? FileManager.default.copyItem(
      atPath: "\(Self.fixtures)/\(fixture)/golden.h5", toPath: path + "/golden.h5")
    let trace = try InputFile(path: path + "/golden.h5")
    let row: JSONValue = [
      "path": .string(file ?? "golden.h5"), "bytes": .integer(bytes ?? trace.size),
      "sha256": .string(try hash ?? trace.sha256()),
    ]
    let weights: JSONValue = ["path": "text_encoder/model.safetensors", "bytes": 1, "sha256": "other"]
    let manifest: JSONValue = [
      "schema": "benben.bundle/1", "files": [row], "device": "x86_64", "checkpoint": [weights],
    ]
    try manifest.prettyText.write(toFile: path + "/manifest.json", atomically: true, encoding: .utf8)
  }

  /// Verified by its trace, unless a file is not the one that its manifest lists.
  @Test func verifiesBundles() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let bundle = folder + "/bundle"
    func verify() throws -> Outcome {
      try run("verify", model, "--golden", bundle, "--mode", "teacher-forced", "--json", "-", "--quiet")
    }
    try writeBundle(bundle, "miniflux")
    let report = try verify()
    #expect(report.code == 0 && report.json?["passed"] == true, "\(report.errors)")
    #expect(report.json?["golden"]?["recorded"] == ["device": "x86_64"])
    #expect(report.json?["golden"]?["otherFiles"] == ["text_encoder"])
    let damages: [(hash: String?, bytes: Int?, file: String?)] = [
      (String(repeating: "0", count: 64), nil, nil), (nil, 1, nil), (nil, nil, "../golden.h5"),
      (nil, nil, "clip.mp4"),
    ]
    for damage in damages {
      try writeBundle(bundle, "miniflux", hash: damage.hash, bytes: damage.bytes, file: damage.file)
      let refused = try verify()
      #expect(refused.code == 65, "\(refused.errors)")
      #expect(refused.errors.contains("bundle"))
    }
    #expect(try run("verify", model, "--golden", bundle, "--shard", "1/2").code == 64)
  }

  /// One that the recorder wrote, of a run in bf16.
  @Test func verifiesARecordedBundle() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let bundle = "\(Self.fixtures)/bundle"
    for type in ["bf16", "int8"] {
      let model = try convert("shapes", type)
      let right = try run("verify", model, "--golden", bundle, "--json", "-", "--quiet")
      #expect(right.code == 0, "\(right.output)")
      #expect(right.json?["golden"]?["otherFiles"] == [])
      #expect(right.json?["golden"]?["recorded"]?["level"]?.string == "steps")
      try FileManager.default.removeItem(atPath: model)
    }
    let wrong = try run("verify", try convert("miniflux"), "--golden", bundle)
    #expect(wrong.code == 1)
    #expect(
      wrong.output.contains(
        "recorded from other files than the model's causal_video_vae, diffusion_transformer_384p"))
  }

  private func contents(_ name: String) throws -> String {
    try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
  }

  /// Three shards of eight bundles give what one run gives, to the byte; of the eight, one is damaged, one is of another
  /// model and one is not there.
  @Test func shardsOfASuiteMergeToOneReport() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert("miniflux")
    let suite = folder + "/suite"
    var rows: [JSONValue] = []
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
      let path = "\(suite)/\(name)"
      try writeBundle(path, name == "e" ? "shapes" : "vae_tiled", bytes: name == "c" ? 1 : nil)
      rows.append([
        "name": .string(name),
        "manifestSha256": .string(try InputFile(path: path + "/manifest.json").sha256()),
      ])
    }
    let list: JSONValue = ["schema": "benben.golden-suite/1", "bundles": .array(rows)]
    try list.prettyText.write(toFile: suite + "/suite.json", atomically: true, encoding: .utf8)
    try FileManager.default.removeItem(atPath: suite + "/g")
    func verify(_ name: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "verify", model, "--golden", suite, "--mode", "teacher-forced", "--json", name + ".json",
          "--report",
        ]
          + [name + ".html", "--junit", name + ".xml"] + more)
    }
    let whole = try verify("whole")
    #expect(whole.code == 1, "\(whole.errors)")
    #expect(whole.output.contains("5 of 8 goldens match"), "\(whole.output)")
    #expect(whole.errors.contains("golden 8/8, h: ok"))
    let parts = try (1...3).map { try verify("part\($0)", "--shard", "\($0)/3") }
    #expect(parts.map(\.code) == [1, 1, 1], "\(parts.map(\.output))")
    #expect(parts[0].output.contains("2 of 3 goldens match, of 8 in the suite"), "\(parts[0].output)")
    for kind in ["html", "json"] {
      let shards = [3, 1, 2].map { "part\($0).\(kind)" }
      let merged = try run(
        ["report", "merge"] + shards + ["--json", "all.json", "--report", "all.html", "--junit", "all.xml"])
      #expect(merged.code == 1 && merged.output == whole.output, "\(merged.errors)")
      #expect(try contents("all.json") == contents("whole.json"))
      #expect(try contents("all.xml") == contents("whole.xml"))
      // JSON reports hold no pictures.
      #expect(try (contents("all.html") == contents("whole.html")) == (kind == "html"))
    }
    let report = try JSONValue(parsing: try contents("whole.json"))
    let bundles = try #require(report["bundles"]?.array)
    #expect(bundles.map { $0["passed"] == true } == [true, true, false, true, false, true, false, true])
    for (index, word) in [(2, "damaged"), (4, "another model"), (6, "no golden bundle")] {
      #expect(bundles[index]["error"]?.string?.contains(word) == true, "\(bundles[index])")
    }
    #expect(try run("report", "merge", "part1.json", "part3.json").code == 66)
    #expect(try run("report", "merge", "part1.json", "part1.json").code == 65)
    #expect(try run("verify", model, "--golden", suite, "--shard", "4/3").code == 64)
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

  /// Flips the high exponent bit of one weight of the transformer; once more restores it.
  private func flipWeight(_ name: String, of model: String) throws {
    let file = model + "/diffusion_transformer_384p.benben"
    let header = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = Int(header[16]) | Int(header[17]) << 8 | Int(header[18]) << 16
    let json = try JSONValue(parsing: Array(header[64..<64 + length]))
    let dataStart = (64 + length + 4095) / 4096 * 4096
    let tensor = try #require(json["tensors"]?.array?.first { $0["name"]?.string == name })
    try flip(file, at: dataStart + (try #require(tensor["offset"]?.integer)) + 4 * 100 + 3, bit: 0x40)
  }

  @Test func aDamagedWeightIsFoundWhereItActs() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    for block in ["single_transformer_blocks.1", "transformer_blocks.0"] {
      let name = block + (block.hasPrefix("single") ? ".proj_mlp.weight" : ".attn.to_q.weight")
      try flipWeight(name, of: model)
      let check = try run("check", model, "--json", "-", "--quiet")
      #expect(check.code == 1 && check.json?["damage"]?.array?.first?["tensor"]?.string == name)
      let report = try run(
        "verify", model, "--golden", "\(Self.fixtures)/miniflux/golden.h5", "--mode", "teacher-forced",
        "--json", "-",
        "--quiet")
      #expect(report.code == 1)
      let first = try #require(report.json?["firstDivergence"]?.string)
      #expect(first.hasPrefix("activations/call0/\(block)/"), "\(first)")
      try flipWeight(name, of: model)
    }
    #expect(try run("check", model, "--quiet").code == 0)
  }

  /// A browser that can run without a window, where one is installed.
  private static let browser: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let programs = ["chromium", "chromium-browser", "google-chrome"].flatMap { name in
      folders.map { "\($0)/\(name)" }
    }
    return programs.first(where: FileManager.default.isExecutableFile)
  }()

  /// What a page's script finds out in a browser; it fails on anything that the page writes to the console.
  private func inBrowser(_ page: String, script: String) throws -> JSONValue {
    let probe = """
      <script type="module">
        const result = await (async () => { \(script) })();
        document.body.append(Object.assign(document.createElement("pre"), { id: "probe", textContent: JSON.stringify(result) }));
      </script></body>
      """
    let path = folder + "/probe.html"
    try page.replacingOccurrences(of: "</body>", with: probe).write(
      toFile: path, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.browser))
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000",
      "--user-data-dir=\(folder)/profile", "--dump-dom", "file://" + path,
    ]
    let (output, errorPath) = (Pipe(), folder + "/browser-log")
    _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: errorPath)
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let log = try String(contentsOfFile: errorPath, encoding: .utf8)
    #expect(!log.contains("CONSOLE"), "\(log)")
    let start = try #require(text.firstRange(of: "<pre id=\"probe\">")).upperBound
    let end = try #require(text[start...].firstRange(of: "</pre>")).lowerBound
    return try JSONValue(
      parsing: Array(
        text[start..<end].replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(
          of: "&gt;", with: ">"
        )
        .replacingOccurrences(of: "&amp;", with: "&").utf8))
  }

  /// The page of a model with one damaged block points at that block; its slider shows other frames; the other golden of the
  /// suite can be chosen.
  @Test(.enabled(if: browser != nil, "no Chromium is installed"))
  func aPageWorksInABrowser() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try convert()
    try flipWeight("transformer_blocks.1.attn.to_q.weight", of: model)
    try writeBundle(folder + "/suite/a", "vae_tiled")
    try writeBundle(folder + "/suite/b", "miniflux")
    let report = try run(
      "verify", model, "--golden", "suite", "--mode", "teacher-forced", "--report", "page.html", "--quiet")
    #expect(report.code == 1, "\(report.errors)")
    let seen = try inBrowser(
      try contents("page.html"),
      script: """
        const wait = () => new Promise(resolve => setTimeout(resolve, 1000));
        const text = selector => document.querySelector(selector)?.textContent ?? null;
        const pixels = index => {
          const canvas = document.querySelectorAll("canvas")[index];
          return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        };
        await wait();
        const marked = [...document.querySelectorAll("rect[stroke]")].map(cell => [cell.dataset.path, cell.dataset.passed]);
        const failed = [...document.querySelectorAll("rect[data-passed=false]")].map(cell => cell.dataset.path);
        const seen = { headline: text("#suite h1"), shown: text("#verdict h2"), marked, failed: failed[0] };
        seen.firstFrame = text(".controls span");
        const first = pixels(0);
        const slider = document.querySelector("input[type=range]");
        slider.value = 3;
        slider.dispatchEvent(new Event("input"));
        await wait();
        seen.fourthFrame = text(".controls span");
        const [golden, ours, difference] = [0, 1, 2].map(pixels);
        seen.pictureChanged = golden.some((value, index) => value !== first[index]);
        seen.differenceIsShown = difference.every((value, index) =>
          index % 4 === 3 || value === Math.min(255, 4 * Math.abs(golden[index] - ours[index])));
        document.querySelector("#suite a[href='#a']").click();
        await wait();
        seen.chosen = [text("#verdict h2"), text("#verdict .pass")];
        return seen;
        """)
    #expect(seen["headline"]?.string == "FAIL: 1 of 2 official clips are not computed")
    #expect(seen["shown"]?.string == "b")
    // The image's queries went wrong, so its stream does.
    let path = "activations/call0/transformer_blocks.1/1"
    #expect(seen["marked"]?.array?.map { $0.array?.compactMap(\.string) } == [[path, "false"]], "\(seen)")
    #expect(seen["failed"]?.string == path)
    #expect(seen["firstFrame"]?.string?.hasPrefix("frame 1 of 17: PSNR") == true, "\(seen)")
    #expect(seen["fourthFrame"]?.string?.hasPrefix("frame 4 of 17: PSNR") == true, "\(seen)")
    #expect(seen["pictureChanged"] == true && seen["differenceIsShown"] == true, "\(seen)")
    #expect(seen["chosen"]?.array?.compactMap(\.string) == ["a", "PASS: it computes the official clip"])
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
}
