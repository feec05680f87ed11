import Files
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

/// What compiles the library that is preloaded.
private let systemCompiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

/// Every verb, killed or failed at its calls of the system: an output is whole, old or new, and a failure is told as what
/// it is and leaves nothing.
///
/// A few calls of each kind are tried; with `BENBEN_ALL_FAULTS=1` in the environment, every one.
/// `BENBEN_FAULT_SCENARIOS=verify,report` takes only scenarios whose names start so.
@Suite(.serialized, .enabled(if: systemCompiler != nil))
struct FaultTests {
  enum Kind: String, CaseIterable, Sendable {
    case kill = "KILL", full = "ENOSPC", broken = "EIO", interrupted = "EINTR", descriptors = "EMFILE",
      denied = "EACCES"
  }

  private static let tries =
    ProcessInfo.processInfo.environment["BENBEN_ALL_FAULTS"] == "1" ? Int.max : 4

  /// What the verbs read, and the library that is preloaded; made once.
  static let inputs = Result { try Inputs() }

  struct Inputs: Sendable {
    let folder: TestFolder
    var path: String { folder.path }
    var interposer: String { path + "/interposer.so" }

    init() throws {
      folder = try TestFolder()
      let source = Fixtures.repository + "/Tests/FaultTests/interposer.c"
      try Self.run(
        try #require(systemCompiler),
        ["-shared", "-fPIC", "-O1", "-o", folder.path + "/interposer.so", source, "-ldl"])
      try FileManager.default.createSymbolicLink(
        atPath: path + "/checkpoint", withDestinationPath: Fixtures.checkpoint("miniflux"))
      try FileManager.default.createDirectory(atPath: path + "/suite", withIntermediateDirectories: true)
      for name in ["a", "b"] {
        try FileManager.default.copyItem(
          atPath: Fixtures.path + "/bundle", toPath: "\(path)/suite/\(name)")
      }
      for arguments in [
        ["convert", "checkpoint", "--output", "model", "--type", "bf16", "--quiet"],
        ["convert", "checkpoint", "--output", "quantized", "--type", "int8", "--quiet"],
        [
          "convert", "\(Fixtures.checkpoint("shapes"))", "--output", "shapes", "--type", "int8", "--quiet",
        ],
        ["pack", "model", "--output", "pack.zst", "--quiet"],
        ["noise", "--shape", "2", "--output", "old.safetensors", "--quiet"],
        [
          "generate", "model", "--prompt", "y", "--width", "64", "--height", "64", "--temp", "1", "--steps",
          "1,1,1", "--output", "frames", "--quiet",
        ],
        ["verify", "shapes", "--golden", "suite", "--shard", "1/2", "--json", "first.json", "--quiet"],
        ["verify", "shapes", "--golden", "suite", "--shard", "2/2", "--json", "second.json", "--quiet"],
      ] { try Self.run(Program.path, arguments, in: path) }
    }

    private static func run(_ program: String, _ arguments: [String], in folder: String = ".") throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = arguments
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      try process.run()
      process.waitUntilExit()
      try #require(process.terminationStatus == 0, "\(program) \(arguments)")
    }
  }

  /// One run in a folder of its own.
  struct Run {
    let folder: TestFolder
    let scenario: Scenario
    let inputs: Inputs

    init(_ scenario: Scenario, _ inputs: Inputs) throws {
      folder = try TestFolder()
      self.scenario = scenario
      self.inputs = inputs
      for (name, old) in scenario.old {
        try FileManager.default.copyItem(atPath: inputs.path + "/" + old, toPath: folder.path + "/" + name)
      }
    }

    /// Fails the call of a kind that has a number.
    func callAsFunction(_ kind: Kind, at call: Int) throws -> (code: Int32, errors: String) {
      try self(["FAULT_KIND": kind.rawValue, "FAULT_AT": String(call)])
    }

    /// Returns the exit code, negative for a signal, and what was said.
    func callAsFunction(_ settings: [String: String] = [:]) throws -> (code: Int32, errors: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = scenario.arguments.map {
        $0.replacingOccurrences(of: "INPUTS", with: inputs.path)
      }
      process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
      var environment = ProcessInfo.processInfo.environment
      environment["TMPDIR"] = folder.path
      // Else the program starts itself again, which takes half of a short run.
      environment["OMP_WAIT_POLICY"] = "passive"
      if scenario.cannotSwap { environment["FAULT_NO_RENAMEAT2"] = "1" }
      environment.merge(settings) { $1 }
      environment["LD_PRELOAD"] = inputs.interposer
      environment["FAULT_ROOTS"] = "\(inputs.path):\(folder.path):\(Fixtures.path)"
      process.environment = environment
      process.standardOutput = FileHandle.nullDevice
      let errors = Pipe()
      process.standardError = errors
      try process.run()
      let said = errors.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      let code = process.terminationStatus
      return (
        process.terminationReason == .exit ? code : -code, String(decoding: said, as: UTF8.self)
      )
    }

    /// The number of calls that each kind could fail, in a run without faults.
    func counts() throws -> [Kind: Int] {
      let log = folder.path + "-count"
      let result = try self(["FAULT_LOG": log])
      #expect(result.code == 0, "\(scenario.name): \(result.errors)")
      defer { try? FileManager.default.removeItem(atPath: log) }
      let lines = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
        .split(separator: "\n").map { $0.split(separator: " ") }
      return try Dictionary(
        uniqueKeysWithValues: lines.map {
          (try #require(Kind(rawValue: String($0[0]))), try #require(Int($0[1])))
        })
    }

    /// The contents of everything in the folder, except for the reports.
    var contents: [String: String] {
      Dictionary(
        uniqueKeysWithValues: FileSystem.filesBelow(folder.path).filter { !scenario.reports.contains($0) }
          .map { ($0, (try? InputFile(path: folder.path + "/" + $0).sha256()) ?? "") })
    }

    /// The reports that are there but not whole.
    var tornReports: [String] {
      scenario.reports.filter { name in
        guard let text = FileManager.default.contents(atPath: folder.path + "/" + name) else { return false }
        if name.hasSuffix(".json") { return (try? JSONValue(parsing: Array(text))) == nil }
        let end = String(decoding: text.suffix(20), as: UTF8.self)
        return !end.contains("</html>") && !end.contains("</testsuites>")
      }
    }
  }

  /// The scenarios that are asked for.
  private static var scenarios: [Scenario] {
    guard let names = ProcessInfo.processInfo.environment["BENBEN_FAULT_SCENARIOS"] else {
      return Scenario.all
    }
    return Scenario.all.filter { scenario in
      names.split(separator: ",").contains { scenario.name.hasPrefix($0) }
    }
  }

  @Test(arguments: scenarios)
  func survives(_ scenario: Scenario) throws {
    let inputs = try Self.inputs.get()
    let whole = try Run(scenario, inputs)
    let before = whole.contents
    let counts = try whole.counts()
    let after = whole.contents
    #expect(scenario.outputs.allSatisfy { name in after.keys.contains { $0.hasPrefix(name) } })
    let faults = try Kind.allCases.flatMap { kind in
      let count = try #require(counts[kind])
      return Self.chosen(of: count).map { (kind: kind, call: $0, count: count) }
    }
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: faults.count) { index in
      let (kind, call, count) = faults[index]
      let found: [String]
      do {
        found = try Self.violations(scenario, inputs, kind, at: call, before: before, after: after)
      } catch { found = ["\(error)"] }
      failures.withLock { $0 += found.map { "\(kind.rawValue) at \(call) of \(count): \($0)" } }
    }
    for failure in failures.withLock({ $0.sorted() }) { Issue.record("\(scenario.name): \(failure)") }
  }

  /// The calls to fail: all, or the first, the last and some between.
  private static func chosen(of count: Int) -> [Int] {
    guard count > tries else { return Array(1...max(count, 1)) }
    return (0..<tries).map { 1 + $0 * (count - 1) / (tries - 1) }
  }

  private static func violations(
    _ scenario: Scenario, _ inputs: Inputs, _ kind: Kind, at call: Int, before: [String: String],
    after: [String: String]
  ) throws -> [String] {
    let run = try Run(scenario, inputs)
    let result = try run(kind, at: call)
    var found: [String] = []
    func expect(_ holds: Bool, _ what: String) {
      if !holds { found.append("\(what): code \(result.code), \(result.errors.prefix(300))") }
    }
    expect(run.tornReports.isEmpty, "torn reports \(run.tornReports)")
    let contents = run.contents
    /// Every output is the old or the new one, as a whole.
    for name in scenario.outputs {
      // Without swapping there is a moment between two renames; the next run puts the old output back.
      if kind == .kill, scenario.cannotSwap, !contents.keys.contains(where: { $0.hasPrefix(name + "/") }) {
        continue
      }
      func part(_ contents: [String: String]) -> [String: String] {
        contents.filter { $0.key == name || $0.key.hasPrefix(name + "/") }
      }
      expect(
        part(contents) == part(before) || part(contents) == part(after), "\(name) is neither old nor new")
    }
    if kind == .kill {
      // At a call that is made in some runs only, it is not killed.
      if result.code == 0 { return found }
      expect(result.code == -9, "killed")
      let again = try run()
      // A first output that is in place already is kept, unless it is to be replaced.
      let first =
        scenario.outputs.first.map { name in
          after.filter { $0.key == name || $0.key.hasPrefix(name + "/") }
        } ?? [:]
      if again.code == 73, !scenario.arguments.contains("--force"),
        first.allSatisfy({ contents[$0.key] == $0.value })
      {
        return found
      }
      expect(again.code == 0, "again: \(again)")
      let left = run.contents.filter { !scenario.hasTemporaryFolder || !$0.key.hasPrefix("benben-") }
      expect(left == after, "what the next run leaves is not what an unharmed one does")
      return found
    }
    if result.code == 0 {
      expect(contents == after, "it claims success without it")
    } else {
      // What fails is the machine; a right that is missing is told of what it is missing for.
      expect(kind == .denied ? [66, 73].contains(result.code) : result.code == 74, "another exit code")
      expect(result.errors.hasPrefix("benben: error: "), "no message")
      // A finished clip is kept under another name, which is said; and what a later run goes on with.
      let left = Set(contents.keys).subtracting(after.keys).subtracting(before.keys).filter { name in
        let isKept = name.contains("-kept-") && result.errors.contains("The clip is kept as")
        return !isKept && !scenario.resumable.contains(name)
      }
      expect(left.isEmpty, "left behind \(left.sorted().prefix(3))")
    }
    return found
  }
}
