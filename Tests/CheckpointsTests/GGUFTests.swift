import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Files in the format of llama.cpp.
struct GGUFTests {
  private let folder: TestFolder
  private static let fixtures = Fixtures.path + "/gguf"

  init() throws { folder = try TestFolder() }

  private static func bits(_ tensor: TensorDescriptor) throws -> [UInt32] {
    var conversion = try TensorConversion(tensor, to: .f32)
    var values: [UInt32] = []
    while try conversion.next({ values += $0.bindMemory(to: UInt32.self) }) {}
    return values
  }

  /// Bit for bit what gguf-py computes from random blocks.
  @Test(arguments: BlockFormat.allCases.map(\.rawValue) + ["f32", "f16", "bf16"])
  func valuesAreThoseOfTheReference(name: String) throws {
    let tensors = try WeightFiles.open(InputFile(path: Self.fixtures + "/blocks.gguf")).tensors
    let expected = try WeightFiles.open(InputFile(path: Self.fixtures + "/blocks.safetensors")).tensors
    let tensor = try #require(tensors.first { $0.name == name })
    #expect(tensor.typeName == name && tensor.shape == [1, 512])
    let reference = try #require(expected.first { $0.name == name })
    #expect(try Self.bits(tensor) == Self.bits(reference))
  }

  @Test func aTextEncoderHasTheNamesOfTransformers() throws {
    let encoder = try WeightFiles.open(InputFile(path: Self.fixtures + "/t5.gguf"))
    let release = try WeightCollection(path: Fixtures.path + "/miniflux/checkpoint").items
    let reference = Dictionary(
      uniqueKeysWithValues: release.filter { $0.component == "text_encoder_2" }.map { ($0.name, $0) })
    #expect(encoder.format == "GGUF" && encoder.tensors.count == 30)
    for item in try WeightCollection(path: Self.fixtures + "/t5.gguf").items {
      let original = try #require(reference[item.name], "\(item.name)")
      #expect(item.shape == original.shape)
      let metrics = try WeightCollection.compare(item, reference: original)
      #expect(item.tensor.blocks == .q8_0 ? metrics.sqnrDb > 38 : metrics.maxAbs == 0, "\(item.name)")
    }
  }

  /// What a file states of its encoder need not be assumed.
  @Test func theEpsilonOfNormsIsRead() throws {
    let key = "t5encoder.attention.layer_norm_rms_epsilon"
    let values =
      Self.text("general.architecture") + Self.bytes(UInt32(8)) + Self.text("t5encoder") + Self.text(key)
      + Self.bytes(UInt32(6)) + Self.bytes(Float(0.001).bitPattern)
    let path = try folder.write(
      Self.file(tensors: 1, values: 2, values + Self.tensor("a", [32], 0, at: 0), data: 128), "x.gguf")
    let weights = try WeightFiles.open(InputFile(path: path))
    #expect(weights.metadata[GGUF.layerNormEpsilon] == "0.001")
  }

  @Test func partsOfBlocksAreWholeRows() throws {
    let encoder = try WeightFiles.open(InputFile(path: Self.fixtures + "/t5.gguf"))
    let tensor = try #require(encoder.tensors.first { $0.name.hasSuffix("wi_0.weight") })
    let whole = try Self.bits(tensor)
    let parts = try (0..<4).flatMap { try Self.bits(try #require(tensor.part($0, of: 4, named: "part"))) }
    #expect(parts == whole && tensor.transposed(named: "t") == nil)
  }

  @Test func everyPrefixIsRefused() throws {
    let bytes = try InputFile.contents(of: Self.fixtures + "/blocks.gguf", limit: 1 << 20)
    for length in Array(0..<600) + stride(from: 600, to: bytes.count, by: 97) {
      let path = try folder.write(Array(bytes.prefix(length)), "cut.gguf")
      #expect(throws: BenbenError.self, "\(length)") { try WeightFiles.open(InputFile(path: path)) }
    }
  }

  /// The start of a file: counts, then what a case says.
  private static func file(
    version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0, _ rest: [UInt8], data: Int = 0
  ) -> [UInt8] {
    let head = Array("GGUF".utf8) + bytes(version) + bytes(tensors) + bytes(values) + rest
    return head + [UInt8](repeating: 0, count: (32 - head.count % 32) % 32 + data)
  }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  private static func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

  private static func tensor(_ name: String, _ shape: [UInt64], _ code: UInt32, at offset: UInt64) -> [UInt8]
  {
    text(name) + bytes(UInt32(shape.count)) + shape.flatMap { bytes($0) } + bytes(code) + bytes(offset)
  }

  private static func hostile() -> [(String, [UInt8], reason: String)] {
    let array: UInt32 = 9
    let text: UInt32 = 8
    return [
      ("big-endian", file(version: 3 << 24, []), "big-endian"),
      ("version 1", file(version: 1, []), "version is 1"),
      (
        "one of several", file(values: 1, Self.text("split.count") + bytes(UInt32(2)) + bytes(UInt16(3))),
        "it is one of 3"
      ),
      ("a count beyond 63 bits", file(tensors: .max, []), "63 bits"),
      ("more tensors than bytes", file(tensors: 1 << 40, []), "are possible"),
      ("more values than bytes", file(values: 1 << 40, []), "cut short"),
      ("a string longer than the file", file(values: 1, bytes(UInt64(1000)) + [65]), "cut short"),
      ("a huge string", file(values: 1, bytes(UInt64(1) << 40)), "a string of"),
      ("an unknown value", file(values: 1, Self.text("a") + bytes(UInt32(13))), "unknown type 13"),
      (
        "an array beyond all bytes",
        file(values: 1, Self.text("a") + bytes(array) + bytes(UInt32(10)) + bytes(UInt64(1) << 62)),
        "cut short"
      ),
      (
        "an array of many strings",
        file(values: 1, Self.text("a") + bytes(array) + bytes(text) + bytes(UInt64(1) << 60)), "cut short"
      ),
      (
        "an array of arrays",
        file(values: 1, Self.text("a") + bytes(array) + bytes(array) + bytes(UInt64(1))),
        "array of arrays"
      ),
      (
        "a key twice",
        file(values: 2, Self.text("a") + bytes(UInt32(0)) + [1] + Self.text("a") + bytes(UInt32(0)) + [1]),
        "twice"
      ),
      (
        "an odd alignment",
        file(values: 1, Self.text("general.alignment") + bytes(UInt32(4)) + bytes(UInt32(48))), "power of two"
      ),
      ("five dimensions", file(tensors: 1, tensor("a", [1, 1, 1, 1, 1], 0, at: 0)), "5 dimensions"),
      ("a product that overflows", file(tensors: 1, tensor("a", [1 << 40, 1 << 40], 0, at: 0)), "too large"),
      ("an unknown type", file(tensors: 1, tensor("a", [32], 99, at: 0), data: 64), "number 99"),
      ("a type that is not read", file(tensors: 1, tensor("a", [256], 23, at: 0), data: 136), "IQ4_XS"),
      (
        "rows that are no whole blocks", file(tensors: 1, tensor("a", [33], 8, at: 0), data: 64),
        "whole blocks"
      ),
      ("a scalar of blocks", file(tensors: 1, tensor("a", [], 8, at: 0), data: 64), "whole blocks"),
      ("an odd offset", file(tensors: 1, tensor("a", [1], 0, at: 4), data: 64), "no multiple"),
      ("beyond the end", file(tensors: 1, tensor("a", [8], 0, at: 64), data: 64), "cut short"),
      (
        "an overlap", file(tensors: 2, tensor("a", [16], 0, at: 0) + tensor("b", [8], 0, at: 32), data: 64),
        "overlaps"
      ),
      (
        "one name twice",
        file(tensors: 2, tensor("a", [8], 0, at: 0) + tensor("a", [8], 0, at: 32), data: 64),
        "one name"
      ),
      (
        "two names of one tensor",
        file(
          tensors: 3,
          tensor("enc.blk.0.ffn_up.weight", [8], 0, at: 0)
            + tensor("encoder.block.0.layer.1.DenseReluDense.wi_1.weight", [8], 0, at: 32)
            + tensor("enc.blk.1.ffn_up.weight", [8], 0, at: 64), data: 96), "one name"
      ),
      ("a name with NUL", file(tensors: 1, tensor("a\0", [1], 0, at: 0), data: 32), "NUL"),
    ]
  }

  @Test func hostileHeadersAreRefused() throws {
    for (name, bytes, reason) in Self.hostile() {
      let path = try folder.write(bytes, "hostile.gguf")
      let error = try #require(throws: BenbenError.self, "\(name)") {
        try WeightFiles.open(InputFile(path: path))
      }
      #expect(error.description.contains(reason), "\(name): \(error)")
    }
  }

  @Test func scalesThatAreNoNumbersAreRefused() throws {
    var bytes = Self.file(tensors: 1, Self.tensor("a", [32], 8, at: 0), data: 34)
    bytes[bytes.count - 33] = 0x7C
    bytes[bytes.count - 1] = 1
    let tensor = try #require(
      try WeightFiles.open(InputFile(path: try folder.write(bytes, "x.gguf"))).tensors.first)
    let error = try #require(throws: BenbenError.self) { try Self.bits(tensor) }
    #expect(error.description.contains("NaN or infinity"))
  }

  @Test func whatWasLostBeforeIsSaid() throws {
    let weights = try WeightFiles.open(InputFile(path: Self.fixtures + "/t5.gguf"))
    let lost = try #require(SourceRounding(component: "text_encoder_2", weights.tensors))
    #expect(lost.tensorCounts == ["q8_0": 22] && lost.embeddingSqnrDb == 22.2)
    #expect(lost.text.contains("q8_0 (22 tensors)"))
    let release = try CheckpointFolder(path: Fixtures.path + "/miniflux/checkpoint").weights(
      of: "text_encoder_2")
    #expect(SourceRounding(component: "text_encoder_2", release.tensors) == nil)
  }
}
