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
  @Test(arguments: [
    ("dit", "128x128:2:2", 1), ("t5", "7", 1), ("vae", "128x64:2", 1), ("convert", "int8", 2),
  ])
  func measuresSpeed(part: String, shape: String, repeats: Int) throws {
    _ = try convert("miniflux", "int8")
    let outcome = try run(
      "bench", part, "model", "--shape", shape, "--repeat", "\(repeats)", "--json", "-", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let measurement = try #require(outcome.json?["measurements"]?.array?.first)
    #expect(measurement["seconds"]?.array?.count == repeats)
    #expect(try #require(measurement["bestSeconds"]?.double) > 0)
    if part != "convert" { #expect(try #require(measurement["gigaOperationsPerSecond"]?.double) > 0) }
    for shape in ["128x:1", "4x4:1", "100000"] {
      let refused = try run("bench", part, "model", "--shape", shape, "--repeat", "1")
      let what = "not a shape of this part: \(shape)"
      #expect(refused.code == 64 && refused.errors.contains(what), "\(refused.errors)")
    }
  }

  /// Beside programs that take every processor, the command gets its fair share of them: idle threads soon sleep.
  ///
  /// It is compared with threads that sleep at once, in alternation: other tests run beside, too. A team that spins as
  /// OpenMP does by default takes five to ten times as long.
  @Test func sharesBusyProcessors() throws {
    _ = try convert("miniflux", "int8")
    let load = try (0..<ProcessInfo.processInfo.activeProcessorCount).map { _ in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "while :; do :; done"]
      try process.run()
      return process
    }
    defer {
      for process in load {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
      }
    }
    func seconds(_ environment: [String: String]) throws -> Double {
      try ContinuousClock().measure {
        let outcome = try run(
          [
            "generate", "model", "--prompt", "a", "--output", "clip.mp4", "--force", "--width", "128",
            "--height", "128", "--temp", "2", "--quiet",
          ], environment: environment)
        #expect(outcome.code == 0, "\(outcome.errors)")
      } / .seconds(1)
    }
    var (asleep, chosen) = (Double.infinity, Double.infinity)
    for _ in 0..<5 {
      asleep = min(asleep, try seconds(["OMP_WAIT_POLICY": "passive"]))
      chosen = min(chosen, try seconds([:]))
    }
    #expect(chosen < 3 * asleep, "\(chosen) s beside a load; \(asleep) s with threads that sleep at once")
  }

  @Test func threadsAreCapped() throws {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    _ = try convert("miniflux", "int8")
    let outcome = try run(
      "bench", "t5", "model", "--shape", "7", "--repeat", "1", "--json", "-", "--threads", "1000")
    #expect(outcome.code == 0 && outcome.json?["threads"]?.integer == cores)
    #expect(outcome.errors.contains("--threads 1000"), "\(outcome.errors)")
  }
}
