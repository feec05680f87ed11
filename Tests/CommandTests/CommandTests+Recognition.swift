import Foundation
import JSON
import TestSupport
import Testing

/// What people point at by mistake, and what they are told.
extension CommandTests {
  private func write(_ text: String, to name: String) throws {
    let path = folder + "/" + name
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  /// Writes a safetensors file of f32 tensors with one value each.
  private func writeWeights(_ names: [String], type: String = "F32", to file: String) throws {
    let size = type == "C64" ? 8 : 4
    let rows = names.enumerated().map { index, name in
      "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[1],\"data_offsets\":[\(size * index),\(size * index + size)]}"
    }
    let header = "{\(rows.joined(separator: ","))}"
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    try (length + Data(header.utf8) + Data(count: size * names.count))
      .write(to: URL(fileURLWithPath: folder + "/" + file))
  }

  @Test func anotherPlaceThanTheCheckpointIsAnswered() throws {
    let release = try copy("miniflux")
    let repository = "hub/models--rain1011--pyramid-flow-miniflux"
    try FileManager.default.createDirectory(
      atPath: folder + "/\(repository)/snapshots", withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: release, toPath: folder + "/\(repository)/snapshots/0123abcd")
    try write("0123abcd", to: repository + "/refs/main")
    let snapshot = repository + "/snapshots/0123abcd"
    for (place, code, words) in [
      ("rain1011/pyramid-flow-sd3", 66, "hf download rain1011/pyramid-flow-sd3"),
      (repository, 65, "give its snapshot, \(snapshot)"), ("hub", 65, "such as \(snapshot)"),
      (snapshot + "/text_encoder_2", 65, "it is a T5 encoder on its own"),
      (snapshot + "/text_encoder_2", 65, "Give the folder above it: "),
      (snapshot + "/text_encoder/model.safetensors", 65, "it is a CLIP text encoder on its own"),
    ] as [(String, Int32, String)] {
      let result = try run("convert", place, "--output", "m", "--quiet")
      #expect(result.code == code && result.errors.contains(words), "\(place): \(result.errors)")
    }
    let inspected = try run("inspect", repository)
    #expect(inspected.code == 65 && inspected.errors.contains("give its snapshot"), "\(inspected.errors)")
    #expect(try run("convert", snapshot, "--output", "m", "--quiet").code == 0)
  }

  /// A file that was not downloaded is noticed before a clip comes out wrong.
  @Test(arguments: [
    (
      "tokenizer_2/spiece.model", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
      "Git-LFS"
    ),
    ("tokenizer/vocab.json", "{\"a\": 1", "vocab.json"),
    ("tokenizer/merges.txt", "#version: 0.2\na b c\n", "no pair"),
    ("tokenizer_2/spiece.model", "x", "spiece.model"),
    ("tokenizer/merges.txt", "#version: 0.2\nr e\n", "cut short"),
  ])
  func damagedTokenizersAreNoticed(file: String, content: String, words: String) throws {
    let checkpoint = try copy("miniflux")
    try Data(content.utf8).write(to: URL(fileURLWithPath: "\(checkpoint)/\(file)"))
    let result = try run("convert", checkpoint, "--output", "m", "--quiet")
    #expect(
      result.code == 65 && result.errors.contains(words) && result.errors.contains("\(checkpoint)/"),
      "\(result.errors)")
    let inspected = try #require(try run("inspect", checkpoint, "--json").json)
    #expect(try #require(inspected["uses"]?.array).allSatisfy { $0["possible"] == false })
    #expect(inspected["tokenizerFaults"]?.array?.first?.string?.contains(words) == true)
  }

  /// A release into which the transformer of the other family came is told so, and no encoder is blamed.
  @Test(arguments: [("miniflux", "sd3"), ("sd3", "miniflux")])
  func aTransformerOfTheOtherFamilyIsNamed(release: String, other: String) throws {
    let checkpoint = try copy(release)
    let transformer = "diffusion_transformer_384p"
    try FileManager.default.removeItem(atPath: "\(checkpoint)/\(transformer)")
    try FileManager.default.copyItem(
      atPath: "\(Fixtures.checkpoint(other))/\(transformer)", toPath: "\(checkpoint)/\(transformer)")
    let words = "the transformer is of \(other), the text encoders of \(release)"
    let result = try run("convert", checkpoint, "--output", "m", "--quiet")
    #expect(result.code == 65 && result.errors.contains(words), "\(result.errors)")
    let inspected = try #require(try run("inspect", checkpoint, "--json").json)
    #expect(inspected["misfit"]?.string?.contains(words) == true)
  }

  /// A pointer beside a missing file is no reason to name the pointer.
  @Test func aStrayPointerDoesNotHideWhatIsMissing() throws {
    let checkpoint = try copy("miniflux")
    try FileManager.default.moveItem(
      atPath: checkpoint + "/tokenizer_2/spiece.model", toPath: folder + "/spiece.model")
    try Data("version https://git-lfs.github.com/spec/v1".utf8)
      .write(to: URL(fileURLWithPath: checkpoint + "/tokenizer_2/a.png"))
    let result = try run("convert", checkpoint, "--output", "m", "--quiet")
    #expect(result.code == 66 && result.errors.contains("spiece.model: it is not there"), "\(result.errors)")
  }

  @Test func oneUnreadableFileDoesNotEndAnInspection() throws {
    try write("junk", to: "loose/a.safetensors")
    try write("version https://git-lfs", to: "loose/b.safetensors")
    try FileManager.default.copyItem(
      atPath: "\(Fixtures.path)/gguf/t5.gguf", toPath: folder + "/loose/t5.gguf")
    let result = try run("inspect", "loose", "--json")
    let incomplete = try #require(result.json?["incomplete"]?.array)
    #expect(
      result.code == 0
        && incomplete.compactMap { $0["component"]?.string } == ["a.safetensors", "b.safetensors"])
    #expect(result.json?["recognized"]?.array?.first?["role"] == "t5")
  }

  @Test(arguments: [
    (["x.lora_A.weight", "x.lora_B.weight"], "a LoRA"),
    (["decoder.conv_in.conv.weight"], "the decoder of a VAE without its encoder"),
    (["decoder.block.0.layer.0.SelfAttention.q.weight"], "a T5 decoder without its encoder"),
    (["double_blocks.0.img_attn.qkv.weight"], "a FLUX transformer"),
    (["vision_model.encoder.layers.0.mlp.fc1.weight"], "a CLIP image encoder"),
  ])
  func otherWeightsAreNamed(names: [String], words: String) throws {
    try writeWeights(names, to: "other.safetensors")
    let inspected = try run("inspect", "other.safetensors")
    #expect(inspected.code == 0 && inspected.output.contains(words), "\(inspected.output)")
    let refused = try run("convert", "--vae", "other.safetensors", "--output", "m", "--quiet")
    #expect(refused.code == 65 && refused.errors.contains(words), "\(refused.errors)")
  }

  @Test func typesThatAreNotComputedWithAreInspected() throws {
    try writeWeights(["post_quant_conv.conv.weight"], type: "C64", to: "c64.safetensors")
    #expect(try run("inspect", "c64.safetensors", "--json").json?["tensors"]?.array?.first?["type"] == "c64")
    let refused = try run("convert", "--vae", "c64.safetensors", "--output", "m", "--quiet")
    #expect(refused.code == 65, "\(refused.errors)")
  }

  @Test func packsAreInspected() throws {
    let model = try convert()
    #expect(try run("pack", model, "--output", "m.zst", "--quiet").code == 0)
    let files = try #require(try run("inspect", "m.zst", "--json").json?["packedFiles"]?.array)
    #expect(files.contains { $0["path"] == "manifest.json" } && files.count > 5)
  }

  @Test func wordsThatAreMisspeltAreAnswered() throws {
    for (arguments, words) in [
      (["convrt"], "Did you mean 'convert'?"), (["help", "foo"], "there is no verb 'foo'"),
      (["report", "mrge"], "Did you mean 'merge'?"), (["help", "report", "chek"], "Did you mean 'check'?"),
      (["generate", "m", "--prompt", "x", "--output", "y.mp4", "--seed", "-1"], "'-1' is invalid"),
      (["generate", "m", "--prompt", "x", "--output", "y.mp4", "--temp", "x"], "16 are 5 seconds"),
      (["generate", "m", "--prompt", "x", "--output", "y.mp4", "--steps", "1"], "as A,B,C"),
      (["generate", "m", "--prompt", " ", "--output", "y.mp4"], "--prompt is empty"),
      (["generate", "m", "--prompt", "x", "--output", "-"], "not to standard output"),
    ] {
      let result = try run(arguments)
      #expect(result.code == 64 && result.errors.contains(words), "\(arguments): \(result.errors)")
    }
    #expect(try run("-V").output == run("--version").output)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "exec \"$0\" inspect \"$(printf '\\377')\" 2>/dev/null", Self.program.path]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 64)
  }

  /// A component alone in a snapshot of the hub's cache: its files are links into the blobs beside the snapshots.
  @Test func aSnapshotOfOneComponentIsRead() throws {
    let repository = folder + "/models--x--clip"
    for part in ["blobs", "snapshots/0123"] {
      try FileManager.default.createDirectory(
        atPath: "\(repository)/\(part)", withIntermediateDirectories: true)
    }
    let checkpoint = "\(Fixtures.path)/miniflux/checkpoint"
    for file in ["config.json", "model.safetensors"] {
      try FileManager.default.copyItem(
        atPath: "\(checkpoint)/text_encoder/\(file)", toPath: "\(repository)/blobs/\(file)-blob")
      try FileManager.default.createSymbolicLink(
        atPath: "\(repository)/snapshots/0123/\(file)", withDestinationPath: "../../blobs/\(file)-blob")
    }
    let result = try run(
      "convert", "--clip", "models--x--clip/snapshots/0123", "--tokenizers", checkpoint, "--output", "m",
      "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    #expect(try run("inspect", "models--x--clip/snapshots/0123").code == 0)
    // The cache itself is answered with the snapshot, by whatever wants a model.
    for arguments in [
      ["check", "models--x--clip"], ["export", "models--x--clip", "--output", "e.safetensors"],
    ] {
      let refused = try run(arguments)
      #expect(
        [65, 66].contains(refused.code) && refused.errors.contains("give its snapshot, "), "\(refused.errors)"
      )
    }
  }

  /// What stands in a file's place is named, whatever reads it.
  @Test func filesOfOtherKindsAreNamed() throws {
    let checkpoint = try copy("miniflux")
    try Data("version https://git-lfs.github.com/spec/v1\n".utf8).write(
      to: URL(fileURLWithPath: checkpoint + "/text_encoder/config.json"))
    let pointer = try run("convert", checkpoint, "--output", "m", "--quiet")
    #expect(pointer.code == 65 && pointer.errors.contains("Git-LFS"), "\(pointer.errors)")
    for (file, words) in [
      (Fixtures.trace("miniflux"), "HDF5"), ("\(Fixtures.path)/shapes/golden.mp4", "a video"),
      ("\(Fixtures.path)/media/pictures", "not a checkpoint"),
    ] {
      let refused = try run("inspect", file)
      #expect(refused.code == 65 && refused.errors.contains(words), "\(file): \(refused.errors)")
    }
    for verb in ["inspect", "check", "card"] {
      let missing = try run(verb, "rain1011/pyramid-flow-sd3")
      #expect(missing.code == 66 && missing.errors.contains("hf download"), "\(verb): \(missing.errors)")
    }
    let file = try run("check", Fixtures.trace("miniflux"))
    #expect(file.code == 65 && file.errors.contains("Unpack it first"), "\(file.errors)")
  }

  /// An encoder in the folder of another kind.
  @Test func aFolderThatHoldsSomethingElseIsNamed() throws {
    let checkpoint = try copy("miniflux")
    let files = FileManager.default
    try files.removeItem(atPath: checkpoint + "/text_encoder")
    try files.copyItem(atPath: checkpoint + "/text_encoder_2", toPath: checkpoint + "/text_encoder")
    let inspected = try run("inspect", checkpoint)
    #expect(
      inspected.output.contains("text_encoder holds a T5 encoder, not a CLIP text encoder"),
      "\(inspected.output)")
  }

  /// A part of the weights, a text in their place, and a folder of several components are answered as what they are.
  @Test func whatIsNoFileOfAComponentIsAnswered() throws {
    let release = Fixtures.checkpoint("shapes")
    try write("{\"error\": \"Entry not found\"}", to: "answer.safetensors")
    for (option, path, words) in [
      ("--t5", release + "/text_encoder_2/model-00001-of-00003.safetensors", "number 1 of 3"),
      ("--vae", folder + "/answer.safetensors", "it is a text"),
      ("--vae", release, "a folder of several components"),
    ] {
      let result = try run("convert", option, path, "--tokenizers", release, "--output", "m")
      #expect(result.code == 65 && result.errors.contains(words), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 2, "no remedy: \(result.errors)")
    }
    let checkpoint = try copy("miniflux")
    try FileManager.default.moveItem(
      atPath: checkpoint + "/diffusion_transformer_384p", toPath: checkpoint + "/transformer")
    let result = try run("convert", checkpoint, "--output", "m")
    #expect(result.code == 66 && result.errors.contains("Rename transformer"), "\(result.errors)")
    #expect(try run("inspect", checkpoint).output.contains("which transformer may be, under another name"))
  }

  /// What is no golden is said to be none, and a clip is not asked for calls.
  @Test func whatIsNoGoldenIsAnswered() throws {
    let model = try convert()
    for (golden, code, words) in [
      ("nothing.mp4", 66, "there is no such file"), (model, 65, "it holds no PNGs"),
      ("\(Fixtures.path)/miniflux", 65, "the traces in it are golden.h5"),
    ] {
      let result = try run("verify", model, "--golden", golden)
      #expect(result.code == code && result.errors.contains(words), "\(result.errors)")
    }
    let video = "\(Fixtures.path)/miniflux/golden.mp4"
    let result = try run("verify", model, "--golden", video, "--calls", "3", "--mode", "teacher-forced")
    #expect(result.code == 0, "\(result.errors)")
    for option in ["--calls", "--mode teacher-forced"] {
      #expect(result.errors.contains("note: \(option) does nothing: a clip has no calls"), "\(result.errors)")
    }
  }
}
