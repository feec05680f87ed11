import Foundation
import JSON
import TestSupport
import Testing

/// Sources that hold more than one thing, or things in each other's place.
extension CommandTests {
  /// Rewrites a safetensors file: every tensor once under each of the prefixes; what follows the first is zero.
  private func prefix(_ file: String, _ prefixes: [String]) throws {
    let bytes = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let data = bytes[(8 + length)...]
    var header: [String: JSONValue] = [:]
    let entries = try JSONValue(parsing: Array(bytes[8..<8 + length]))
    for (name, entry) in try #require(entries.object) where name != "__metadata__" {
      let offsets = try #require(entry["data_offsets"]?.array).compactMap { $0.integer }
      for (index, prefix) in prefixes.enumerated() {
        header[prefix + name] = [
          "dtype": try #require(entry["dtype"]), "shape": try #require(entry["shape"]),
          "data_offsets": .array(offsets.map { .integer($0 + index * data.count) }),
        ]
      }
    }
    let text = Data(JSONValue.object(header).canonicalText.utf8)
    let zeros = Data(count: data.count * (prefixes.count - 1))
    try (withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text + Data(data) + zeros)
      .write(to: URL(fileURLWithPath: file))
  }

  @Test func weightsOrTheirMovingAverageAreTaken() throws {
    let original = try hashes(try convert())
    let checkpoint = try copy("miniflux")
    let file = checkpoint + "/text_encoder/model.safetensors"

    // Both: the weights, unless the average is asked for.
    try prefix(file, ["model.", "ema."])
    let weights = try run("convert", checkpoint, "--output", "weights", "--type", "f32")
    #expect(
      weights.errors.contains("36 entries of the source not used: the moving average"), "\(weights.errors)")
    #expect(try hashes(folder + "/weights") == original)
    let average = try run("convert", checkpoint, "--weights", "ema", "--output", "average", "--type", "f32")
    #expect(average.errors.contains("the moving average of the weights is taken"), "\(average.errors)")
    let changed = try hashes(folder + "/average").filter { original[$0.key] != $0.value }
    #expect(changed.count == 36 && changed.keys.allSatisfy { $0.hasPrefix("text_encoder.benben/") })

    // The average alone is taken, and that is said.
    try FileManager.default.removeItem(atPath: checkpoint)
    try prefix(try copy("miniflux") + "/text_encoder/model.safetensors", ["ema."])
    let alone = try run("convert", checkpoint, "--output", "alone", "--type", "f32")
    #expect(alone.errors.contains("the moving average of the weights is taken"), "\(alone.errors)")
    #expect(try hashes(folder + "/alone") == original)

    // There is none.
    let none = try run(
      "convert", checkpoint, "--component", "causal_video_vae", "--weights", "ema", "--output", "none")
    #expect(none.code == 66 && none.errors.contains("there is no moving average"), "\(none.errors)")
  }

  /// Both CLIPs have tensors of the same names, and swapped ones give vectors of the right width.
  @Test func encodersInEachOthersPlaceAreNoticed() throws {
    let checkpoint = try copy("sd3")
    let files = FileManager.default
    let (first, second) = (checkpoint + "/text_encoder", checkpoint + "/text_encoder_2")
    func refusal(_ words: String) throws {
      let refused = try run("convert", checkpoint, "--output", "m", "--quiet")
      #expect(refused.code == 65 && refused.errors.contains(words), "\(refused.errors)")
      #expect(try run("inspect", checkpoint).output.contains("text-to-video: not with these components"))
    }
    try files.moveItem(atPath: first, toPath: checkpoint + "/x")
    try files.moveItem(atPath: second, toPath: first)
    try files.copyItem(atPath: checkpoint + "/x", toPath: second)
    try refusal("text_encoder is 48 wide and text_encoder_2 32: they are swapped")
    try files.removeItem(atPath: second)
    try files.copyItem(atPath: first, toPath: second)
    try refusal("expects 80 together: one encoder stands there twice")
    try files.removeItem(atPath: first)
    try files.moveItem(atPath: checkpoint + "/x", toPath: first)
    #expect(try run("convert", checkpoint, "--output", "m", "--quiet").code == 0)
  }

  /// What verifications kept of two models is compared without a golden; equal models keep equal values.
  @Test func runsAreComparedWithoutAGolden() throws {
    _ = try convert()
    #expect(try run("convert", "model", "--output", "rounded", "--type", "int8", "--quiet").code == 0)
    let golden = Fixtures.trace("miniflux")
    for (model, file) in [("model", "a.h5"), ("model", "b.h5"), ("rounded", "c.h5")] {
      let result = try run("verify", model, "--golden", golden, "--trace-out", file, "--quiet")
      #expect(result.code == 0, "\(result.errors)")
    }
    let equal = try #require(try run("compare", "a.h5", "b.h5", "--json", "-").json)
    let rows = try #require(equal["datasets"]?.array)
    #expect(rows.count > 50 && rows.allSatisfy { $0["nmse"]?.double == 0 && $0["maxAbs"]?.double == 0 })
    #expect(equal["frames"]?.array?.count == 2 && equal["mismatches"]?.array?.isEmpty == true)
    #expect(equal["frames"]?.array?.allSatisfy { $0["identicalFraction"]?.double == 1 } == true)

    let rounded = try run("compare", "c.h5", "a.h5", "--json", "-")
    let errors = try #require(rounded.json?["datasets"]?.array).compactMap { $0["nmse"]?.double }
    #expect(rounded.code == 0 && (errors.max() ?? 0) > 1e-7 && (errors.max() ?? 1) < 1e-2)

    // The golden itself is a trace too; what only one of them has is said.
    let other = try run("compare", "a.h5", golden)
    #expect(other.code != 0, "\(other.output)\(other.errors)")
    let suite = try run(
      "verify", "model", "--golden", "\(Fixtures.path)/suite", "--trace-out", "d.h5", "--quiet")
    #expect(suite.code != 0 && !entries.contains("d.h5"))
  }

  /// A file that holds two VAEs, under two prefixes.
  @Test func oneComponentIsAskedForOnce() throws {
    let vae = try copy("miniflux") + "/causal_video_vae"
    #expect(
      try run(
        "convert", folder + "/checkpoint", "--component", "causal_video_vae", "--output", "m", "--type",
        "f32", "--quiet"
      ).code == 0)
    #expect(try run("export", "m", "--output", "vae.safetensors", "--quiet").code == 0)
    _ = vae
    try prefix(folder + "/vae.safetensors", ["", "module."])
    let refused = try run("convert", "--vae", "vae.safetensors", "--output", "x", "--quiet")
    #expect(refused.code == 65 && refused.errors.contains("more than one"), "\(refused.errors)")
  }

  /// Only what another verification kept is replaced; least of all the golden.
  @Test func aTraceOfARunReplacesNothingElse() throws {
    _ = try convert()
    let golden = folder + "/golden.h5"
    try FileManager.default.copyItem(atPath: Fixtures.trace("miniflux"), toPath: golden)
    let before = FileManager.default.contents(atPath: golden)
    let refused = try run("verify", "model", "--golden", "golden.h5", "--trace-out", "golden.h5", "--quiet")
    #expect(refused.code == 73 && FileManager.default.contents(atPath: golden) == before, "\(refused.errors)")
    for _ in 0..<2 {
      #expect(
        try run(
          "verify", "model", "--golden", "golden.h5", "--mode", "teacher-forced", "--calls", "1",
          "--trace-out", "run.h5", "--quiet"
        ).code == 0)
    }
    try Data("notes".utf8).write(to: URL(fileURLWithPath: folder + "/README.md"))
    #expect(try run("card", "model", "--output", "README.md").code == 73)
    #expect(try run("card", "model", "--output", "CARD.md").code == 0)
    #expect(try run("card", "model", "--output", "CARD.md").code == 0)
    // A publisher names the licence; a card to which nobody added may go, this one may not.
    let card = folder + "/CARD.md"
    let licensed = try String(contentsOfFile: card, encoding: .utf8)
      .replacing("library_name: benben\n", with: "library_name: benben\nlicense: mit\n")
    try licensed.write(toFile: card, atomically: true, encoding: .utf8)
    let edited = try run("card", "model", "--output", "CARD.md")
    #expect(edited.code == 73 && edited.errors.contains("was changed"), "\(edited.errors)")
    #expect(try String(contentsOfFile: card, encoding: .utf8) == licensed)
    for arguments in [["export", "model", "--output", "-"], ["pack", "model", "--output", "-"]] {
      #expect(try run(arguments + ["--quiet"]).code == 64 && !entries.contains("-"))
    }
  }

  /// An export holds what shapes do not tell: it is converted to the model that it came from, without notes.
  @Test func exportsHoldTheirConfigs() throws {
    let checkpoint = "\(Fixtures.path)/shapes/checkpoint"
    #expect(try run("convert", checkpoint, "--type", "int8", "--output", "m", "--quiet").code == 0)
    #expect(try run("export", "m", "--format", "comfy", "--output", "comfy", "--quiet").code == 0)
    #expect(try run("export", "m", "--output", "all.safetensors", "--quiet").code == 0)
    func configs(_ model: String) throws -> [JSONValue?] {
      try ["causal_video_vae", "text_encoder", "text_encoder_2", "diffusion_transformer_384p"].map {
        let bytes = Array(try #require(FileManager.default.contents(atPath: "\(model)/\($0).benben")))
        let length = bytes[16..<24].reversed().reduce(0) { $0 << 8 | Int($1) }
        return try JSONValue(parsing: Array(bytes[64..<64 + length]))["config"]
      }
    }
    func comfy(_ name: String) -> String { "comfy/\(name).safetensors" }
    let whole = "all.safetensors"
    for (name, files) in [
      (
        "a",
        [
          "--vae", comfy("causal_video_vae"), "--t5", comfy("text_encoder_2"), "--clip",
          comfy("text_encoder"), "--diffusion-transformer", comfy("diffusion_transformer_384p"),
        ]
      ),
      ("b", ["--vae", whole, "--t5", whole, "--clip", whole, "--diffusion-transformer", whole]),
    ] {
      let again = try run(
        ["convert", "--type", "int8", "--tokenizers", checkpoint, "--output", name] + files)
      #expect(again.code == 0 && !again.errors.contains("do not tell"), "\(again.errors)")
      #expect(try hashes("\(folder)/\(name)") == hashes(folder + "/m"))
      #expect(try configs("\(folder)/\(name)") == configs(folder + "/m"))
    }
    // A file is compared with the component that has its tensors.
    let compared = try run("compare", comfy("text_encoder"), "m")
    #expect(compared.code == 0 && compared.output.hasSuffix("36 of them equal\n"), "\(compared.output)")
  }

  /// Files of weights beside the one that is read are named, by `inspect` and by `convert`.
  @Test func whatIsNotReadIsSaid() throws {
    let checkpoint = try copy("miniflux")
    let folder = checkpoint + "/text_encoder"
    try FileManager.default.copyItem(
      atPath: folder + "/model.safetensors", toPath: folder + "/model.fp16.safetensors")
    let words = "text_encoder: model.safetensors is read; model.fp16.safetensors beside it is not"
    #expect(try run("inspect", checkpoint).output.contains(words))
    let converted = try run("convert", checkpoint, "--variant", "768p", "--output", "m")
    #expect(converted.code == 0 && converted.errors.contains("note: " + words), "\(converted.errors)")
    #expect(converted.errors.contains("--variant does nothing"))
  }

  /// Of a release with CLIP-G alone, the place of CLIP-G is filled, as the transformer's pooled width tells.
  @Test func aSecondClipAloneIsTheSecond() throws {
    let release = Fixtures.checkpoint("sd3")
    func files(_ name: String) -> [String] {
      [
        "convert", "--diffusion-transformer", release + "/diffusion_transformer_384p", "--clip",
        "\(release)/\(name)/model.safetensors", "--tokenizers", release, "--output", name, "--quiet",
      ]
    }
    for name in ["text_encoder", "text_encoder_2"] {
      // Without the config beside it, which tells as well.
      try FileManager.default.createDirectory(
        atPath: folder + "/" + name + "-file", withIntermediateDirectories: true)
      let file = "\(folder)/\(name)-file/model.safetensors"
      try FileManager.default.copyItem(atPath: "\(release)/\(name)/model.safetensors", toPath: file)
      let result = try run(files(name).map { $0 == "\(release)/\(name)/model.safetensors" ? file : $0 })
      #expect(result.code == 0, "\(result.errors)")
      #expect(FileManager.default.fileExists(atPath: "\(folder)/\(name)/\(name).benben"))
    }
  }
}
