import Files
import Foundation
import TestSupport
import Testing

/// What other processes, limits and disks do to a run.
extension CommandTests {
  /// Two and four writers of one output: one is whole, the others are told, and nothing else is left.
  @Test(arguments: ["convert", "unpack", "pack", "export", "noise", "generate"], [2, 4])
  func writersOfOneOutput(verb: String, count: Int) throws {
    _ = try convert("shapes", "int8")
    #expect(try run("pack", "model", "--output", "model.zst", "--quiet").code == 0)
    let arguments =
      switch verb {
      case "convert": ["convert", "\(Fixtures.path)/shapes/checkpoint", "--output", "out", "--type", "int8"]
      case "unpack": ["unpack", "model.zst", "--output", "out"]
      case "pack": ["pack", "model", "--output", "out"]
      case "export": ["export", "model", "--output", "out"]
      case "noise": ["noise", "--shape", "1,16,4,64,64", "--output", "out"]
      default:
        [
          "generate", "model", "--prompt", "x", "--width", "64", "--height", "64", "--temp", "1", "--steps",
          "1,1,1", "--output", "out",
        ]
      }
    let before = entries
    #expect(try run(arguments + ["--quiet"]).code == 0)
    let whole = try contents
    try FileManager.default.removeItem(atPath: folder + "/out")
    let runs = try (0..<count).map { _ in try start(arguments + ["--quiet"]) }
    let results = runs.map { run -> (code: Int32, errors: String) in
      let said = run.errors.fileHandleForReading.readDataToEndOfFile()
      run.process.waitUntilExit()
      return (run.process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
    #expect(results.count { $0.code == 0 } == 1, "\(results)")
    for result in results where result.code != 0 {
      #expect(result.code == 73 && result.errors.hasPrefix("benben: error: "), "\(result)")
    }
    #expect(try contents == whole)
    // A clip that was finished is not lost, but kept beside, and said.
    let kept = entries.filter { $0.contains("-kept-") }
    #expect(kept.allSatisfy { name in verb == "generate" && results.contains { $0.errors.contains(name) } })
    #expect(entries.filter { !kept.contains($0) } == (before + ["out"]).sorted())
  }

  /// The hash of everything below the output.
  private var contents: [String: String] {
    get throws {
      let path = folder + "/out"
      let files = FileSystem.isFolder(path) ? FileSystem.filesBelow(path).map { "/" + $0 } : [""]
      return try Dictionary(
        uniqueKeysWithValues: files.map { ($0, try InputFile(path: path + $0).sha256()) })
    }
  }

  /// A model that is cut short while it is mapped is a line and a code, and no crash.
  @Test func aModelThatIsCutShortMeanwhile() throws {
    _ = try convert("shapes", "int8")
    // It would take minutes.
    let run = try start([
      "generate", "model", "--prompt", "x", "--width", "256", "--height", "256", "--temp", "2", "--output",
      "x.gif", "--steps", "500,500,500", "--video-steps", "500,500,500",
    ])
    _ = try run.errors.fileHandleForReading.read(upToCount: 1)
    Thread.sleep(forTimeInterval: 1)
    for name in entries(of: "model") where name.hasSuffix(".benben") {
      #expect(truncate("\(folder)/model/\(name)", 4096) == 0)
    }
    let said = String(decoding: run.errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    run.process.waitUntilExit()
    #expect(run.process.terminationReason == .exit && [65, 74].contains(run.process.terminationStatus))
    #expect(said.contains("benben: error: "), "\(said)")
    #expect(entries == ["model"])
  }

  private func entries(of name: String) -> [String] { FileSystem.entries(of: folder + "/" + name) }

  /// A limit of the size of files, and a reader of the output that goes away.
  @Test func limitsAndClosedPipes() throws {
    _ = try convert("shapes", "int8")
    func shell(_ text: String) throws -> Int32 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", text.replacing("benben", with: Self.program.path)]
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
    for command in [
      "export model --output out", "pack model --output out", "noise --shape 1,16,4,64,64 --output out",
    ] {
      #expect(try shell("ulimit -f 100; benben \(command) --quiet") == 74, "\(command)")
      #expect(entries == ["model"], "\(command)")
    }
    // A stream that is closed is none of this program's files.
    for closed in [">&- 2>&-", "<&- >&- 2>&-", "<&- 2>&-"] {
      #expect(try shell("benben check model --json out.json \(closed)") == 0, "\(closed)")
      #expect(entries == ["model", "out.json"])
      try FileManager.default.removeItem(atPath: folder + "/out.json")
    }
    #expect(try shell("benben inspect model --json | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}") == 141)
  }

  /// What is written must be neither what is read nor what is written otherwise.
  @Test(arguments: [
    ["check", "model", "--json", "model/manifest.json"],
    ["pack", "model", "--output", "model/text_encoder.benben", "--force"],
    ["export", "model", "--output", "model/text_encoder.benben", "--force"],
    ["verify", "model", "--golden", "GOLDEN", "--json", "r", "--report", "./r"],
    ["generate", "model", "--prompt", "x", "--temp", "1", "--output", "y.png", "--json", "y.png"],
    ["convert", "model", "--output", "model", "--force"],
  ])
  func nothingIsWrittenOverAModel(arguments: [String]) throws {
    _ = try convert("shapes", "int8")
    let result = try run(arguments.map { $0 == "GOLDEN" ? Fixtures.trace("shapes") : $0 })
    let isNamedTwice = !result.errors.contains("the output is an input")
    #expect(result.code == (isNamedTwice ? 64 : 73) && entries == ["model"], "\(result.errors)")
    #expect(isNamedTwice == ["verify", "generate"].contains(arguments[0]))
    #expect(try run("check", "model", "--quiet").code == 0)
  }

  /// What is read need not be a model: releases, recipes, goldens, tokenizers, keys and noise are as dear.
  @Test(arguments: [
    "convert checkpoint --output out --json checkpoint/text_encoder/config.json",
    "convert checkpoint --output out --json checkpoint/causal_video_vae/diffusion_pytorch_model.safetensors",
    "convert checkpoint --output out --recipe recipe.json --json recipe.json",
    "convert checkpoint --output out --calibrate golden.h5 --json golden.h5",
    "convert checkpoint --dry-run --calibrate golden.h5 --json ./golden.h5",
    "convert --vae checkpoint/causal_video_vae/diffusion_pytorch_model.safetensors --output out --json checkpoint/causal_video_vae/diffusion_pytorch_model.safetensors",
    "verify model --golden golden.h5 --report golden.h5",
    "verify model --golden clip.mp4 --trace golden.h5 --json golden.h5",
    "bench dit model --json model/manifest.json",
    "generate model --prompt x --temp 1 --output x.png --noise noise.safetensors --json noise.safetensors",
    "pack model --output out.zst --sign key.pem --evidence card.md --force --quiet --output key.pem",
    "report check model report.json --json report.json",
    "report merge report.json --json report.json",
    "card model --report report.json --output report.json",
  ])
  func nothingIsWrittenOverWhatIsRead(command: String) throws {
    _ = try convert("shapes", "int8")
    try FileManager.default.copyItem(
      atPath: Fixtures.checkpoint("shapes"), toPath: folder + "/checkpoint")
    try FileManager.default.copyItem(atPath: Fixtures.trace("shapes"), toPath: folder + "/golden.h5")
    try Data(#"{"schema": "benben.recipe/1", "rules": []}"#.utf8).write(
      to: URL(fileURLWithPath: folder + "/recipe.json"))
    for name in ["noise.safetensors", "key.pem", "report.json", "clip.mp4"] {
      try Data(name.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
    let before = FileSystem.filesBelow(folder).map {
      try? InputFile(path: folder + "/" + $0).sha256()
    }
    let result = try run(command.split(separator: " ").map(String.init))
    #expect(result.code == 73 && result.errors.contains("the output is an input"), "\(result.errors)")
    #expect(
      FileSystem.filesBelow(folder).map { try? InputFile(path: folder + "/" + $0).sha256() }
        == before)
  }

  /// A folder that is replaced takes what lies in it along, whoever needs that.
  @Test func nothingInAReplacedFolderIsNeeded() throws {
    _ = try convert("shapes", "int8")
    let small = "generate model --prompt x --width 64 --height 64 --temp 1 --steps 1,1,1 --quiet"
      .split(separator: " ").map(String.init)
    #expect(try run(small + ["--output", "frames"]).code == 0)
    let picture = "frames/frame_0000.png"
    let before = FileManager.default.contents(atPath: "\(folder)/\(picture)")
    try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "frames")
    let linked = try run(small + ["--output", "link/", "--force", "--image", picture, "--temp", "2"])
    #expect(linked.code == 73 && linked.errors.contains("would be lost"), "\(linked.errors)")
    for option in [
      ["--image", picture, "--temp", "2"], ["--preview", "frames/look.png"],
      ["--embeddings", "frames/e.safetensors"],
    ] {
      let lost = try run(small + ["--output", "frames/", "--force"] + option)
      #expect(lost.code == 73 && lost.errors.contains("would be lost"), "\(option): \(lost.errors)")
      #expect(FileManager.default.contents(atPath: "\(folder)/\(picture)") == before)
    }
  }

  /// What fails at the end of long work is seen before it, and what is left out is said.
  @Test func whatIsNotDoneIsSaid() throws {
    _ = try convert("miniflux", "f32")
    let video = try run(
      "verify", "model", "--golden", "\(Fixtures.path)/miniflux/golden.mp4",
      environment: ["TMPDIR": folder + "/none"])
    #expect(video.code == 73 && video.errors.contains("Set TMPDIR"), "\(video.errors)")
    #expect(!video.errors.contains("generating"), "\(video.errors)")
    let plan = try run(
      "generate", "model", "--prompt", "x", "--temp", "1", "--output", "x.png", "--dry-run", "--memory-limit",
      "1MB")
    #expect(plan.code == 64 && plan.errors.contains("the run does not fit"), "\(plan.errors)")
    try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/model/LICENSE"))
    let packed = try run("pack", "model", "--output", "m.zst")
    #expect(packed.code == 0 && packed.errors.contains("LICENSE is no part of the model"), "\(packed.errors)")
    let rules = #"[{"pattern": "bias$", "type": "keep"}, {"pattern": "no such", "type": "int8"}]"#
    try Data(#"{"schema": "benben.recipe/1", "rules": \#(rules)}"#.utf8).write(
      to: URL(fileURLWithPath: folder + "/recipe.json"))
    let idle = try run(
      "convert", Fixtures.checkpoint("shapes"), "--dry-run", "--recipe", "recipe.json", "--type", "f32")
    #expect(
      idle.errors.contains("1 of 2 rules choose the type of no tensor, \"no such\" first"), "\(idle.errors)")
    #expect(idle.errors.contains("--type does nothing beside --recipe"), "\(idle.errors)")
  }

  /// Where no threads can be started, that is said, and nothing waits for them.
  @Test(
    .enabled(
      if: geteuid() == 0
        && ["setpriv", "prlimit"].allSatisfy {
          FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)")
        }, "only root may be another user"))
  func threadsThatCannotBeStarted() throws {
    // The user is one without processes, and may not be able to reach the program where it was built.
    let program = folder + "/program"
    try FileManager.default.copyItem(at: Self.program, to: URL(fileURLWithPath: program))
    let few = try run(
      [
        "--reuid", "61234", "--regid", "61234", "--clear-groups", "prlimit", "--nproc=3", program,
        "--version",
      ], program: "/usr/bin/setpriv")
    #expect(few.code == 74 && few.errors.contains("threads cannot be started"), "\(few)")
  }
}
