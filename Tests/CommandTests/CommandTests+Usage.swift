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
  @Test func usageErrorsExitWith64() throws {
    for arguments in [
      ["nonsense"], ["convert", "x"], ["convert", "x", "--output", "y", "--type", "int3"],
      ["convert", "x", "--output", "y", "--tensor-type", "("], ["verify", "m"],
      ["generate", "m", "--prompt", "x"],
      ["generate", "m", "--prompt", "x", "--output", "y.avi"], ["check", "m", "--threads", "0"],
      ["generate", "m", "--prompt", "x", "--output", "y", "--steps", "1,2"],
      ["verify", "m", "--golden", "g", "--shard", "1//2"],
    ] {
      let process = try run(arguments)
      #expect(process.code == 64, "\(arguments): \(process.errors)")
      #expect(process.errors.hasPrefix("benben: error: usage: "))
    }
    #expect(try run("help", "verify").code == 0)
    #expect(try run("check", "absent").code == 66)
    #expect(try run("inspect", "absent").code == 66)
    let model = try convert()
    #expect(
      try run("generate", model, "--prompt", "x", "--output", "y.mp4", "--width", "100").errors.contains(
        "64 or 128"))
  }

  @Test func aFullDeviceIsAnErrorAndNoTrap() throws {
    let model = try convert()
    #expect(try run("inspect", model, "--json", output: "/dev/full").code == 74)
    #expect(try run("check", model, "--json", "/dev/full", "--quiet").code != 0)
  }

  /// A misspelt option is called one, whatever else is missing.
  @Test(arguments: [
    ["generate", "m", "--promt", "a", "--output", "x.png"],
    ["generate", "m", "--prompt", "a", "--outptu", "x.png"],
    ["verify", "m", "--golde", "x"], ["noise", "--shpae", "1"],
  ])
  func misspeltOptionsAreNamed(words: [String]) throws {
    let result = try run(words)
    #expect(result.code == 64 && result.errors.contains("Unknown option"), "\(result.errors)")
    #expect(result.errors.contains("Did you mean"), "\(result.errors)")
  }
}
