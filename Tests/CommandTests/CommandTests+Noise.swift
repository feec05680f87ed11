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
}
