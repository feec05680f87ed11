import Foundation
import JSON
import TestSupport
import Testing

extension CommandTests {
  private func generate(_ model: String, _ arguments: [String]) throws -> Outcome {
    try run(["generate", model] + arguments)
  }

  private func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: "\(folder)/\(name)") }

  /// A prompt beyond ASCII and a seed beyond 2⁶³ survive; what is given again is taken.
  @Test func repeatsAClip() throws {
    let model = try convert("shapes", "bf16")
    let small = ["--width", "64", "--height", "64", "--steps", "2,1,1", "--video-steps", "1,1,1"]
    let made = try generate(
      model,
      ["--prompt", "a réd \"ball\" 🎈", "--temp", "2", "--seed", "18446744073709551615", "--output", "a.mp4"]
        + small)
    #expect(made.code == 0, "\(made.errors)")
    let again = try generate(model, ["--like", "a.mp4", "--output", "b.mp4"])
    #expect(again.code == 0 && again.errors.contains("🎈") && !again.errors.contains("other weights"))
    #expect(bytes("a.mp4") != nil && bytes("a.mp4") == bytes("b.mp4"))
    #expect(try generate(model, ["--like", "a.mp4", "--output", "frames", "--quiet"]).code == 0)
    #expect(try generate(model, ["--like", "frames", "--output", "c.mp4", "--quiet"]).code == 0)
    #expect(bytes("a.mp4") == bytes("c.mp4"))
    let other = ["--like", "a.mp4", "--seed", "1", "--temp", "1", "--quiet", "--output"]
    #expect(try generate(model, other + ["d.png"]).code == 0)
    #expect(try generate(model, ["--like", "d.png", "--output", "e.png", "--quiet"]).code == 0)
    #expect(bytes("d.png") != nil && bytes("d.png") == bytes("e.png"))
    #expect(
      try generate(model, ["--like", "d.png", "--output", "f.png", "--seed", "2", "--quiet"]).code == 0)
    #expect(bytes("d.png") != bytes("f.png"))
  }

  /// A frame of more than one tile is another clip without tiles, and that is repeated, too.
  @Test func decodesWholeFramesAndShowsPreviews() throws {
    let model = try convert("shapes", "bf16")
    let small = [
      "--width", "320", "--height", "64", "--steps", "1,1,1", "--video-steps", "1,1,1", "--temp", "2",
    ]
    let tiled = ["--prompt", "x", "--output", "tiled.mp4", "--quiet"] + small
    #expect(try generate(model, tiled).code == 0)
    let whole = try generate(
      model, ["--prompt", "x", "--output", "whole.mp4", "--vae-tiling", "none", "--preview", "p.png"] + small)
    #expect(whole.code == 0, "\(whole.errors)")
    #expect(try generate(model, ["--like", "whole.mp4", "--output", "again.mp4", "--quiet"]).code == 0)
    #expect(bytes("whole.mp4") != nil && bytes("whole.mp4") == bytes("again.mp4"))
    #expect(bytes("whole.mp4") != bytes("tiled.mp4"))
    #expect(bytes("p.png")?.starts(with: [0x89, 0x50, 0x4E, 0x47]) == true)
    let kept = try generate(model, tiled + ["--force", "--preview", "p.png"])
    #expect(kept.code == 0, "\(kept.errors)")
    let other = try generate(model, ["--prompt", "x", "--output", "new.mp4", "--preview", "p.png"] + small)
    #expect(other.code == 73 && !entries.contains("new.mp4"), "\(other.errors)")
    #expect(try generate(model, ["--prompt", "x", "--output", "new.mp4", "--preview", "p.mp4"]).code == 64)
  }

  /// An approximation is another clip, says so, and is repeated; reports name it, and exact models fail by it.
  @Test func approximatesTheHistory() throws {
    let model = try convert("shapes", "bf16")
    let small = [
      "--prompt", "x", "--width", "64", "--height", "64", "--steps", "2,1,1", "--video-steps", "3,3,3",
      "--temp", "3", "--seed", "1",
    ]
    #expect(try generate(model, small + ["--output", "exact.mp4", "--quiet"]).code == 0)
    let fast = try generate(model, small + ["--output", "fast.mp4", "--approximate", "history=2"])
    #expect(fast.code == 0 && fast.errors.contains("history=2 is an approximation"), "\(fast.errors)")
    #expect(bytes("fast.mp4") != nil && bytes("fast.mp4") != bytes("exact.mp4"))
    #expect(try generate(model, ["--like", "fast.mp4", "--output", "again.mp4", "--quiet"]).code == 0)
    #expect(bytes("again.mp4") == bytes("fast.mp4"))
    let off = ["--like", "fast.mp4", "--approximate", "off", "--output", "off.mp4", "--quiet"]
    #expect(try generate(model, off).code == 0)
    #expect(bytes("off.mp4") == bytes("exact.mp4"))
    for wrong in ["history=1", "history=", "histories", "history=4=4"] {
      #expect(try generate(model, small + ["--output", "x.mp4", "--approximate", wrong]).code == 64)
    }
    let image = try generate(
      model, small + ["--temp", "1", "--output", "i.png", "--approximate", "history"])
    #expect(image.code == 0 && image.errors.contains("--approximate does nothing"), "\(image.errors)")

    // A trace is known by its first bytes, whatever it is called.
    let golden = "\(folder)/recorded"
    try FileManager.default.copyItem(atPath: "\(Fixtures.path)/shapes/golden.h5", toPath: golden)
    let verified = try run(
      "verify", model, "--golden", golden, "--approximate", "history=3", "--json", "report.json")
    #expect(verified.code == 1 && verified.output.contains("the model approximated: history=3"))
    let report = try JSONValue(parsing: Array(bytes("report.json") ?? Data()))
    #expect(report["approximation"]?.string == "history=3" && report["passed"]?.bool == false)
    #expect(report["run"]?["command"]?.string?.contains("--approximate history=3") == true)
    #expect(report["firstDivergence"]?.string?.hasPrefix("dit/unit1/stage0/") == true)
    let coarse = try run(
      "convert", "\(Fixtures.path)/shapes/checkpoint", "--output", "coarse", "--type", "int8", "--quiet")
    #expect(coarse.code == 0, "\(coarse.errors)")
    let allowed = try run(
      "verify", "coarse", "--golden", golden, "--approximate", "history=6", "--json", "coarse.json")
    #expect(allowed.code == 0, "\(allowed.output)")
    let checked = try run("report", "check", "coarse", "coarse.json")
    #expect(checked.code == 0 && checked.output.contains("approximated (history=6)"), "\(checked.output)")
  }

  @Test func saysWhatCannotBeRepeated() throws {
    let model = try convert("shapes", "bf16")
    let small = ["--width", "64", "--height", "64", "--steps", "1,1,1", "--video-steps", "1,1,1", "--quiet"]
    #expect(
      try generate(model, ["--prompt", "x", "--output", "bare.png", "--no-metadata"] + small).code == 0)
    for (clip, code) in [("bare.png", 65), ("absent.mp4", 66), ("\(Fixtures.path)/README.md", 65)] {
      let outcome = try generate(model, ["--like", clip, "--output", "x.png"])
      #expect(outcome.code == Int32(code), "\(clip): \(outcome.errors)")
    }
    #expect(bytes("bare.png").map { $0.range(of: Data("Comment".utf8)) == nil } == true)
    let fromImage = ["--prompt", "x", "--image", "bare.png", "--temp", "2", "--output", "image.mp4"]
    #expect(try generate(model, fromImage + small).code == 0)
    let without = try generate(model, ["--like", "image.mp4", "--output", "x.mp4"])
    #expect(without.code == 64 && without.errors.contains("made from an image"), "\(without.errors)")
    #expect(try generate(model, ["--prompt", "y", "--output", "other.png"] + small).code == 0)
    let another = try generate(model, ["--like", "image.mp4", "--image", "other.png", "--output", "x.mp4"])
    #expect(another.code == 0 && another.errors.contains("from another image"), "\(another.errors)")
    let recorded = ["--noise", "\(Fixtures.path)/shapes/golden.h5", "--width", "128", "--height", "128"]
    let shape = ["--steps", "8,8,8", "--video-steps", "8,8,8", "--temp", "2", "--quiet"]
    #expect(try generate(model, ["--prompt", "x", "--output", "noise.mp4"] + recorded + shape).code == 0)
    let unknown = try generate(model, ["--like", "noise.mp4", "--output", "y.mp4"])
    #expect(unknown.code == 64 && unknown.errors.contains("recorded noise"), "\(unknown.errors)")
    let coarse = try run(
      "convert", "\(Fixtures.path)/shapes/checkpoint", "--output", "coarse", "--type", "int8", "--quiet")
    #expect(coarse.code == 0, "\(coarse.errors)")
    let weights = try generate("coarse", ["--like", "other.png", "--output", "z.png"])
    #expect(weights.code == 0 && weights.errors.contains("other weights: "), "\(weights.errors)")
  }

  /// The estimate is of a run, and nothing is written.
  @Test func plansARun() throws {
    let model = try convert("shapes", "bf16")
    let request = ["--prompt", "x", "--output", "a.mp4", "--width", "128", "--height", "128", "--temp", "3"]
    let outcome = try generate(model, request + ["--dry-run", "--json", "-"])
    let plan = try #require(outcome.json)
    #expect(outcome.code == 0 && outcome.errors.contains("time on this machine"), "\(outcome.errors)")
    #expect(plan["calls"]?.integer == 120 && plan["memory"]?["peakBytes"]?.integer ?? 0 > 0)
    #expect(plan["seconds"]?["image"] == nil && !entries.contains("a.mp4"))
    let phases = ["texts", "latents", "decoding"].compactMap { plan["seconds"]?[$0]?.double }
    #expect(phases.count == 3 && phases.allSatisfy { $0 > 0 })
    // Other work on the machine lengthens either, never shortens it: the shortest of each are compared.
    var shortest = (planned: Double.infinity, taken: Double.infinity)
    for _ in 1...5 {
      let plan = try #require(try generate(model, request + ["--dry-run", "--json", "-"]).json)
      let run = try #require(try generate(model, request + ["--quiet", "--json", "-"]).json)
      let taken = ["texts", "latents", "decoding"].compactMap { run["seconds"]?[$0]?.double }.reduce(0, +)
      shortest.planned = min(shortest.planned, try #require(plan["totalSeconds"]?.double))
      shortest.taken = min(shortest.taken, taken)
      if (0.25...4).contains(shortest.planned / shortest.taken) { return }
    }
    Issue.record("\(shortest.planned) s planned, \(shortest.taken) s taken")
  }
}
