import Checkpoints
import TestSupport
import Testing

@testable import PyramidFlow

struct CapabilitiesTests {
  @Test(arguments: ["miniflux", "sd3"]) func aReleaseIsComplete(fixture: String) throws {
    let path = Fixtures.checkpoint(fixture)
    let capabilities = Capabilities(try Inspection(path: path), at: path)
    #expect(capabilities.lines.contains { $0.hasPrefix("family: \(fixture), 384p") })
    #expect(capabilities.lines.contains("text-to-video: complete"))
  }

  @Test func namesWhatIsMissingForWhichUse() throws {
    let path = Fixtures.checkpoint("miniflux") + "/causal_video_vae"
    let capabilities = Capabilities(try Inspection(path: path), at: path)
    #expect(capabilities.lines.contains { $0.contains("a causal video VAE") })
  }
}
