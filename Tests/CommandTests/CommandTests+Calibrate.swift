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
  @Test func calibrationReachesItsTarget() throws {
    func calibrate(_ target: String, _ value: String) throws -> Outcome {
      try run(
        "convert", "\(Fixtures.path)/shapes/checkpoint", "--dry-run", "--json", "-", "--quiet",
        "--calibrate", "\(Fixtures.path)/shapes/golden.h5", target, value)
    }
    let fine = try calibrate("--target-sqnr-db", "56")
    #expect(fine.code == 0, "\(fine.errors)")
    #expect(try calibrate("--target-sqnr-db", "56").output == fine.output)
    let calibration = try #require(fine.json?["calibration"])
    #expect(try #require(calibration["measuredSqnrDb"]?.double) >= 56)
    let chosen = try #require(calibration["groups"]?.array).compactMap { $0["chosen"]?.integer }
    // Neither the cheapest nor the most precise plan.
    #expect(Set(chosen).isSuperset(of: [0, 2]))
    let coarse = try calibrate("--target-sqnr-db", "30")
    let bytes = try [fine, coarse].map { try #require($0.json?["bytes"]?.integer) }
    #expect(bytes[1] < bytes[0])
    let limited = try calibrate("--target-bytes", "\(bytes[0])")
    #expect(try #require(limited.json?["bytes"]?.integer) <= bytes[0])
    #expect(try #require(limited.json?["calibration"]?["measuredSqnrDb"]?.double) >= 50)
    for (target, value) in [("--target-bytes", "1000"), ("--target-sqnr-db", "150")] {
      let refused = try calibrate(target, value)
      #expect(refused.code == 64 && refused.errors.contains("cannot be reached"), "\(refused.errors)")
    }
    #expect(entries.isEmpty, "\(entries)")
  }

  /// A weight of T5 is made so large that what it gives exceeds f16.
  @Test func productsBeyondHalfKeepAWiderType() throws {
    try FileManager.default.copyItem(
      atPath: "\(Fixtures.path)/miniflux/checkpoint", toPath: folder + "/checkpoint")
    let encoder = folder + "/checkpoint/text_encoder_2"
    let name = "encoder.block.0.layer.1.DenseReluDense.wo.weight"
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: encoder).filter { $0.hasSuffix(".safetensors") }
        .map { encoder + "/" + $0 }
        .first {
          try String(decoding: Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self).contains(
            "\"\(name)\"")
        })
    var bytes = Array(try #require(FileManager.default.contents(atPath: file)))
    let length = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16
    let range = try #require(
      JSONValue(parsing: Array(bytes[8..<8 + length]))[name]?["data_offsets"]?.integers)
    for place in stride(from: 8 + length + range[0], to: 8 + length + range[1], by: 2) {
      // Times 2^15: bf16 has its exponent in bits 7 to 14.
      let pattern = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
      if pattern & 0x7F80 == 0 { continue }
      let scaled = pattern + 15 << 7
      (bytes[place], bytes[place + 1]) = (UInt8(truncatingIfNeeded: scaled), UInt8(scaled >> 8))
    }
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    let result = try run(
      "convert", "checkpoint", "--output", "model", "--type", "f16", "--json", "-", "--quiet", "--calibrate",
      "\(Fixtures.path)/miniflux/golden.h5")
    #expect(result.code == 0, "\(result.errors)")
    let rows = try #require(result.json?["tensors"]?.array)
    let wide = rows.filter { $0["type"]?.string != "f16" }
    #expect(wide.contains { $0["name"]?.string == name && $0["type"]?.string == "bf16" })
    #expect(!wide.isEmpty && wide.allSatisfy { $0["reason"]?.string?.contains("wider than f16") == true })
    #expect(wide.count < rows.count / 10)
  }

  /// What a trace asks for is looked at before anything of it runs.
  @Test func aTraceThatDoesNotFitIsNoGroundForAPlan() throws {
    let result = try run(
      "convert", Fixtures.checkpoint("shapes"), "--dry-run", "--calibrate",
      "\(Fixtures.path)/hostile-traces/huge-request.h5")
    #expect(result.code == 65 && result.errors.contains("the run does not fit"), "\(result.errors)")
  }
}
