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
  @Test func saysWhatIsMissingForWhichUse() throws {
    let checkpoint = try copy("miniflux")
    func missing() throws -> [String]? {
      let inspection = try run("inspect", checkpoint, "--json").json
      #expect(inspection?["family"] == "miniflux")
      return inspection?["uses"]?.array?.first { $0["use"] == "image-to-video" }?["missing"]?.array?
        .compactMap(\.string)
    }
    #expect(try missing() == [])
    try FileManager.default.removeItem(atPath: checkpoint + "/text_encoder_2/config.json")
    try FileManager.default.removeItem(atPath: checkpoint + "/tokenizer")
    #expect(try missing() == ["text_encoder_2", "tokenizer"])
    try FileManager.default.moveItem(
      atPath: checkpoint + "/diffusion_transformer_384p", toPath: checkpoint + "/diffusion_transformer_image")
    #expect(try missing()?.first?.hasPrefix("diffusion_transformer_") == true)
    #expect(try run("inspect", checkpoint).output.contains("incomplete: text_encoder_2: config.json"))
  }

  @Test func inspectsAnything() throws {
    let checkpoint = "\(Fixtures.path)/miniflux/checkpoint"
    let model = try convert()
    for path in [
      checkpoint, checkpoint + "/text_encoder/model.safetensors",
      checkpoint + "/text_encoder_2/model.safetensors.index.json", model, model + "/text_encoder.benben",
    ] {
      let result = try run("inspect", path, "--json")
      #expect(result.code == 0, "\(result.errors)")
      #expect(result.json?["tensors"]?.array?.isEmpty == false)
    }
    #expect(try run("inspect", model, "--json").json?["source"]?["text_encoder"]?.array?.count == 1)
  }

  /// Names out of a file reach neither a terminal nor a log as control characters or lines of their own.
  @Test func namesAreShownEscaped() throws {
    let name = "a\\u001b]0;x\\u0007\\n::error::forged\\u009b31m\\u202e"
    let header = "{\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    try (length + Data(header.utf8) + Data(count: 4)).write(
      to: URL(fileURLWithPath: folder + "/x.safetensors"))
    for arguments in [
      ["inspect", "x.safetensors", "--verbose"], ["convert", "--vae", "x.safetensors", "--output", "m"],
    ] {
      let result = try run(arguments)
      let shown = result.output + result.errors
      #expect(
        shown.unicodeScalars.allSatisfy {
          $0 == "\n" || !($0.value < 0x20 || 0x7F...0x9F ~= $0.value || $0.value == 0x202E)
        })
      #expect(!shown.split(separator: "\n").contains { $0.hasPrefix("::") })
    }
  }

  /// A name of an open descriptor is written to, and stays what it is.
  @Test func aReportGoesToADescriptor() throws {
    let model = try convert()
    let result = try run("check", model, "--json", "/dev/stdout", "--quiet")
    #expect(result.code == 0 && result.json?["damage"]?.array?.isEmpty == true, "\(result.output)")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/dev/stdout") == "/proc/self/fd/1")
    // What cannot be written is told before the work.
    for arguments in [["check", "model"], ["compare", "model", "model"]] {
      let refused = try run(arguments + ["--json", "no/such/folder.json"])
      #expect(refused.code == 73 && !refused.errors.contains("ing model"), "\(refused.errors)")
    }
  }
}
