import Checkpoints
import Files
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
