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
  @Test func saysWhatTookHowLong() throws {
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

  @Test func startsFromAnImage() throws {
    let model = try convert("sd3", "bf16")
    func generate(_ output: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "generate", model, "--prompt", "x", "--output", output, "--width", "64", "--height", "64",
          "--steps",
          "1,1,1", "--quiet",
        ] + more)
    }
    let image = "\(Fixtures.path)/media/block.jpg"
    let result = try generate("a", "--image", image, "--temp", "2", "--seed", "3")
    #expect(result.code == 0, "\(result.errors)")
    #expect(files(in: folder + "/a").count == 9)
    #expect(try generate("b", "--image", image, "--temp", "1").code == 64)
    #expect(try generate("b", "--image", "absent.png").code == 66)
    #expect(try generate("b", "--image", "\(Fixtures.path)/README.md").code == 65)
    let tooLong = try generate("b", "--temp", "17")
    #expect(tooLong.code == 64 && tooLong.errors.contains("at most 16"), "\(tooLong.errors)")
    let tooLarge = try generate("b", "--temp", "1", "--width", "1088", "--height", "1088")
    #expect(tooLarge.code == 64 && tooLarge.errors.contains("512"), "\(tooLarge.errors)")
  }

  @Test func generatesFromASeed() throws {
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

  /// Nobody should wait for an hour to learn it.
  @Test func refusesOutputsThatCannotBeReplacedBeforeItWorks() throws {
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
    let model = try convert("shapes", "bf16")
    func arguments(_ output: String, _ more: String...) -> [String] {
      [
        "generate", model, "--prompt", "a red ball", "--output", output, "--width", "128", "--height", "128",
        "--temp", "2", "--steps", "1,1,1", "--video-steps", "50,50,50", "--embeddings",
        "texts.safetensors",
        "--quiet",
      ] + more
    }
    #expect(try run(arguments("whole")).code == 0)
    let interrupted = Process()
    interrupted.executableURL = Self.program
    interrupted.arguments = arguments("parts", "--resume", "--preview", "p.png")
    interrupted.currentDirectoryURL = URL(fileURLWithPath: folder)
    interrupted.standardError = FileHandle.nullDevice
    try interrupted.run()
    let deadline = Date.now + 60
    while !["parts.latents", "p.png"].allSatisfy(entries.contains), Date.now < deadline { usleep(2000) }
    interrupted.interrupt()
    interrupted.waitUntilExit()
    #expect(interrupted.terminationStatus == 130)
    #expect(entries == ["model", "p.png", "parts.latents", "texts.safetensors", "whole"])

    // What was shown is shown anew; a picture of another kind is not replaced.
    try FileManager.default.copyItem(
      atPath: folder + "/whole/frame_0000.png", toPath: folder + "/mine.png")
    let lost = try run(arguments("parts", "--resume", "--preview", "mine.png"))
    #expect(lost.code == 73 && lost.errors.contains("the output exists"), "\(lost.errors)")
    try FileManager.default.removeItem(atPath: folder + "/mine.png")
    let other = try run(arguments("parts", "--resume", "--seed", "1"))
    #expect(other.code == 64 && other.errors.contains("another run"), "\(other.errors)")
    let resumed = try run(arguments("parts", "--resume", "--preview", "p.png").filter { $0 != "--quiet" })
    #expect(resumed.code == 0 && resumed.errors.contains("going on after 1 of 2"), "\(resumed.errors)")
    for frame in 0..<9 {
      let name = "frame_000\(frame).png"
      let frames = ["whole", "parts"].map { FileManager.default.contents(atPath: "\(folder)/\($0)/\(name)") }
      #expect(frames[0] != nil && frames[0] == frames[1], "\(name)")
    }
    #expect(entries == ["model", "p.png", "parts", "texts.safetensors", "whole"])

    let otherText = try run(arguments("c") + ["--negative-prompt", "x"])
    #expect(otherText.code == 64 && otherText.errors.contains("another run"), "\(otherText.errors)")
    try Data(repeating: 0, count: 100).write(to: URL(fileURLWithPath: folder + "/texts.safetensors"))
    #expect(try run(arguments("c")).code == 65)
  }

  @Test func saysWhatARunNeeds() throws {
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

  @Test func saysWhatItDoesToAPictureAndAText() throws {
    let model = try convert()
    let picture = "\(Fixtures.path)/media/pictures"
    let names = try FileManager.default.contentsOfDirectory(atPath: picture).filter {
      !$0.hasPrefix("resized")
    }
    let path = try #require(names.sorted().first { $0.hasSuffix(".png") })
    let arguments = [
      "generate", model, "--image", "\(picture)/\(path)", "--output", "c.mp4", "--width", "128", "--height",
      "64",
      "--temp", "2", "--steps", "1,1,1", "--video-steps", "1,1,1",
    ]
    let first = try run(arguments + ["--prompt", String(repeating: "word ", count: 200)])
    #expect(first.code == 0, "\(first.errors)")
    for words in [
      "was trained at 640×384", "it is stretched, as in the official example",
      "the prompt is cut: T5 reads its first 128",
      "the prompt is cut: CLIP reads its first 77", "--video-steps does nothing",
    ] {
      #expect(first.errors.contains(words), "\(words): \(first.errors)")
    }
    #expect(!first.errors.contains("the negative prompt is cut"))
    let again = try run(arguments + ["--prompt", "a"])
    #expect(again.code == 73 && again.errors.contains("--force"), "\(again.errors)")
    let padded = try run(arguments + ["--prompt", "a", "--force", "--fit", "pad"])
    #expect(padded.code == 0 && padded.errors.contains("padded with black"), "\(padded.errors)")
  }

  /// What comes to the output while a clip is made is not replaced, and the clip is not lost.
  @Test(arguments: ["clip.mp4", "frames"]) func aFinishedClipIsKept(output: String) throws {
    let model = try convert("shapes", "int8")
    let (generating, errors) = try start([
      "generate", model, "--prompt", "a red ball", "--output", output, "--width", "128", "--height", "128",
      "--temp", "1", "--steps", "40,40,40", "--json", "started.json",
    ])
    // The plan is told before the work begins.
    _ = try errors.fileHandleForReading.read(upToCount: 1)
    let precious = folder + "/" + output
    try Data("precious".utf8).write(to: URL(fileURLWithPath: precious))
    let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    generating.waitUntilExit()
    #expect(generating.terminationStatus == 73, "\(text)")
    #expect(try String(contentsOfFile: precious, encoding: .utf8) == "precious")
    let name = (output as NSString).deletingPathExtension + "-kept-"
    let kept = try #require(entries.first { $0.hasPrefix(name) })
    #expect(text.contains("The clip is kept as ") && text.contains(kept))
    #expect(!entries.contains { $0.hasSuffix(".partial") })
  }

  /// Signals of schedulers and closed terminals end like Ctrl-C, and leave nothing.
  @Test(arguments: [SIGTERM, SIGHUP]) func signalsEndARun(number: Int32) throws {
    let model = try convert("shapes", "int8")
    let (generating, errors) = try start([
      "generate", model, "--prompt", "a red ball", "--output", "clip.mp4", "--width", "128", "--height",
      "128",
      "--temp", "2", "--steps", "1,1,1", "--video-steps", "500,500,500",
    ])
    _ = try errors.fileHandleForReading.read(upToCount: 1)
    kill(generating.processIdentifier, number)
    let elapsed = ContinuousClock().measure { generating.waitUntilExit() }
    #expect(generating.terminationStatus == 128 + number && generating.terminationReason == .exit)
    #expect(elapsed < .seconds(3) && entries == ["model"])
  }

  /// Starts the program and goes on; what it says is read from the pipe.
  func start(_ arguments: [String]) throws -> (process: Process, errors: Pipe) {
    let process = Process()
    process.executableURL = Self.program
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    return (process, errors)
  }
}
