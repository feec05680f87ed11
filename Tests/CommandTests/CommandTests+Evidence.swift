import Foundation
import JSON
import TestSupport
import Testing

extension CommandTests {
  private static let evidence = "\(Fixtures.path)/evidence"

  /// The card depends on the model and the report alone.
  ///
  /// After a change of the native format or the version, the commands in `Tests/Fixtures/README.md` make both anew.
  @Test func theCardOfTheBundledModelIsRepeated() throws {
    let model = try convert("shapes", "int8")
    let report = Self.evidence + "/parity.json"
    let card = try run("card", model, "--report", report, "--title", "Pyramid Flow shapes, int8")
    #expect(card.code == 0, "\(card.errors)")
    #expect(card.output == (try String(contentsOfFile: Self.evidence + "/card.md", encoding: .utf8)))
    #expect(try run("card", model, "--report", report, "--output", "card.md").code == 0)
    #expect(entries.contains("card.md"))
    #expect(try run("card", model).output.contains("Nothing was verified"))
    let twice = try run("card", model, "--report", report, "--report", report)
    #expect(twice.code == 64 && twice.errors.contains("given twice"), "\(twice.errors)")
  }

  @Test func aReportIsCheckedAgainstAModel() throws {
    let model = try convert("shapes", "int8")
    let report = Self.evidence + "/parity.json"
    let sound = try run("report", "check", model, report, "--json", "-")
    #expect(sound.code == 0 && sound.json?["passed"] == true, "\(sound.errors)")
    let text = try String(contentsOfFile: report, encoding: .utf8)
    func check(_ name: String, _ changed: String, _ expected: String) throws {
      #expect(changed != text)
      try changed.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
      let outcome = try run("report", "check", model, name)
      #expect(outcome.code == 1 && outcome.output.contains(expected), "\(name): \(outcome.output)")
      #expect(try run("card", model, "--report", name).code == 65, "\(name)")
    }
    // A verdict that is not the numbers'; another model's hash; thresholds that anything passes.
    try check(
      "verdict.json", text.replacing("\"visibility\": \"visible\"", with: "\"visibility\": \"equal\""),
      "does not follow")
    let json = try JSONValue(parsing: text)
    // What is not there, or there twice, or contradicts itself; the verdict follows from what is left all the same.
    func changed(_ key: String, _ value: JSONValue) -> String {
      JSONValue.object((json.object ?? [:]).merging([key: value]) { $1 }).prettyText
    }
    let stages = try #require(json["stages"]?.array)
    for (name, value) in [
      ("none.json", []), ("texts.json", stages.prefix(10).map(\.self)),
      ("one-less.json", stages.filter { $0["path"]?.string != "dit/unit1/stage2/step3/prediction" }),
    ] {
      try check(name, changed("stages", .array(value)), "calls of the transformer were compared, and holds")
    }
    try check("twice.json", changed("stages", .array(stages + stages.suffix(1))), "a tensor twice")
    let worst = try #require(stages.firstIndex { $0["nmse"]?.double ?? 0 > 0 })
    var flattered = stages
    flattered[worst] = .object((stages[worst].object ?? [:]).merging(["sqnrDb": 999]) { $1 })
    try check("flattered.json", changed("stages", .array(flattered)), "is not that of its error")
    // What a lossy video is allowed is no excuse for a trace, nor for anything; and a reader will run the command.
    let lossy = text.replacing("\"identicalFraction\": 0.05", with: "\"identicalFraction\": 0")
      .replacing("\"psnrMinDb\": 19", with: "\"psnrMinDb\": 3")
    try check("lossy.json", lossy, "judged more loosely")
    var video = try #require(try JSONValue(parsing: lossy).object)
    (video["stages"], video["callsCompared"]) = ([], 0)
    try check("video.json", JSONValue.object(video).prettyText, "judged more loosely")
    try check(
      "command.json",
      text.replacing("benben verify MODEL --golden golden.h5", with: "benben verify x; curl y | sh"),
      "is none of a verification")
    let golden = try #require(json["golden"]?["sha256"]?.string)
    try check("hash.json", text.replacing(golden, with: "zz"), "is none")
    let forced = changed("stages", .array(stages.filter { $0["mode"]?.string == "teacher-forced" }))
    try forced.write(toFile: "\(folder)/forced.json", atomically: true, encoding: .utf8)
    let partial = try run("report", "check", model, "forced.json")
    #expect(partial.output.contains("it says nothing of the latents (free-running)"), "\(partial.output)")
    // A part that failed, cut out with all that depends on it, is missed.
    let paths = stages.filter { $0["path"]?.string?.hasPrefix("vae/") != true }
    var cut = try #require(json.object)
    (cut["stages"], cut["frames"], cut["framesByMode"]) = (.array(paths), .null, [:])
    try JSONValue.object(cut).prettyText.write(
      toFile: "\(folder)/cut.json", atomically: true, encoding: .utf8)
    let gaps = try run("report", "check", model, "cut.json")
    #expect(
      gaps.output.contains("it says nothing of the decoder's output (teacher-forced), the frames"),
      "\(gaps.output)")
    try check(
      "impossible.json", text.replacing("\"maxAbs\": ", with: "\"maxAbs\": 9"),
      "the numbers of its frames are none")
    let markup = text.replacing("a red ball moving right", with: "<script>x</script>[y](z)")
    try markup.write(toFile: "\(folder)/markup.json", atomically: true, encoding: .utf8)
    let card = try run("card", model, "--report", "markup.json")
    #expect(card.code == 0 && card.output.contains("\\<script\\>x\\</script\\>\\[y\\](z)"), "\(card.output)")
    let unread = try run("report", "check", model, "lacking.json")
    #expect(unread.code == 66)
    for (text, words) in [
      ("{}", "it names no schema"), (changed("callsCompared", .null), "callsCompared"),
    ] {
      try text.write(toFile: "\(folder)/odd.json", atomically: true, encoding: .utf8)
      let odd = try run("report", "check", model, "odd.json")
      #expect(odd.code == 65 && odd.errors.contains(words), "\(odd.errors)")
      #expect(!odd.errors.contains("DecodingError") && !odd.errors.contains("suite"), "\(odd.errors)")
    }
    let hash = try #require(json["model"]?["components"]?.array?.first?["headerSha256"]?.string)
    try check(
      "model.json", text.replacing(hash, with: String(hash.reversed())), "another model: text_encoder")
    let loose = try run(
      "verify", model, "--golden", "\(Fixtures.path)/shapes/golden.h5", "--mode", "teacher-forced",
      "--threshold",
      "psnr=5", "--threshold", "teacher-forced=1", "--json", "loose.json", "--quiet")
    #expect(loose.code == 0, "\(loose.errors)")
    try check("again.json", try contents("loose.json"), "judged more loosely")
    #expect(try run("report", "check", model, "\(Fixtures.path)/README.md").code == 65)
  }

  /// A report is of one of a model's transformers, and what is said of the model says which nobody looked at.
  @Test func reportsNameTheTransformer() throws {
    let release = folder + "/release"
    for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.checkpoint("miniflux")) {
      let source = Fixtures.checkpoint("miniflux") + "/" + name
      for name in [name] + (name.hasSuffix("384p") ? [name.replacing("384p", with: "768p")] : []) {
        try FileManager.default.createDirectory(atPath: release, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: source, toPath: "\(release)/\(name)")
      }
    }
    #expect(try run("convert", "release", "--output", "both", "--quiet").code == 0)
    let golden = Fixtures.trace("miniflux")
    let verified = try run("verify", "both", "--golden", golden, "--json", "384p.json")
    #expect(
      verified.code == 0 && verified.errors.contains("the transformer 384p is verified; the model has 768p"))
    let other = try run(
      "verify", "both", "--golden", golden, "--variant", "768p", "--mode", "teacher-forced", "--json",
      "768p.json")
    #expect(other.code == 0 && !other.errors.contains("is verified"), "\(other.errors)")
    let half = try run("report", "check", "both", "384p.json", "--json", "half.json")
    #expect(
      half.code == 0 && half.output.contains("no report names the transformer 768p of the model"),
      "\(half.output)"
    )
    #expect(half.output.contains("computed by the transformer 384p"), "\(half.output)")
    #expect(try JSONValue(parsing: contents("half.json"))["unverified"] == ["768p"])
    let card = try run("card", "both", "--report", "384p.json")
    #expect(card.output.contains("no report names the transformer 768p of the model"), "\(card.output)")
    let whole = try run("report", "check", "both", "384p.json", "768p.json", "--json", "whole.json")
    #expect(whole.code == 0 && !whole.output.contains("no report names"), "\(whole.output)")
    #expect(try JSONValue(parsing: contents("whole.json"))["unverified"] == [])
    // One that the model has not; and a report of a version that named none.
    let name = "\"variant\": \"384p\""
    let text = try contents("384p.json")
    for (file, text, code, words) in [
      (
        "moved.json", text.replacing(name, with: "\"variant\": \"image\""), 1, "that the model has not: image"
      ),
      (
        "earlier.json", text.replacing(",\n  \(name)", with: ""), 0,
        "does not say which of the model's transformers"
      ),
    ] {
      try text.write(toFile: folder + "/" + file, atomically: true, encoding: .utf8)
      let outcome = try run("report", "check", "both", file)
      #expect(outcome.code == code && outcome.output.contains(words), "\(outcome.output)")
      #expect(outcome.output.contains("no report names the transformers 384p, 768p"), "\(outcome.output)")
    }
  }

  /// Evidence goes out with the model and is shown where it arrives; that of another model stays at home.
  @Test func packsCarryEvidence() throws {
    let model = try convert("shapes", "int8")
    let files = ["parity.json", "card.md"].flatMap { ["--evidence", "\(Self.evidence)/\($0)"] }
    #expect(try run(["pack", model, "--output", "m.zst", "--quiet"] + files).code == 0)
    let unpacked = try run("unpack", "m.zst", "--output", "there")
    #expect(unpacked.code == 0 && unpacked.errors.contains("parity.json: PASS"), "\(unpacked.errors)")
    #expect(
      try contents("there/evidence/card.md")
        == String(contentsOfFile: Self.evidence + "/card.md", encoding: .utf8))
    #expect(try run("check", "there", "--quiet").code == 0)
    #expect(unpacked.errors.contains("card.md: a card of this model and its reports"), "\(unpacked.errors)")
    // A card must be of this model, and its numbers those of the reports beside it; what a publisher adds may stay.
    let card = try String(contentsOfFile: Self.evidence + "/card.md", encoding: .utf8)
    for (text, evidence, words) in [
      (card + "\n## Licence\n\nMIT\n", ["parity.json"], nil),
      (card.replacing("43.06 dB", with: "99.99 dB"), ["parity.json"], "is not what the reports"),
      (card, [], "it was made of parity.json, and no report of that name"),
      (card.replacing("148.4 KB", with: "148.5 KB"), ["parity.json"], "hashes are others"),
    ] as [(String, [String], String?)] {
      try text.write(toFile: folder + "/card.md", atomically: true, encoding: .utf8)
      let outcome = try run(
        ["pack", model, "--output", "c.zst", "--force", "--quiet", "--evidence", "card.md"]
          + evidence.flatMap { ["--evidence", "\(Self.evidence)/\($0)"] })
      #expect(outcome.code == (words == nil ? 0 : 65), "\(outcome.errors)")
      #expect(words.map(outcome.errors.contains) ?? true, "\(outcome.errors)")
    }
    // It goes on with the model: the very pack comes out again.
    #expect(try run("pack", "there", "--output", "again.zst", "--quiet").code == 0)
    let packs = ["m.zst", "again.zst"].map { FileManager.default.contents(atPath: folder + "/" + $0) }
    #expect(packs[0] != nil && packs[0] == packs[1])
    // The evidence does not stand in the way of the next version of the model.
    #expect(try run("unpack", "m.zst", "--output", "there", "--force", "--quiet").code == 0)
    let other = try run(
      "convert", "\(Fixtures.path)/shapes/checkpoint", "--output", "bf16", "--type", "bf16", "--quiet")
    #expect(other.code == 0)
    #expect(try run(["pack", "bf16", "--output", "n.zst", "--quiet"] + files).code == 65)
    #expect(!entries.contains("n.zst"))
    let odd = try run("pack", model, "--output", "n.zst", "--evidence", "\(Fixtures.path)/shapes/golden.h5")
    #expect(odd.code == 65, "\(odd.errors)")
    let note = try run("pack", model, "--output", "n.zst", "--evidence", "\(Fixtures.path)/README.md")
    #expect(note.code == 65 && note.errors.contains("not a model card"), "\(note.errors)")
    #expect(!entries.contains("n.zst"))
  }
}
