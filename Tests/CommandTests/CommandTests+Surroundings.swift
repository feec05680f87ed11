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
  func nothingIsWrittenOverWhatIsRead(arguments: [String]) throws {
    _ = try convert("shapes", "int8")
    let result = try run(arguments.map { $0 == "GOLDEN" ? Fixtures.trace("shapes") : $0 })
    let isNamedTwice = !result.errors.contains("the output is an input")
    #expect(result.code == (isNamedTwice ? 64 : 73) && entries == ["model"], "\(result.errors)")
    #expect(isNamedTwice == ["verify", "generate"].contains(arguments[0]))
    #expect(try run("check", "model", "--quiet").code == 0)
  }
}
