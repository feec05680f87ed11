import Checkpoints
import Files
import Foundation
import JSON
import Models
import Parity
import PyramidFlow
import TestSupport
import Testing

@testable import PyramidFlowVerification

struct CalibrationTests {
  private let trace = Fixtures.trace("shapes")

  @Test func reachesItsTarget() throws {
    let plan = try ModelConverter(release: Fixtures.checkpoint("shapes")).plan(.init(type: .int8))
    var measured = 0
    let calibrated = try plan.calibrated(on: GoldenTrace(at: trace), target: .sqnrDb(52)) {
      if case .measured = $0 { measured += 1 }
    }
    #expect(measured > 0 && calibrated.byteCount > plan.byteCount)
    #expect(try #require(calibrated.calibration?["measuredSqnrDb"]?.double) >= 52)
  }

  @Test func saysWhenATargetCannotBeReached() throws {
    let plan = try ModelConverter(release: Fixtures.checkpoint("shapes")).plan(.init(type: .int8))
    #expect(throws: BenbenError.self) {
      _ = try plan.calibrated(on: GoldenTrace(at: trace), target: .bytes(1))
    }
    let exact = try ModelConverter(release: Fixtures.checkpoint("shapes")).plan(.init(type: nil))
    let error = try #require(throws: BenbenError.self) {
      _ = try exact.calibrated(on: GoldenTrace(at: trace), target: .sqnrDb(50))
    }
    #expect(error.code == .nothingQuantized)
  }

  /// A trace of other weights of the family measures nothing; of several transformers, the one that it is of is measured.
  @Test func aTraceIsOfOneTransformer() throws {
    let folder = try TestFolder(), release = Fixtures.checkpoint("miniflux")
    let shapes = try ModelConverter(release: Fixtures.checkpoint("shapes")).plan(.init(type: .int8))
    let foreign = try #require(throws: BenbenError.self) {
      _ = try shapes.calibrated(on: GoldenTrace(at: Fixtures.trace("miniflux")), target: .bytes(1 << 40))
    }
    #expect(foreign.kind == .malformed && foreign.why.contains("with all of its precision"), "\(foreign)")
    // The other transformer comes first by its name.
    for name in FileSystem.entries(of: release) where name != "diffusion_transformer_384p" {
      try FileManager.default.copyItem(atPath: "\(release)/\(name)", toPath: "\(folder.path)/\(name)")
    }
    for (name, source) in [("384p", "shapes"), ("768p", "miniflux")] {
      try FileManager.default.copyItem(
        atPath: Fixtures.checkpoint(source) + "/diffusion_transformer_384p",
        toPath: "\(folder.path)/diffusion_transformer_\(name)")
    }
    let both = try ModelConverter(release: folder.path).plan(.init(type: .int8))
    var said: [String] = []
    let calibrated = try both.calibrated(on: GoldenTrace(at: Fixtures.trace("miniflux")), target: .sqnrDb(45))
    {
      if case .chose(let text) = $0 { said.append(text) }
    }
    #expect(said.first?.contains("is of diffusion_transformer_768p") == true, "\(said)")
    #expect(try #require(calibrated.calibration?["measuredSqnrDb"]?.double) >= 45)
  }

  /// A trace of a larger clip than the transformer's position table reaches is refused, and not read beyond the table.
  @Test func aTraceBeyondThePositionsIsRefused() throws {
    let trace = try GoldenTrace(at: Fixtures.trace("sd3"))
    let request = try GenerationRequest(trace, family: "sd3")
    let inputs = TransformerInputs(latentChannels: 16, textWidth: 64, pooledWidth: 64, maximumSide: 64)
    #expect { try RecordedCalls(trace, request: request, inputs: inputs, limit: 8) } throws: {
      ($0 as? BenbenError)?.what == "this size cannot be generated"
    }
  }
}
