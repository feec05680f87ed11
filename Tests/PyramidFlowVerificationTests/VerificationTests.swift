import Checkpoints
import Clips
import Files
import Foundation
import JSON
import Kernels
import Media
import Models
import Parity
import PyramidFlow
import Synchronization
import TestSupport
import Testing

@testable import PyramidFlowVerification

struct VerificationTests {
  private func model(_ fixture: String) throws -> VideoModel {
    try VideoModel(at: try #require(ConvertedModels.exact[fixture] ?? nil))
  }

  @Test(arguments: ["miniflux", "sd3", "shapes"])
  func aConvertedModelMatchesItsGolden(fixture: String) async throws {
    let calls = Mutex(0)
    let report = try await model(fixture).verify(against: GoldenTrace(at: Fixtures.trace(fixture))) {
      if case .compared = $0 { calls.withLock { $0 += 1 } }
    }
    #expect(report.passed && report.firstDivergence == nil)
    #expect(report.callsCompared > 0 && calls.withLock { $0 } >= report.callsCompared)
    for tensor in report.tensors { #expect(tensor.nmse <= (tensor.mode == .freeRunning ? 1e-8 : 1e-10)) }
    #expect(report.clips.map(\.mode) == [.teacherForced, .freeRunning])
  }

  @Test func aBudgetIsAnyNumberOfSeconds() throws {
    let parts = try LoadedModel(
      NativeModel(path: try #require(ConvertedModels.exact["miniflux"] ?? nil)), in: KernelContext())
    let request = try GenerationRequest(GoldenTrace(at: Fixtures.trace("miniflux")), family: "miniflux")
    let calls = try request.calls(for: parts.transformer(variant: "384p").inputs)
    #expect(calls.count > 1)
    for (seconds, count) in [(0, 1), (-1, 1), (1e-300, 1), (.nan, 1), (.infinity, calls.count)] {
      #expect(CallSample.seconds(seconds).chosen(of: calls, firstTook: 1).count == count, "\(seconds)")
    }
  }

  @Test func oneFileKeepsOneTrace() async throws {
    let options = VerificationOptions(runTrace: "/nonexistent/run.h5")
    let clip = Golden.clip(path: "/nonexistent/clip.mp4", try GoldenTrace(at: Fixtures.trace("miniflux")))
    let model = try model("miniflux")
    await #expect {
      try await model.verify(against: clip, options: options)
    } throws: { ($0 as? BenbenError)?.kind == .usage }
  }

  @Test func stopsAtTheFirstFailureWhenAsked() async throws {
    let options = VerificationOptions(modes: [.teacherForced], stopsAtFirstFailure: true) {
      $0.teacherForced = -1
      $0.text = -1
    }
    let report = try await model("miniflux").verify(
      against: GoldenTrace(at: Fixtures.trace("miniflux")), options: options)
    #expect(!report.passed && report.tensors.last?.passed == false)
    #expect(report.tensors.dropLast().allSatisfy { $0.passed })
    #expect(report.firstDivergence == report.tensors.last?.path)
  }

  @Test func aTraceOfTheOtherFamilyIsNamed() async throws {
    let model = try model("sd3")
    await #expect(throws: BenbenError.self) {
      try await model.verify(against: GoldenTrace(at: Fixtures.trace("miniflux")))
    }
  }

  @Test func aVerificationIsCancelled() async throws {
    let model = try model("shapes")
    let task = Task {
      try await model.verify(against: GoldenTrace(at: Fixtures.trace("shapes"))) {
        if case .compared = $0 { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  private func kind(_ golden: Golden) -> String {
    switch golden {
    case .trace: "trace"
    case .bundle: "bundle"
    case .suite: "suite"
    case .clip(_, let trace): "clip of \(FileSystem.lastComponent(trace.path))"
    }
  }

  @Test func goldensAreToldApart() throws {
    let folder = Fixtures.path
    #expect(try kind(Golden(at: Fixtures.trace("shapes"))) == "trace")
    #expect(try kind(Golden(at: folder + "/bundle")) == "bundle")
    #expect(try kind(Golden(at: folder + "/shapes/golden.mp4")) == "clip of golden.h5")
    let temporary = try TestFolder()
    let clip = try temporary.write([0], "clip.mp4")
    #expect { try Golden(at: clip) } throws: { ($0 as? BenbenError)?.code == .traceNeeded }
    #expect {
      try Golden(at: "absent.mp4")
    } throws: {
      ($0 as? BenbenError).map { $0.kind == .missing && $0.code == nil } == true
    }
  }

  @Test func aGoldenVideoIsHeldToItsEncoding() async throws {
    let golden = try Golden(at: Fixtures.path + "/shapes/golden.mp4")
    let report = try await model("shapes").verify(against: golden)
    #expect(report.passed && report.tensors.isEmpty && report.clips.count == 1)
    #expect(report.shownClips?.clip.count == 9)
    #expect(report.clips[0].thresholds.psnrMinDb < 60)
  }

  /// An int8 model is held to what int8 costs, and its report is read back as it was written.
  @Test func reportsAreValues() async throws {
    let model = try VideoModel(at: try #require(ConvertedModels.int8))
    let report = try await model.verify(
      against: GoldenTrace(at: Fixtures.trace("shapes")),
      options: VerificationOptions(modes: [.teacherForced]))
    #expect(report.passed && report.tensors.contains { $0.nmse > 1e-6 })
    let read = try JSONValue(encoding: report).decoded(as: ParityReport.self)
    #expect(read.tensors == report.tensors && read.clips == report.clips && read.model == model.subject)
  }

  @Test(arguments: [
    (1, 3, ["a", "d"]), (2, 3, ["b", "e"]), (3, 3, ["c"]), (1, 1, ["a", "b", "c", "d", "e"]),
  ])
  func shardsCoverASuite(index: Int, count: Int, part: [String]) {
    #expect(SuiteShard(index, of: count)?.part(of: ["a", "b", "c", "d", "e"]) == part)
  }

  @Test(arguments: [(0, 1), (2, 1), (1, 0), (1, 100_001)]) func shardsThatCannotBe(index: Int, count: Int) {
    #expect(SuiteShard(index, of: count) == nil)
  }
}
