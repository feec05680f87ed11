import Clips
import Files
import Foundation
import JSON
import Media
import Parity
import Tensors
import TestSupport
import Testing

/// The command as a user runs it: a process with arguments, output and an exit code.
@Suite struct CommandTests {
  static let program = URL(fileURLWithPath: Program.path)

  /// The folder in which commands run.
  private let temporary: TestFolder
  var folder: String { temporary.path }

  init() throws { temporary = try TestFolder() }

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
    _ arguments: [String], environment: [String: String] = [:], output path: String? = nil,
    program: String? = nil
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = program.map(URL.init(fileURLWithPath:)) ?? Self.program
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
    let errors = FileManager.default.contents(atPath: errorPath) ?? Data()
    #expect(
      process.terminationReason == .exit,
      "\(arguments): signal \(process.terminationStatus), \(String(decoding: errors, as: UTF8.self))")
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
    try FileManager.default.copyItem(atPath: "\(Fixtures.path)/\(fixture)/checkpoint", toPath: path)
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
      "convert", "\(Fixtures.path)/\(fixture)/checkpoint", "--output", "model", "--type", type, "--quiet")
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
}
