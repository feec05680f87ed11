import Foundation
import JSON
import Tensors
import Testing

@testable import Parity

private let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Fixtures").path

struct GoldenTraceTests {
  @Test func readsARequestAndTensors() throws {
    let trace = try GoldenTrace(path: fixtures + "/miniflux/golden.h5")
    #expect(trace.request.prompt == "a red ball rolling over green hills")
    #expect(trace.request.negativePrompt == nil)
    #expect((trace.request.width, trace.request.height, trace.request.latentFrames) == (128, 64, 3))
    #expect(try trace.decoding() == .init(window: 1, tileSize: nil))
    #expect(try trace.text(.prompt)?.hasSuffix(", hyper quality, Ultra HD, 8K") == true)
    let embedding = try #require(try trace.embedding(.prompt))
    let mask = try #require(try trace.tokens(.prompt, "t5_mask"))
    #expect(embedding.tokens.shape == [mask.reduce(0, +), 64])
    #expect(try trace.tensor("noise/initial", shape: [1, 16, 3, 8, 16])?.count == 6144)
    #expect(try trace.tensor("not/recorded") == nil)
    #expect(throws: BenbenError.self) { try trace.tensor("noise/initial", shape: [1, 16, 4, 8, 16]) }
    #expect(trace.recordedActivations(call: 0).count == 11 && trace.recordedActivations(call: 1).isEmpty)
    #expect(try trace.frames()?.shape == [17, 64, 128, 3])
  }

  @Test func readsTiling() throws {
    #expect(
      try GoldenTrace(path: fixtures + "/vae_tiled/golden.h5").decoding() == .init(window: 1, tileSize: 256))
  }

  @Test(arguments: [0, 1, 8, 96, 512, 2048, 100_000, 1_000_000])
  func refusesTruncatedFiles(length: Int) throws {
    let path = NSTemporaryDirectory() + UUID().uuidString + ".h5"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = try #require(FileManager.default.contents(atPath: fixtures + "/vae_tiled/golden.h5"))
    try bytes.prefix(length).write(to: URL(fileURLWithPath: path))
    #expect(throws: BenbenError.self) { try GoldenTrace(path: path) }
  }

  /// The same request without anything hostile opens, packed values included.
  @Test func readsTheSoundTwinOfTheHostileFiles() throws {
    let trace = try GoldenTrace(path: fixtures + "/hostile-hdf5/sound.h5")
    #expect(try trace.tensor("noise/initial")?.count == 1024)
    #expect(try trace.tensor("packed")?.array == (0..<1000).map(Float.init))
  }

  /// The files of this folder were made with h5py: an external link, a soft link, external storage, a virtual dataset,
  /// a shape bomb, a cycle of groups.
  @Test(arguments: [
    "external-link", "soft-link", "external-storage", "virtual", "virtual-unlimited", "bomb", "cycle",
    "links",
  ])
  func refusesHostileFiles(name: String) throws {
    #expect(throws: BenbenError.self) { try GoldenTrace(path: "\(fixtures)/hostile-hdf5/\(name).h5") }
  }
}

struct FrameComparisonTests {
  private func frames(_ value: (Int) -> UInt8, count: Int = 2) throws -> Clip {
    try #require(Clip(width: 16, height: 12, bytes: (0..<16 * 12 * 3 * count).map(value)))
  }

  @Test func equalClipsAreIdentical() throws {
    let clip = try frames { UInt8(truncatingIfNeeded: $0 &* 37) }
    let comparison = ClipMetrics(clip, reference: clip)
    #expect(comparison.psnrMinDb == 100 && comparison.identicalFraction == 1 && comparison.maxAbs == 0)
    #expect(abs(comparison.ssimMin - 1) < 1e-12)
  }

  @Test func aLevelOffIsFortyEightDecibels() throws {
    let comparison = ClipMetrics(try frames { _ in 100 }, reference: try frames { _ in 101 })
    #expect(abs(comparison.psnrMinDb - 48.1308) < 1e-3)
    #expect(comparison.maxAbs == 1 && comparison.identicalFraction == 0)
  }

  @Test func ssimSeesStructure() throws {
    let pattern = try frames { $0 / 3 % 4 < 2 ? 40 : 200 }
    let inverse = try frames { $0 / 3 % 4 < 2 ? 200 : 40 }
    #expect(ClipMetrics(pattern, reference: inverse).ssimMin < 0)
  }

  @Test func partialFramesAreNoClip() {
    #expect(Clip(width: 4, height: 4, bytes: [1, 2, 3]) == nil)
    #expect(Clip(width: 0, height: 4, bytes: []) == nil)
  }
}

struct FrameDifferenceTests {
  /// A picture that moves, in colours that all of the changes change.
  private static func clip(_ change: (Int, SIMD3<Double>) -> (Int, SIMD3<Double>)) throws -> Clip {
    let (width, height, count) = (64, 32, 6)
    var bytes = [UInt8](repeating: 0, count: count * width * height * 3)
    for frame in 0..<count {
      for y in 0..<height {
        for x in 0..<width {
          let isInside = abs(x - 8 * frame - 10) < 8 && abs(y - 16) < 10
          let (target, colour) = change(frame, isInside ? SIMD3(200, 60, 40) : SIMD3(60, 90, 130))
          guard (0..<count).contains(target) else { continue }
          let place = ((target * height + y) * width + x) * 3
          for channel in 0..<3 { bytes[place + channel] = UInt8(colour[channel].rounded()) }
        }
      }
    }
    return try #require(Clip(width: width, height: height, bytes: bytes))
  }

  @Test func namesWhatHappened() throws {
    let ours = try Self.clip { ($0, $1) }
    func kind(_ change: (Int, SIMD3<Double>) -> (Int, SIMD3<Double>)) throws -> ClipAlteration? {
      try ClipAlteration.between(ours, reference: try Self.clip(change))?.kind
    }
    #expect(try kind { ($0 + 1, $1) } == .oneFrameLate)
    #expect(try kind { ($0 - 1, $1) } == .oneFrameEarly)
    #expect(try kind { ($0, SIMD3($1.z, $1.y, $1.x)) } == .exchangedChannels)
    #expect(try kind { ($0, SIMD3($1.y, $1.x, $1.z)) } == .exchangedRedAndGreen)
    #expect(try kind { ($0, SIMD3($1.x, $1.z, $1.y)) } == .exchangedGreenAndBlue)
    #expect(try kind { ($0, SIMD3($1.y, $1.z, $1.x)) } == .rotatedChannels)
    #expect(try kind { ($0, SIMD3($1.z, $1.x, $1.y)) } == .rotatedChannelsTwice)
    #expect(try kind { ($0, $1 * (219.0 / 255) + 16) } == .readAsFullRange)
    #expect(try kind { ($0, ($1 - 16) * (255.0 / 219)) } == .readAsLimitedRange)
    // Read by BT.709: Y, Cb and Cr by BT.601's luma, and back by BT.709's.
    #expect(
      try kind { frame, pixel in
        let luma = 0.299 * pixel.x + 0.587 * pixel.y + 0.114 * pixel.z
        let (cb, cr) = ((pixel.z - luma) / 1.772, (pixel.x - luma) / 1.402)
        return (frame, SIMD3(luma + 1.5748 * cr, luma - 0.187324 * cb - 0.468124 * cr, luma + 1.8556 * cb))
      } == .readAsBT709)
    #expect(try kind { ($0, $1.x > 100 ? SIMD3(130, 130, 130) : $1) } == nil)
    #expect(try kind { ($0, $1) } == nil)
  }
}

struct ParityReportTests {
  private func report(_ errors: [(String, ComparisonMode, Float)], failFast: Bool = false) throws
    -> ParityReport
  {
    var report = ParityReport(golden: .null, model: .null, failFast: failFast)
    for (path, mode, error) in errors {
      try report.add(
        TensorComparison(
          path: path, mode: mode, metrics: ErrorMetrics([1 + error], reference: [1]), threshold: 1e-10))
    }
    return report
  }

  @Test func namesTheFirstDivergence() throws {
    let good = try report([("a", .teacherForced, 0), ("b", .freeRunning, 1e-6)])
    #expect(good.passed && good.firstDivergence == nil && good.table.hasSuffix("PASS\n"))
    let bad = try report([("z", .freeRunning, 1), ("a", .teacherForced, 0), ("b", .teacherForced, 1)])
    #expect(!bad.passed && bad.firstDivergence == "b" && bad.table.hasSuffix("FAIL\n"))
    #expect(bad.json["firstDivergence"] == "b" && bad.json["passed"] == false)
  }

  @Test func nothingComparedIsNoPass() throws {
    #expect(try report([]).passed == false)
  }

  @Test func aNaNFails() throws {
    #expect(try report([("a", .teacherForced, .nan)]).passed == false)
  }

  @Test func stopsAtTheFirstFailureWhenAsked() {
    #expect(throws: ParityReport.StoppedAtFirstFailure.self) {
      _ = try report([("a", .teacherForced, 1), ("b", .teacherForced, 0)], failFast: true)
    }
  }

  /// A clip that moves little passes loose thresholds although it is one frame off, and must not.
  @Test func whatASimpleChangeExplainsDoesNotPass() throws {
    func clip(shift: Int) throws -> Clip {
      var bytes: [UInt8] = []
      for frame in 0..<6 {
        for pixel in 0..<32 * 32 {
          let level = pixel % 32 * 5 + pixel / 32 * 2 + 3 * (frame + shift)
          bytes += [UInt8](repeating: UInt8(clamping: level), count: 3)
        }
      }
      return try #require(Clip(width: 32, height: 32, bytes: bytes))
    }
    let loose = FrameThresholds(psnrMinDb: 10, ssimMin: 0.1, identicalFraction: 0, reason: "")
    func result(shift: Int, frames: Int = 6) throws -> ClipComparison {
      try ClipComparison(
        mode: .freeRunning, try clip(shift: 0), reference: try clip(shift: shift).prefix(frames),
        thresholds: loose)
    }
    #expect(try result(shift: 0).passed && result(shift: 0).explanations.isEmpty)
    let late = try result(shift: -1)
    #expect(late.comparison.psnrMinDb > 20 && !late.passed && late.difference?.kind == .oneFrameLate)
    let short = try result(shift: 0, frames: 5)
    #expect(short.comparison.psnrMinDb == ClipMetrics.identicalPSNR && !short.passed)
    #expect(short.explanations == ["the golden has 5 frames, the run 6"])
    let lacksTheFirst = try result(shift: 1, frames: 5)
    #expect(lacksTheFirst.difference?.kind == .oneFrameEarly && lacksTheFirst.explanations.count == 2)
  }

  @Test func thresholdsAreSetByName() {
    var thresholds = Thresholds.exact
    for name in Thresholds.names {
      let isKnown = thresholds.set(name, to: 0.5)
      #expect(isKnown)
    }
    let isKnown = thresholds.set("nonsense", to: 1)
    #expect(!isKnown)
    #expect(thresholds.teacherForced == 0.5 && thresholds.frames.identicalFraction == 0.5)
  }
}

/// The report as a page.
struct ParityPageTests {
  @Test func nothingInTheDataEndsItsElement() {
    let hostile: JSONValue = ["golden": ["prompt": "</script><script>alert(1)</script><!--"]]
    var report = SuiteReport(suite: ["a"], model: .null)
    report.add(SuiteReport.Entry(name: "a", outcome: .success(hostile), clip: nil))
    let page = ParityPage.html(report)
    #expect(!page.contains("<script>alert"))
    #expect(page.contains("\\u003c/script>\\u003cscript>alert(1)"))
    #expect(!page.contains("REPORT_DATA"))
  }

  @Test func showsTheWorstFrame() throws {
    func clip(_ level: (Int) -> UInt8) throws -> Clip {
      let bytes = (0..<50).flatMap { [UInt8](repeating: level($0), count: 12) }
      return try #require(Clip(width: 2, height: 2, bytes: bytes))
    }
    let comparison = ClipMetrics(try clip { $0 == 31 ? 90 : 100 }, reference: try clip { _ in 100 })
    #expect(ParityPage.selection(of: comparison, limit: 60) == Array(0..<50))
    let shown = ParityPage.selection(of: comparison, limit: 6)
    #expect(shown.count <= 6 && shown.contains(31) && shown.first == 0 && shown.last == 49)
  }
}

struct SuiteReportTests {
  private static let suite = ["a", "b", "c"]

  private static func report(
    _ names: [String], of suite: [String] = suite, model: JSONValue = ["family": "miniflux"]
  )
    -> SuiteReport
  {
    var report = SuiteReport(suite: suite, model: model)
    for name in names {
      let stage: JSONValue = [
        "path": "dit/unit0/stage1/step2/prediction", "mode": "teacher-forced", "nmse": .number(1e-3),
        "threshold": .number(1e-4), "passed": .bool(name != "b"),
      ]
      let parity: JSONValue = [
        "schema": "benben.parity/1", "passed": .bool(name != "b"), "stages": .array([stage]),
        "golden": .string(name),
      ]
      report.add(.init(name: name, outcome: .success(parity), clip: ["width": 1]))
    }
    return report
  }

  private static func merged(_ reports: SuiteReport...) throws -> SuiteReport {
    try SuiteReport(merging: reports.enumerated().map { ("\($0)", $1) })
  }

  /// In whatever order the shards come.
  @Test func mergesToWhatOneRunGives() throws {
    let whole = Self.report(["a", "b", "c"])
    #expect(try Self.merged(Self.report(["b"]), Self.report(["a", "c"])).json == whole.json)
    #expect(try Self.merged(whole).table == whole.table)
    #expect(!whole.passed && whole.table.hasSuffix("2 of 3 goldens match\nFAIL\n"))
  }

  @Test func refusesWhatDoesNotBelongTogether() throws {
    #expect(throws: BenbenError.self) { try Self.merged(Self.report(["a"]), Self.report(["b"])) }
    #expect(throws: BenbenError.self) { try Self.merged(Self.report(["a", "b"]), Self.report(["b", "c"])) }
    #expect(throws: BenbenError.self) {
      try Self.merged(Self.report(["a", "b"]), Self.report(["c"], of: ["a", "b", "c", "d"]))
    }
    #expect(throws: BenbenError.self) {
      try Self.merged(Self.report(["a", "b"]), Self.report(["c"], model: ["family": "sd3"]))
    }
  }

  @Test(arguments: [
    "", "[]", "{}", "{\"schema\":\"benben.suite/1\"}",
    "{\"schema\":\"benben.suite/1\",\"suite\":[\"a\"],\"model\":null,\"bundles\":[{\"name\":\"b\"}]}",
    "{\"schema\":\"benben.suite/1\",\"suite\":[\"a\"],\"model\":null,\"bundles\":[{\"name\":\"a\",\"passed\":true}]}",
    "<html><script type=\"application/json\" id=\"data\">{}</script></html>",
  ])
  func refusesOtherFiles(text: String) throws {
    let path = NSTemporaryDirectory() + "benben-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: BenbenError.self) { try ParityPage.report(at: path) }
  }

  /// What stands at the top of a report is not believed.
  @Test func aSuitePassesWhenItsGoldensDo() throws {
    var members = try #require(Self.report(["a", "b"]).json.object)
    members["passed"] = .bool(true)
    #expect(try !SuiteReport(json: .object(members), path: "report").passed)
    #expect(!SuiteReport(suite: ["a"], model: .null).passed)
  }

  @Test func writesJUnit() {
    var report = Self.report(["a", "b"])
    report.add(.init(name: "c", outcome: .failure(.init(text: "\"<&>\u{1}\"\n")), clip: nil))
    #expect(
      JUnitReport.xml(report) == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="benben verify" tests="3" failures="1" errors="1">
          <testsuite name="a" tests="1" failures="0" errors="0">
            <testcase classname="a" name="dit/prediction (teacher-forced)"/>
          </testsuite>
          <testsuite name="b" tests="1" failures="1" errors="0">
            <testcase classname="b" name="dit/prediction (teacher-forced)">
              <failure message="dit/unit0/stage1/step2/prediction: nmse 0.001, allowed 0.0001"/>
            </testcase>
          </testsuite>
          <testsuite name="c" tests="1" failures="0" errors="1">
            <testcase classname="c" name="golden">
              <error message="&quot;&lt;&amp;&gt;\u{FFFD}&quot;&#10;"/>
            </testcase>
          </testsuite>
        </testsuites>

        """)
  }
}
