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
  @Test(arguments: [("dit", "128x128:2:2"), ("t5", "7"), ("vae", "128x64:2"), ("convert", "int8")])
  func measuresSpeed(part: String, shape: String) throws {
    _ = try convert("miniflux", "int8")
    let outcome = try run(
      "bench", part, "model", "--shape", shape, "--repeat", "2", "--json", "-", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let measurement = try #require(outcome.json?["measurements"]?.array?.first)
    #expect(measurement["seconds"]?.array?.count == 2)
    #expect(try #require(measurement["bestSeconds"]?.double) > 0)
    if part != "convert" { #expect(try #require(measurement["gigaOperationsPerSecond"]?.double) > 0) }
    for shape in ["128x:1", "4x4:1", "100000"] {
      let refused = try run("bench", part, "model", "--shape", shape, "--repeat", "1")
      #expect(refused.code == 64 && refused.errors.contains("--shape"), "\(refused.errors)")
    }
  }
}
