import Foundation
import TestSupport
import Testing

#if os(Linux)
  extension CommandTests {
    private static let compiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }

    /// A reader of untrusted files can do nothing but read its own: B12 of the review, for whoever takes over its library.
    @Test(.enabled(if: compiler != nil)) func aReaderIsConfined() throws {
      func output(of program: String, _ arguments: [String]) throws -> (code: Int32, text: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
      }
      let sources = Fixtures.repository + "/Sources/CIsolation"
      let program = folder + "/confined"
      let compiled = try output(
        of: try #require(Self.compiler),
        [
          "-O1", "-I", sources + "/include", sources + "/isolation.c",
          Fixtures.repository + "/Tests/Confinement/confined.c", "-o", program,
        ])
      try #require(compiled.code == 0)
      for name in ["own", "other"] { try Data([1]).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
      let result = try output(of: program, [folder + "/own", folder + "/other"])
      #expect(result.code == 0 && result.text == "", "\(result)")
    }

    /// A comment of 12 million characters, in 12 KB, which no channel takes: it is said, and nobody waits for the rest.
    @Test func anAnswerThatIsTooLongEnds() throws {
      _ = try convert("shapes")
      let elapsed = try ContinuousClock().measure {
        let result = try run(
          "generate", "model", "--like", "\(Fixtures.path)/media/long-comment.png", "--output", "x.png")
        #expect(result.code == 65 && result.errors.contains("too long"), "\(result.errors)")
      }
      #expect(elapsed < .seconds(10))
    }
  }
#endif
