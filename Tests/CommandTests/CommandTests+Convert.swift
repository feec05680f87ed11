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
  @Test func aDryRunSaysWhatRunningNeeds() throws {
    let result = try run(
      "convert", "\(Fixtures.path)/shapes/checkpoint", "--type", "int8", "--dry-run", "--json", "-")
    #expect(result.code == 0 && entries.isEmpty, "\(result.errors)")
    #expect(result.errors.contains("fits a machine of 4 GB"), "\(result.errors)")
    let memory = try #require(result.json?["memory"])
    let parts = try #require(memory["parts"]?.array)
    let weights = parts.compactMap { $0["weightBytes"]?.integer }
    #expect(weights.count == 4 && weights.reduce(0, +) == result.json?["bytes"]?.integer)
    let needs = zip(weights, parts).map { $0 + ($1["workingBytes"]?.integer ?? 0) }
    #expect(memory["peakBytes"]?.integer == needs.max())
    let vae = try run(
      "convert", "\(Fixtures.path)/shapes/checkpoint", "--component", "causal_video_vae", "--dry-run",
      "--json", "-")
    #expect(vae.json?["memory"] == .null)
  }

  @Test func roundsWeightsOnlyOnceUnlessForced() throws {
    let exact = try keepingTypes("miniflux")
    let golden = "\(Fixtures.path)/miniflux/golden.h5"
    #expect(try run("convert", exact, "--output", "int8", "--type", "int8", "--quiet").code == 0)
    let direct = try run(
      "convert", "\(Fixtures.path)/miniflux/checkpoint", "--output", "direct", "--type", "int8", "--quiet")
    #expect(direct.code == 0)
    #expect(try hashes(folder + "/int8") == hashes(folder + "/direct"))
    let refused = try run("convert", "int8", "--output", "again", "--type", "f16", "--quiet")
    #expect(refused.code == 64 && refused.errors.contains("rounded already"), "\(refused.errors)")
    #expect(try run("convert", "int8", "--output", "again", "--type", "f16", "--force", "--quiet").code == 0)
    // Keeping what is stored rounds nothing.
    #expect(try run("convert", "int8", "--output", "copy", "--quiet").code == 0)
    #expect(try hashes(folder + "/copy") == hashes(folder + "/int8"))
    func products(_ model: String) throws -> [JSONValue?] {
      let manifest = try JSONValue(
        parsing: Array(try #require(FileManager.default.contents(atPath: "\(folder)/\(model)/manifest.json")))
      )
      return try #require(manifest["tensors"]?.array).map { $0["activations"] }
    }
    #expect(try products("copy") == products("int8"))
    #expect(try run("verify", "copy", "--golden", golden, "--quiet").code == 0)
    let comparison = try run("compare", "copy", "int8", "--json", "-")
    #expect(comparison.code == 0 && comparison.json?["equal"] == true, "\(comparison.errors)")
    let packed = try run("pack", "int8", "--output", "int8.zst", "--quiet")
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(try run("unpack", "int8.zst", "--output", "unpacked", "--quiet").code == 0)
    #expect(try run("check", "unpacked", "--quiet").code == 0)
    #expect(try run("export", "int8", "--output", "int8.safetensors", "--quiet").code == 0)
    #expect(try run("inspect", "int8.safetensors", "--json").json?["tensors"]?.array?.isEmpty == false)
    #expect(try run("export", "int8", "--output", "int8.safetensors", "--quiet").code == 73)
  }

  @Test func conversionsAreTheSameEverywhere() throws {
    let checkpoint = try copy("miniflux")
    #expect(try run("convert", checkpoint, "--output", "one", "--quiet").code == 0)
    try FileManager.default.moveItem(atPath: checkpoint, toPath: folder + "/moved")
    let second = try run(
      "convert", "moved/", "--output", "two/", "--threads", "1", "--quiet",
      environment: ["LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"])
    #expect(second.code == 0, "\(second.errors)")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder + "/one").sorted()
    #expect(files == (try FileManager.default.subpathsOfDirectory(atPath: folder + "/two").sorted()))
    for file in files where !file.hasPrefix("tokenizer") || file.contains("/") {
      #expect(
        FileManager.default.contents(atPath: "\(folder)/one/\(file)")
          == FileManager.default.contents(atPath: "\(folder)/two/\(file)"), "\(file)")
    }
  }

  /// One clear line, the right exit code, nothing left behind.
  @Test(arguments: [
    ("missing shard", 66), ("missing tensor", 65), ("wrong shape", 65), ("extra tensor", 65),
    ("truncated file", 65),
    ("Git-LFS pointer", 65), ("not a checkpoint", 65), ("no folder", 66), ("missing config", 66),
    ("missing tokenizer", 66), ("malformed config", 65), ("no weights", 66),
  ])
  func refusesABrokenCheckpoint(fault: String, code: Int) throws {
    let checkpoint = try copy("miniflux")
    let shard = checkpoint + "/text_encoder_2/model-00002-of-00003.safetensors"
    let vae = checkpoint + "/causal_video_vae/diffusion_pytorch_model.safetensors"
    let config = checkpoint + "/diffusion_transformer_384p/config.json"
    func edit(_ path: String, _ from: String, _ to: String) throws {
      let bytes = try #require(FileManager.default.contents(atPath: path))
      let range = try #require(bytes.range(of: Data(from.utf8)))
      try (bytes[..<range.lowerBound] + Data(to.utf8) + bytes[range.upperBound...]).write(
        to: URL(fileURLWithPath: path))
    }
    var path = checkpoint
    switch fault {
    case "missing shard": try FileManager.default.removeItem(atPath: shard)
    case "missing tensor": try edit(config, "\"num_layers\": 2", "\"num_layers\": 3")
    case "wrong shape": try edit(config, "\"joint_attention_dim\": 64", "\"joint_attention_dim\": 63")
    case "extra tensor": try edit(config, "\"num_layers\": 2", "\"num_layers\": 1")
    case "truncated file":
      try FileHandle(forUpdating: URL(fileURLWithPath: vae)).truncate(atOffset: 100_000)
    case "Git-LFS pointer":
      try Data("version https://git-lfs.github.com/spec/v1\n".utf8).write(to: URL(fileURLWithPath: vae))
    case "not a checkpoint": path = checkpoint + "/tokenizer"
    case "no folder": path = folder + "/absent"
    case "missing config": try FileManager.default.removeItem(atPath: config)
    case "missing tokenizer":
      try FileManager.default.removeItem(atPath: checkpoint + "/tokenizer_2/spiece.model")
    case "malformed config": try edit(config, "\"num_layers\": 2", "\"num_layers\": 2,,")
    default: try FileManager.default.removeItem(atPath: vae)
    }
    let result = try run("convert", path, "--output", "model", "--quiet")
    #expect(result.code == Int32(code), "\(result.errors)")
    let first = result.errors.split(separator: "\n").first ?? ""
    #expect(first.hasPrefix("benben: error: ") && first.split(separator: ": ").count >= 5, "\(first)")
    #expect(entries == ["checkpoint"])
  }

  func files(in path: String) -> [String] {
    (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).filter {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path + "/" + $0, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  /// The hashes of all tensors of a model, by component and name.
  func hashes(_ model: String) throws -> [String: String] {
    var hashes: [String: String] = [:]
    for file in files(in: model) where file.hasSuffix(".benben") {
      let bytes = Array(try #require(FileManager.default.contents(atPath: model + "/" + file)))
      let length = bytes[16..<24].reversed().reduce(0) { $0 << 8 | Int($1) }
      let header = try JSONValue(parsing: Array(bytes[64..<64 + length]))
      for tensor in try #require(header["tensors"]?.array) {
        hashes["\(file)/\(tensor["name"]?.string ?? "")"] = tensor["sha256"]?.string
      }
    }
    return hashes
  }

  /// Whichever file is missing: the message names it, and where it is to be had.
  @Test(arguments: ["miniflux", "sd3"])
  func namesEveryMissingFile(fixture: String) throws {
    let checkpoint = try copy(fixture)
    for file in files(in: checkpoint) {
      let path = checkpoint + "/" + file
      try FileManager.default.moveItem(atPath: path, toPath: folder + "/away")
      let result = try run("convert", checkpoint, "--output", "model", "--quiet")
      #expect(result.code == 66, "\(file): \(result.errors)")
      #expect(
        result.errors.split(separator: "\n").first?.contains((file as NSString).lastPathComponent) == true,
        "\(file): \(result.errors)")
      #expect(result.errors.contains("huggingface.co/rain1011/pyramid-flow-\(fixture)"), "\(result.errors)")
      try FileManager.default.moveItem(atPath: folder + "/away", toPath: path)
    }
  }

  @Test(arguments: ["miniflux", "sd3"])
  func recognisesRenamedFiles(fixture: String) throws {
    let checkpoint = try copy(fixture)
    let original = try hashes(try convert(fixture, "bf16"))
    for (index, file) in files(in: checkpoint).enumerated() {
      let renamed = (file as NSString).deletingLastPathComponent + "/file-\(97 * index % 50)"
      try FileManager.default.moveItem(atPath: checkpoint + "/" + file, toPath: checkpoint + "/" + renamed)
    }
    let result = try run("convert", checkpoint, "--output", "renamed", "--type", "bf16", "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    #expect(try hashes(folder + "/renamed") == original && original.count > 100)
    let report = try run(
      "verify", "renamed", "--golden", "\(Fixtures.path)/\(fixture)/golden.h5", "--mode", "teacher-forced",
      "--quiet")
    #expect(report.code == 0, "\(report.errors)")
  }

  /// Single files give the tensors of the folder, whatever they are called.
  @Test func assemblesSingleFiles() throws {
    let checkpoint = try copy("sd3")
    func file(_ path: String, _ name: String) throws -> String {
      try FileManager.default.moveItem(atPath: "\(checkpoint)/\(path)", toPath: "\(folder)/\(name)")
      return name
    }
    let arguments = [
      "--diffusion-transformer", try file("diffusion_transformer_384p/diffusion_pytorch_model.bin", "a.pt"),
      "--vae", try file("causal_video_vae/diffusion_pytorch_model.bin", "b"),
      "--t5", checkpoint + "/text_encoder_3", "--clip", try file("text_encoder_2/model.safetensors", "c"),
      "--clip", try file("text_encoder/model.safetensors", "d"), "--tokenizers", checkpoint,
    ]
    let result = try run(["convert", "--output", "assembled", "--json", "-"] + arguments)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains("num_attention_heads") && !result.errors.contains("lacks"))
    #expect(result.errors.contains("the narrower one is taken for the first: d"), "\(result.errors)")
    #expect(try hashes(folder + "/assembled") == hashes(try keepingTypes("sd3")))
    let inspection = try run("inspect", "assembled", "--json").json
    #expect(
      inspection?["family"] == "sd3"
        && inspection?["uses"]?.array?.allSatisfy { $0["possible"] == true } == true)

    // A file named for what it is not, and parts that are not there.
    for (arguments, reason) in [
      (["--vae", "d"], "CLIP text encoder"), (["--t5", "b"], "causal video VAE"),
      (["--clip", "c", "--clip", "d"], "tokenizers"), (["--vae", "b", "--component", "x"], "--component"),
      (["--vae", "absent"], "absent"), (["--vae", "b", "--variant", "../x"], "no name of a variant: ../x"),
    ] {
      let refused = try run(["convert", "--output", "refused", "--quiet"] + arguments)
      #expect(refused.code != 0 && refused.errors.contains(reason), "\(refused.errors)")
    }
    #expect(!entries.contains("refused"))
  }

  /// Parts and relatives of a component have its signature, and are not it; a variant that was never released is said.
  @Test func whatIsNearlyAComponentIsNamed() throws {
    let checkpoint = "\(Fixtures.path)/miniflux/checkpoint"
    func write(_ names: [String], _ name: String) throws {
      let header = names.enumerated().map {
        "\"\($1)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\(4 * $0),\(4 * $0 + 4)]}"
      }.joined(separator: ",")
      let length = withUnsafeBytes(of: UInt64(header.utf8.count + 2).littleEndian) { Array($0) }
      try Data(length + Array("{\(header)}".utf8) + [UInt8](repeating: 0, count: 4 * names.count)).write(
        to: URL(fileURLWithPath: folder + "/" + name))
    }
    let t5 = "encoder.block.0.layer.0.SelfAttention.q.weight"
    try write(["post_quant_conv.conv.weight", "decoder.conv_in.conv.weight"], "decoder.safetensors")
    try write(
      [t5, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"], "umt5.safetensors")
    try write([t5, "encoder.block.0.layer.1.DenseReluDense.wi.weight"], "old.safetensors")
    try write(["attn.processor.to_q_lora.down.weight"], "lora.safetensors")
    try write(["foo.x_embedder.weight"], "foo.safetensors")
    let vae = "\(checkpoint)/causal_video_vae/diffusion_pytorch_model.safetensors"
    for (arguments, words, remedy) in [
      (["--vae", "decoder.safetensors"], "the decoder of a VAE without its encoder", "holds the whole"),
      (["--t5", "umt5.safetensors"], "a UMT5", "T5 1.1 XXL"),
      (["--t5", "old.safetensors"], "version 1.0", "T5 1.1"),
      (["--vae", "lora.safetensors"], "those of a LoRA", "merge it"),
      (["--diffusion-transformer", "foo.safetensors"], "unknown prefix \"foo.\"", "Known ones: "),
      (["--t5", vae], "the tensors are those of a causal video VAE", nil),
    ] as [([String], String, String?)] {
      let refused = try run(["convert", "--output", "refused"] + arguments)
      #expect(refused.code == 65 && refused.errors.contains(words), "\(refused.errors)")
      #expect(refused.errors.contains(remedy ?? words), "\(refused.errors)")
      #expect((remedy == nil) == !refused.errors.contains("\n  "), "\(refused.errors)")
    }
    let transformer = try run(
      "convert", "--diffusion-transformer",
      "\(checkpoint)/diffusion_transformer_384p/diffusion_pytorch_model.safetensors", "--variant", "769p",
      "--dry-run")
    let note = "769p is none of the released variants (384p, 768p, image); clips get the defaults of 384p"
    #expect(transformer.code == 0 && transformer.errors.contains(note), "\(transformer.errors)")
    let text = try run("convert", checkpoint, "--component", "text_encoder", "--dry-run")
    #expect(text.errors.contains("the model lacks its tokenizers"), "\(text.errors)")
  }

  /// Both CLIPs of SD3 in one file, each under a prefix of its own.
  @Test func takesTwoComponentsFromOneFile() throws {
    let checkpoint = "\(Fixtures.path)/sd3/checkpoint"
    let clips = ["text_encoder", "text_encoder_2"]
    let apart = try run(
      ["convert", checkpoint, "--output", "apart", "--quiet"] + clips.flatMap { ["--component", $0] })
    #expect(apart.code == 0, "\(apart.errors)")
    #expect(try run("export", "apart", "--output", "both.safetensors", "--quiet").code == 0)
    let together = try run(
      "convert", "--clip", "both.safetensors", "--tokenizers", checkpoint, "--output", "together", "--quiet")
    #expect(together.code == 0, "\(together.errors)")
    #expect(try hashes(folder + "/together") == hashes(folder + "/apart"))
    // What makes no clips says so before it is asked to.
    let half = try run(
      "convert", "--clip", "both.safetensors", "--tokenizers", checkpoint, "--output", "half", "--dry-run")
    let gap = "the model lacks a transformer, text_encoder_3, causal_video_vae, and makes no clips"
    #expect(half.code == 0 && half.errors.contains(gap), "\(half.errors)")
  }

  /// Benben reads what it writes: its own layout in one file, and ComfyUI's `int8_tensorwise` in a file a component.
  @Test func exportsAreConvertedToTheSameBytes() throws {
    let checkpoint = "\(Fixtures.path)/miniflux/checkpoint"
    #expect(try run("convert", checkpoint, "--type", "int8", "--output", "int8", "--quiet").code == 0)
    #expect(try run("export", "int8", "--format", "comfy", "--output", "comfy", "--quiet").code == 0)
    #expect(try run("export", "int8", "--output", "whole.safetensors", "--quiet").code == 0)
    let files = files(in: folder + "/comfy").sorted()
    #expect(
      files == [
        "causal_video_vae.safetensors", "diffusion_transformer_384p.safetensors", "text_encoder.safetensors",
        "text_encoder_2.safetensors",
      ])
    let t5 = try #require(
      try run("inspect", "comfy/text_encoder_2.safetensors", "--json").json?["tensors"]?.array)
    #expect(t5.count { $0["type"]?.string == "i8" } == 21)
    let options = ["--vae", "--diffusion-transformer", "--clip", "--t5"]
    for (name, paths) in [("a", files.map { "comfy/" + $0 }), ("b", files.map { _ in "whole.safetensors" })] {
      let again = try run(
        ["convert", "--type", "int8", "--tokenizers", checkpoint, "--output", name, "--quiet"]
          + zip(options, paths).flatMap { [$0, $1] })
      #expect(again.code == 0, "\(again.errors)")
      #expect(try hashes("\(folder)/\(name)") == hashes(folder + "/int8"))
    }
    for other in ["comfy", "whole.safetensors", "int8"] {
      let compared = try run("compare", "comfy", other, "--json", "-", "--quiet").json
      #expect(compared?["equal"] == true && compared?["tensors"]?.array?.count == 362, "\(other)")
    }
    // What was exported keeps its configs when it is exported again.
    #expect(try run("export", "comfy", "--format", "comfy", "--output", "again", "--quiet").code == 0)
    for file in files {
      #expect(
        try InputFile(path: "\(folder)/again/\(file)").sha256()
          == InputFile(path: "\(folder)/comfy/\(file)").sha256())
    }
    let single = try run(
      "export", "int8/text_encoder.benben", "--format", "comfy", "--output", "clip.safetensors", "--quiet")
    #expect(single.code == 0, "\(single.errors)")
    let refused = try run("export", "int8", "--format", "comfy", "--output", "x.safetensors", "--quiet")
    #expect(refused.code == 64 && refused.errors.contains("name a folder"), "\(refused.errors)")
  }

  @Test func saysWhatASourceHadLost() throws {
    let result = try run(
      "convert", "--t5", "\(Fixtures.path)/gguf/t5.gguf", "--tokenizers",
      "\(Fixtures.path)/miniflux/checkpoint",
      "--type", "int8", "--output", "t5", "--json", "-")
    #expect(
      result.code == 0 && result.errors.contains("rounded to q8_0 (22 tensors) before"), "\(result.errors)")
    #expect(result.json?["sourceRounding"]?.array?.first?["tensorCounts"]?["q8_0"] == 22)
    let again = try run(
      "convert", "t5", "--force", "--type", "f16", "--output", "t5-f16", "--json", "-", "--quiet")
    #expect(again.code == 0, "\(again.errors)")
    #expect(again.json?["sourceRounding"] == result.json?["sourceRounding"])
  }

  /// The fixture converted without changing a type.
  func keepingTypes(_ fixture: String) throws -> String {
    let result = try run(
      "convert", "\(Fixtures.path)/\(fixture)/checkpoint", "--output", "kept", "--quiet")
    #expect(result.code == 0, "\(result.errors)")
    return folder + "/kept"
  }

  @Test func replacesNothingButModels() throws {
    let checkpoint = try copy("miniflux")
    let before = try FileManager.default.subpathsOfDirectory(atPath: checkpoint).count
    #expect(try run("convert", checkpoint, "--output", checkpoint, "--force", "--quiet").code == 73)
    #expect(try FileManager.default.subpathsOfDirectory(atPath: checkpoint).count == before)
    for output in ["", ".", "..", "/"] {
      #expect(
        try run("convert", checkpoint, "--output", output, "--force", "--quiet").code == 64, "\(output)")
    }
    #expect(try run("convert", checkpoint, "--output", "model", "--quiet").code == 0)
    #expect(try run("convert", checkpoint, "--output", "model", "--quiet").code == 73)
    #expect(try run("convert", checkpoint, "--output", "model", "--force", "--quiet").code == 0)
    try Data().write(to: URL(fileURLWithPath: folder + "/model/notes.txt"))
    #expect(try run("convert", checkpoint, "--output", "model", "--force", "--quiet").code == 73)
    #expect(entries == ["checkpoint", "model"])
  }

  /// No verb passes on as sound what is not.
  @Test func damageIsNotPassedOn() throws {
    let model = try convert()
    try flipWeight("transformer_blocks.0.attn.to_q.weight", of: model)
    for arguments in [
      ["convert", "model", "--output", "x", "--type", "bf16"], ["export", "model", "--output", "x"],
      ["pack", "model", "--output", "x"], ["compare", "model", "model"],
    ] {
      let refused = try run(arguments + ["--quiet"])
      #expect(refused.code == 65 && refused.errors.contains("damaged"), "\(arguments): \(refused.errors)")
      #expect(entries == ["model"])
    }
  }

  /// A file of somebody's within a model's folder, however deep, is not lost to a new model.
  @Test func aModelWithOtherFilesIsNotReplaced() throws {
    let model = try convert()
    let note = model + "/tokenizer/notes.txt"
    try Data("precious".utf8).write(to: URL(fileURLWithPath: note))
    let refused = try run(
      "convert", "\(Fixtures.path)/miniflux/checkpoint", "--output", "model", "--force", "--quiet")
    #expect(refused.code == 73 && FileManager.default.fileExists(atPath: note), "\(refused.errors)")
  }
}
