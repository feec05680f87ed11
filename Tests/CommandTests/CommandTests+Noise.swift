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
  @Test func writesTheNoiseOfASeed() throws {
    func noise(_ more: String...) throws -> Outcome {
      try run(
        ["noise", "--seed", "42", "--shape", "3,1", "--shape", "2", "--output", "n.safetensors"] + more)
    }
    #expect(try noise().code == 0)
    let file = try #require(FileManager.default.contents(atPath: folder + "/n.safetensors"))
    let values = file.suffix(20).withUnsafeBytes { bytes in
      (0..<5).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    // torch.manual_seed(42); torch.randn(3, 1); torch.randn(2)
    let expected: [Float] = [
      0.33669036626815796, 0.12880940735340118, 0.23446236550807953, 0.23033303022384644, -1.1228563785552979,
    ]
    #expect(values == expected)
    #expect(try noise().code == 73)
    #expect(try noise("--force", "--shape", "2,0").code == 64)
  }

  /// The place is looked at first, and Ctrl-C ends the drawing.
  @Test func drawingEnds() throws {
    try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/there.safetensors"))
    let large = ["noise", "--shape", "1,16,31,1024,1024", "--output"]
    let refused = try run(large + ["there.safetensors"])
    #expect(refused.code == 73 && refused.errors.contains("the output exists"), "\(refused.errors)")
    let (drawing, errors) = try start(large + ["new.safetensors"])
    Thread.sleep(forTimeInterval: 1)
    drawing.interrupt()
    let elapsed = ContinuousClock().measure { drawing.waitUntilExit() }
    #expect(drawing.terminationStatus == 130 && elapsed < .seconds(3), "\(elapsed)")
    _ = errors
    #expect(entries == ["there.safetensors"])
  }
}
