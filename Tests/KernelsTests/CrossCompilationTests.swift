import Foundation
import TestSupport
import Testing

/// Our own loops on an arm64 processor, emulated: every loop gives there what it gives here.
struct CrossCompilationTests {
  private static let compiler = find("aarch64-linux-gnu-gcc"), emulator = find("qemu-aarch64")

  private static func find(_ program: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(program)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static func run(_ program: String, _ arguments: [String]) throws -> [Substring] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(program) \(arguments)")
    return String(decoding: output, as: UTF8.self).split(separator: "\n")
  }

  /// Needs Debian's gcc-aarch64-linux-gnu and qemu-user; skipped without them.
  @Test(.enabled(if: compiler != nil && emulator != nil && find("cc") != nil))
  func loopsOnARM() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let loops = root.appendingPathComponent("Sources/CKernelLoops")
    let sources = try FileManager.default.contentsOfDirectory(atPath: loops.path).filter {
      $0.hasSuffix(".c")
    }
    let arguments =
      ["-std=c11", "-O2", "-Wall", "-Wno-unknown-pragmas", "-I\(loops.path)/include", "-I\(loops.path)"]
      + [root.appendingPathComponent("Tests/CrossCompilation/loops.c").path]
      + sources.map { loops.appendingPathComponent($0).path }
    let folder = try TestFolder()
    let (there, here) = (folder.path + "/arm64", folder.path + "/native")
    _ = try Self.run(
      try #require(Self.compiler), ["-static", "-Werror"] + arguments + ["-lm", "-o", there])
    // The processor of this machine, without the variants that are chosen at run time.
    _ = try Self.run(try #require(Self.find("cc")), ["-DBEST="] + arguments + ["-lm", "-o", here])
    let results = try Self.run(try #require(Self.emulator), [there])
    let expected = try Self.run(here, [])
    try #require(results.count == expected.count && results.count > 30_000)
    for (result, expected) in zip(results, expected) where result != expected {
      let (a, b) = (result.split(separator: " "), expected.split(separator: " "))
      try #require(a.count == 3 && a[1] == b[1])
      let (x, y) = (try #require(Double(a[2])), try #require(Double(b[2])))
      let tolerance: Double =
        switch a[0] {
        case "close": 3e-6
        case "rounded": 0x1p-7
        case "word": 0x1p-11
        default: 0
        }
      #expect(abs(x - y) <= tolerance * max(1, abs(y)), "\(result), not \(expected)")
    }
  }
}
