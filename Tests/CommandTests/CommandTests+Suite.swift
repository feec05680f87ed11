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
  /// A golden bundle of one of the fixtures' traces, as `tools/record_golden.py` writes it.
  func writeBundle(
    _ path: String, _ fixture: String, hash: String? = nil, bytes: Int? = nil, file: String? = nil
  )
    throws
  {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try? FileManager.default.copyItem(
      atPath: "\(Fixtures.path)/\(fixture)/golden.h5", toPath: path + "/golden.h5")
    let trace = try InputFile(path: path + "/golden.h5")
    let row: JSONValue = [
      "path": .string(file ?? "golden.h5"), "bytes": .integer(bytes ?? trace.size),
      "sha256": .string(try hash ?? trace.sha256()),
    ]
    let weights: JSONValue = ["path": "text_encoder/model.safetensors", "bytes": 1, "sha256": "other"]
    let manifest: JSONValue = [
      "schema": "benben.bundle/1", "files": [row], "device": "x86_64", "checkpoint": [weights],
    ]
    try manifest.prettyText.write(toFile: path + "/manifest.json", atomically: true, encoding: .utf8)
  }

  /// Verified by its trace, unless a file is not the one that its manifest lists.
  @Test func verifiesBundles() throws {
    let model = try convert("miniflux")
    let bundle = folder + "/bundle"
    func verify() throws -> Outcome {
      try run("verify", model, "--golden", bundle, "--mode", "teacher-forced", "--json", "-", "--quiet")
    }
    try writeBundle(bundle, "miniflux")
    let report = try verify()
    #expect(report.code == 0 && report.json?["passed"] == true, "\(report.errors)")
    #expect(report.json?["golden"]?["recorded"] == ["device": "x86_64"])
    #expect(report.json?["golden"]?["otherFiles"] == ["text_encoder"])
    let damages: [(hash: String?, bytes: Int?, file: String?)] = [
      (String(repeating: "0", count: 64), nil, nil), (nil, 1, nil), (nil, nil, "../golden.h5"),
      (nil, nil, "clip.mp4"),
    ]
    for damage in damages {
      try writeBundle(bundle, "miniflux", hash: damage.hash, bytes: damage.bytes, file: damage.file)
      let refused = try verify()
      #expect(refused.code == 65, "\(refused.errors)")
      #expect(refused.errors.contains("bundle"))
    }
  }

  /// The calls of one golden in three parts give what one run gives, to the byte, in any order.
  @Test func partsOfAGoldenMergeToOneReport() throws {
    let model = try convert("miniflux")
    let golden = "\(Fixtures.path)/miniflux/golden.h5"
    func verify(_ name: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "verify", model, "--golden", golden, "--json", name + ".json", "--report", name + ".html",
          "--junit",
        ]
          + [name + ".xml"] + more)
    }
    let whole = try verify("whole")
    #expect(whole.code == 0, "\(whole.errors)")
    let parts = try (1...3).map { try verify("part\($0)", "--shard", "\($0)/3") }
    #expect(parts.map(\.code) == [0, 0, 0], "\(parts.map(\.output))")
    #expect(parts[1].output.contains("part 2 of 3") && parts[1].output.contains(" calls of the transformer"))
    for kind in ["html", "json"] {
      let shards = [3, 1, 2].map { "part\($0).\(kind)" }
      let merged = try run(
        ["report", "merge"] + shards + ["--json", "all.json", "--report", "all.html", "--junit", "all.xml"])
      #expect(merged.code == 0 && merged.output == whole.output, "\(merged.errors)")
      #expect(try contents("all.json") == contents("whole.json"))
      #expect(try contents("all.xml") == contents("whole.xml"))
      #expect(try (contents("all.html") == contents("whole.html")) == (kind == "html"))
    }
    #expect(try run("report", "check", model, "all.json").code == 0)
    let alone = try run("report", "check", model, "part2.json")
    #expect(alone.code == 1 && alone.output.contains("part 2 of 3"), "\(alone.output)")
    #expect(try run("report", "merge", "part1.json", "part3.json").code == 66)
    #expect(try run("report", "merge", "part1.json", "part2.json", "part2.json", "part3.json").code == 65)
    #expect(try run("report", "merge", "part1.json", "whole.json").code == 65)
    #expect(try run("report", "merge", "whole.json", "part1.json").code == 65)
    #expect(try run("report", "merge", "whole.json").code == 65)
    // A clip is generated as a whole, and a sample of calls is not all of them.
    let clip = "\(Fixtures.path)/miniflux/golden.mp4"
    #expect(try run("verify", model, "--golden", clip, "--shard", "1/2").code == 64)
    #expect(try verify("odd", "--shard", "1/2", "--calls", "3").code == 64)
    #expect(try verify("odd", "--shard", "1/2", "--fail-fast").code == 64)
  }

  /// Of a bundle whose parts are more than its calls, given the golden's inputs only, by their pages: some parts are empty.
  @Test func emptyPartsPass() throws {
    let model = try convert("miniflux")
    try writeBundle("\(folder)/bundle", "vae_tiled")
    func verify(_ name: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "verify", model, "--golden", "bundle", "--mode", "teacher-forced", "--json", name + ".json",
          "--report",
        ]
          + [name + ".html", "--junit", name + ".xml"] + more)
    }
    let whole = try verify("whole")
    #expect(whole.code == 0, "\(whole.errors)")
    let parts = try [1, 2].map { try verify("part\($0)", "--shard", "\($0)/2") }
    #expect(parts.map(\.code) == [0, 0], "\(parts.map(\.errors))")
    #expect(parts[1].output.contains("nothing was to be compared"))
    for kind in ["json", "html"] {
      let merged = try run(
        "report", "merge", "part1.\(kind)", "part2.\(kind)", "--json", "all.json", "--report", "all.html",
        "--junit",
        "all.xml")
      #expect(merged.code == 0 && merged.output == whole.output, "\(merged.errors)")
      #expect(try contents("all.json") == contents("whole.json"))
      #expect(try contents("all.xml") == contents("whole.xml"))
    }
    #expect(try contents("all.html") == contents("whole.html"))
    // Parts in which nothing is compared are no verification.
    let free = try [1, 2].map {
      try run(
        "verify", model, "--golden", "bundle", "--mode", "free-running", "--shard", "\($0)/2", "--json",
        "f\($0).json")
    }
    #expect(free.map(\.code) == [0, 0], "\(free.map(\.errors))")
    #expect(try run("report", "merge", "f1.json", "f2.json").code == 65)
    #expect(try run("report", "merge", "f1.json", "part2.json").code == 65)
  }

  /// One that the recorder wrote, of a run in bf16.
  @Test func verifiesARecordedBundle() throws {
    let bundle = "\(Fixtures.path)/bundle"
    for type in ["bf16", "int8"] {
      let model = try convert("shapes", type)
      let right = try run("verify", model, "--golden", bundle, "--json", "-", "--quiet")
      #expect(right.code == 0, "\(right.output)")
      #expect(right.json?["golden"]?["otherFiles"] == [])
      #expect(right.json?["golden"]?["recorded"]?["level"]?.string == "steps")
      try FileManager.default.removeItem(atPath: model)
    }
    let wrong = try run("verify", try convert("miniflux"), "--golden", bundle)
    #expect(wrong.code == 1)
    #expect(
      wrong.output.contains(
        "recorded from other files than the model's causal_video_vae, diffusion_transformer_384p"))
  }

  func contents(_ name: String) throws -> String {
    try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
  }

  /// Three shards of eight bundles give what one run gives, to the byte; of the eight, one is damaged, one is of another
  /// model and one is not there.
  @Test func shardsOfASuiteMergeToOneReport() throws {
    let model = try convert("miniflux")
    let suite = folder + "/suite"
    var rows: [JSONValue] = []
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
      let path = "\(suite)/\(name)"
      try writeBundle(path, name == "e" ? "shapes" : "vae_tiled", bytes: name == "c" ? 1 : nil)
      rows.append([
        "name": .string(name),
        "manifestSha256": .string(try InputFile(path: path + "/manifest.json").sha256()),
      ])
    }
    let list: JSONValue = ["schema": "benben.golden-suite/1", "bundles": .array(rows)]
    try list.prettyText.write(toFile: suite + "/suite.json", atomically: true, encoding: .utf8)
    try FileManager.default.removeItem(atPath: suite + "/g")
    func verify(_ name: String, _ more: String...) throws -> Outcome {
      try run(
        [
          "verify", model, "--golden", suite, "--mode", "teacher-forced", "--json", name + ".json",
          "--report",
        ]
          + [name + ".html", "--junit", name + ".xml"] + more)
    }
    let whole = try verify("whole")
    #expect(whole.code == 1, "\(whole.errors)")
    #expect(whole.output.contains("5 of 8 goldens match"), "\(whole.output)")
    #expect(whole.errors.contains("golden 8/8, h: ok"))
    let parts = try (1...3).map { try verify("part\($0)", "--shard", "\($0)/3") }
    #expect(parts.map(\.code) == [1, 1, 1], "\(parts.map(\.output))")
    #expect(parts[0].output.contains("2 of 3 goldens match, of 8 in the suite"), "\(parts[0].output)")
    for kind in ["html", "json"] {
      let shards = [3, 1, 2].map { "part\($0).\(kind)" }
      let merged = try run(
        ["report", "merge"] + shards + ["--json", "all.json", "--report", "all.html", "--junit", "all.xml"])
      #expect(merged.code == 1 && merged.output == whole.output, "\(merged.errors)")
      #expect(try contents("all.json") == contents("whole.json"))
      #expect(try contents("all.xml") == contents("whole.xml"))
      // JSON reports hold no pictures.
      #expect(try (contents("all.html") == contents("whole.html")) == (kind == "html"))
    }
    let report = try JSONValue(parsing: try contents("whole.json"))
    let bundles = try #require(report["bundles"]?.array)
    #expect(bundles.map { $0["passed"] == true } == [true, true, false, true, false, true, false, true])
    for (index, word) in [(2, "damaged"), (4, "another model"), (6, "no golden bundle")] {
      #expect(bundles[index]["error"]?.string?.contains(word) == true, "\(bundles[index])")
    }
    #expect(try run("report", "merge", "part1.json", "part3.json").code == 66)
    #expect(try run("report", "merge", "part1.json", "part1.json").code == 65)
    #expect(try run("verify", model, "--golden", suite, "--shard", "4/3").code == 64)
  }
}
