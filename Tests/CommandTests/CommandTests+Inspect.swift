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
}
