import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct TensorComparisonTests {
  private func comparison(_ error: Float, threshold: Double = 1e-10) -> TensorComparison {
    TensorComparison(
      .decoderInput, mode: .teacherForced, metrics: ErrorMetrics([1 + error], reference: [1]),
      threshold: threshold, note: error == 0 ? "a note" : nil)
  }

  @Test func passesWithinItsThreshold() {
    #expect(comparison(0).passed && comparison(1e-6).passed && !comparison(1e-3).passed)
  }

  @Test func aNaNFails() { #expect(!comparison(.nan).passed && comparison(.nan).nmse == .infinity) }

  @Test func nothingComparedFails() {
    #expect(
      !TensorComparison(.decoderInput, mode: .teacherForced, metrics: ErrorMetrics(), threshold: 1).passed)
  }

  @Test(arguments: [Float(0), 1e-6, 1, .nan]) func isReadBackAsItWasWritten(error: Float) throws {
    let written = comparison(error)
    #expect(try JSONValue(encoding: written).decoded(as: TensorComparison.self) == written)
  }

  /// Whether a comparison passed follows from its numbers, whatever a file says.
  @Test func aForgedVerdictIsNotBelieved() throws {
    var members = try #require(JSONValue(encoding: comparison(1)).object)
    #expect(members["passed"] == false && members["sqnrDb"] == 0)
    members["passed"] = true
    #expect(try !JSONValue.object(members).decoded(as: TensorComparison.self).passed)
  }
}
