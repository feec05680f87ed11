import TestSupport
import Testing

/// A run of the program whose calls fail one after the other.
struct Scenario: Sendable, CustomTestStringConvertible {
  let name: String
  /// The arguments, in which `INPUTS` stands for the folder of what is read.
  ///
  /// The program runs in the folder of what is written.
  let arguments: [String]
  /// What is written, and is the same in every run.
  let outputs: [String]
  /// Reports that hold times, and so differ.
  var reports: [String] = []
  /// What an early end leaves for the next run.
  var resumable: [String] = []
  /// Whether it works in a temporary folder, which the system has to clear where the program is killed.
  var hasTemporaryFolder = false
  /// What stands where an output goes, by a name among the inputs.
  var old: [String: String] = [:]
  /// Whether the file system is to be one that cannot swap names.
  var cannotSwap = false

  var testDescription: String { name }

  private static let clip = [
    "--prompt", "x", "--width", "64", "--height", "64", "--steps", "1,1,1", "--threads", "1", "--quiet",
  ]

  static let all = [
    Scenario(
      name: "convert",
      arguments: [
        "convert", "\(Fixtures.checkpoint("miniflux"))", "--output", "out", "--json", "out.json", "--quiet",
      ], outputs: ["out", "out.json"]),
    Scenario(
      name: "convert --type int8 --force",
      arguments: [
        "convert", "INPUTS/checkpoint", "--output", "out", "--type", "int8", "--force", "--quiet",
      ], outputs: ["out"], old: ["out": "model"]),
    Scenario(
      name: "export",
      arguments: ["export", "INPUTS/model", "--output", "out.safetensors", "--quiet"],
      outputs: ["out.safetensors"]),
    Scenario(
      name: "pack", arguments: ["pack", "INPUTS/model", "--output", "out.zst", "--quiet"],
      outputs: ["out.zst"]),
    Scenario(
      name: "unpack", arguments: ["unpack", "INPUTS/pack.zst", "--output", "out", "--quiet"],
      outputs: ["out"]),
    Scenario(
      name: "unpack --force",
      arguments: ["unpack", "INPUTS/pack.zst", "--output", "out", "--force", "--quiet"],
      outputs: ["out"], old: ["out": "model"]),
    Scenario(
      name: "unpack --force, where names cannot be swapped",
      arguments: ["unpack", "INPUTS/pack.zst", "--output", "out", "--force", "--quiet"],
      outputs: ["out"], old: ["out": "model"], cannotSwap: true),
    Scenario(
      name: "pack, where a rename always replaces",
      arguments: ["pack", "INPUTS/model", "--output", "out.zst", "--quiet"], outputs: ["out.zst"],
      cannotSwap: true),
    Scenario(
      name: "noise",
      arguments: ["noise", "--shape", "1,16,2,8,8", "--output", "out.safetensors", "--force", "--quiet"],
      outputs: ["out.safetensors"], old: ["out.safetensors": "old.safetensors"]),
    Scenario(
      name: "check", arguments: ["check", "INPUTS/model", "--json", "out.json", "--quiet"],
      outputs: ["out.json"]),
    Scenario(
      name: "compare",
      arguments: ["compare", "INPUTS/model", "INPUTS/model", "--json", "out.json", "--quiet"],
      outputs: ["out.json"]),
    Scenario(name: "inspect", arguments: ["inspect", "INPUTS/model", "--json"], outputs: []),
    Scenario(
      name: "generate a picture",
      arguments: ["generate", "INPUTS/model", "--output", "out.png", "--force", "--temp", "1"] + clip,
      outputs: ["out.png"]),
    Scenario(
      name: "generate a clip",
      arguments: [
        "generate", "INPUTS/model", "--output", "out.mp4", "--force", "--temp", "2", "--video-steps", "1,1,1",
      ] + clip,
      outputs: ["out.mp4"]),
    Scenario(
      name: "generate a folder of frames, embeddings kept",
      arguments: [
        "generate", "INPUTS/model", "--output", "out", "--force", "--temp", "2", "--video-steps", "1,1,1",
        "--embeddings", "out.safetensors", "--resume",
      ] + clip,
      outputs: ["out", "out.safetensors"], resumable: ["out.latents"], old: ["out": "frames"]),
    Scenario(
      name: "approximate a clip",
      arguments: [
        "generate", "INPUTS/model", "--output", "out.gif", "--force", "--temp", "2", "--video-steps", "3,1,1",
        "--approximate", "history=2",
      ] + clip,
      outputs: ["out.gif"]),
    Scenario(
      name: "verify",
      arguments: [
        "verify", "INPUTS/model", "--golden", Fixtures.trace("miniflux"), "--mode", "teacher-forced",
        "--json", "out.json", "--report", "out.html", "--junit", "out.xml", "--quiet",
      ], outputs: [], reports: ["out.json", "out.html", "out.xml"]),
    // In int8, where what was kept and is lost is computed again to the last bit.
    Scenario(
      name: "verify, the run kept",
      arguments: [
        "verify", "INPUTS/quantized", "--golden", Fixtures.trace("miniflux"), "--mode", "free-running",
        "--trace-out", "out.h5", "--quiet",
      ], outputs: ["out.h5"]),
    Scenario(
      name: "card",
      arguments: [
        "card", "INPUTS/shapes", "--report", "\(Fixtures.path)/evidence/parity.json", "--output", "out.md",
        "--quiet",
      ], outputs: ["out.md"]),
    Scenario(
      name: "report merge",
      arguments: [
        "report", "merge", "INPUTS/first.json", "INPUTS/second.json", "--json", "out.json", "--report",
        "out.html", "--junit", "out.xml", "--quiet",
      ], outputs: ["out.json", "out.html", "out.xml"]),
    Scenario(
      name: "bench",
      arguments: [
        "bench", "convert", "INPUTS/model", "--repeat", "1", "--json", "out.json", "--quiet",
      ], outputs: [], reports: ["out.json"], hasTemporaryFolder: true),
  ]
}
