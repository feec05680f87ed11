import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Weights of eight bits as other programs write them.
struct ScaledWeightsTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func floats(_ tensor: TensorDescriptor) throws -> [Float] {
    var conversion = try TensorConversion(tensor, to: .f32)
    var values: [Float] = []
    while try conversion.next({ values += $0.bindMemory(to: Float.self) }) {}
    return values
  }

  private static let values = Fixtures.path + "/float8/values.safetensors"

  @Test(arguments: ["F8_E4M3", "F8_E5M2"]) func everyPatternIsWidenedExactly(name: String) throws {
    let tensors = try WeightFiles.open(InputFile(path: Self.values)).tensors
    let stored = try #require(tensors.first { $0.name == name })
    let expected = try #require(tensors.first { $0.name == name + ".values" })
    #expect(try floats(stored) == floats(expected))
    // The narrower types hold them, too.
    #expect(stored.weightType == .bf16 && !TensorConversion.isLossy(stored, to: .f16))
    for type in [WeightType.bf16, .f16] {
      var conversion = try TensorConversion(stored, to: type)
      while try conversion.next({ _ in }) {}
      #expect(conversion.loss.metrics.maxAbs == 0)
    }
  }

  /// The bytes of a tensor of a fixture.
  private func bytes(_ name: String) throws -> [UInt8] {
    let tensor = try #require(
      try WeightFiles.open(InputFile(path: Self.values)).tensors.first { $0.name == name })
    return try tensor.file.bytes(at: tensor.offset, count: tensor.byteCount)
  }

  private func file(
    _ tensors: [(name: String, dtype: String, shape: String, bytes: [UInt8])], metadata: String? = nil
  ) throws -> String {
    var (rows, data) = (metadata.map { ["\"__metadata__\":\($0)"] } ?? [], [UInt8]())
    for tensor in tensors {
      let end = data.count + tensor.bytes.count
      rows.append(
        "\"\(tensor.name)\":{\"dtype\":\"\(tensor.dtype)\",\"shape\":\(tensor.shape),"
          + "\"data_offsets\":[\(data.count),\(end)]}")
      data += tensor.bytes
    }
    return try folder.write(safetensors("{\(rows.joined(separator: ","))}", data: data), "x.safetensors")
  }

  private static func number(_ value: Float) -> [UInt8] {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }

  /// Both spellings of a scale, which no tensor of the model is, and the marks beside it.
  @Test(arguments: [".scale_weight", ".weight_scale"]) func aScaleIsJoinedToItsTensor(suffix: String) throws {
    let format = Array("{\"format\":\"float8_e4m3fn\"}".utf8)
    let weights = try WeightFiles.open(
      InputFile(
        path: file([
          ("x.weight", "F8_E4M3", "[16,16]", bytes("F8_E4M3")),
          ("x" + suffix, "F32", "[1]", Self.number(0.0123)),
          ("x.input_scale", "F32", "[]", Self.number(1)),
          ("x.comfy_quant", "U8", "[\(format.count)]", format),
          ("scaled_fp8", "F8_E4M3", "[0]", []),
        ])))
    #expect(weights.tensors.map(\.name) == ["x.weight"])
    #expect(
      Set(weights.absorbed.map(\.name)) == ["x" + suffix, "x.input_scale", "x.comfy_quant", "scaled_fp8"])
    let tensor = weights.tensors[0]
    let expected = try #require(
      try WeightFiles.open(InputFile(path: Self.values)).tensors.first { $0.name == "F8_E4M3.scaled" })
    #expect(try floats(tensor) == floats(expected) && tensor.weightType == .f32)
    #expect(TensorConversion.isLossy(tensor, to: .bf16) && !TensorConversion.isLossy(tensor, to: .f32))
  }

  /// What is zero everywhere may have a scale of zero.
  @Test func zerosMayHaveAScaleOfZero() throws {
    let weights = try WeightFiles.open(
      InputFile(
        path: file([
          ("x.weight", "F8_E4M3", "[2,2]", [0, 0x80, 0, 0]), ("x.weight_scale", "F32", "[]", Self.number(0)),
        ])))
    #expect(try floats(weights.tensors[0]).allSatisfy { $0 == 0 })
  }

  /// An inspection says which weights have scales.
  @Test func scaledWeightsAreInspected() throws {
    let inspection = try Inspection(
      path: file([
        ("x.weight", "F8_E4M3", "[16,16]", bytes("F8_E4M3")), ("x.weight_scale", "F32", "[]", Self.number(2)),
        ("y.weight", "F8_E4M3", "[16,16]", bytes("F8_E4M3")),
      ]))
    #expect(inspection.rows.map(\.isScaled) == [true, false])
    #expect(inspection.lines.contains { $0.contains("  f8_e4m3+f8_e4m3 scaled  ") }, "\(inspection.lines)")
    #expect(inspection.json["tensors"]?.array?.map { $0["isScaled"] } == [true, false])
  }

  /// Integers with a scale a row are those of the native format.
  @Test(arguments: ["[2]", "[2,1]"]) func rowsOfIntegersAreTaken(shape: String) throws {
    let weights = try WeightFiles.open(
      InputFile(
        path: file([
          ("x.weight", "I8", "[2,3]", [1, 2, 3, 0xFF, 0xFE, 127]),
          ("x.weight_scale", "F32", shape, Self.number(0.5) + Self.number(2)),
        ])))
    #expect(weights.tensors[0].weightType == .int8)
    #expect(try floats(weights.tensors[0]) == [0.5, 1, 1.5, -2, -4, 254])
  }

  @Test func refusesScalesThatAreNone() throws {
    let weight = (name: "x.weight", dtype: "F8_E4M3", shape: "[2,2]", bytes: [UInt8](repeating: 8, count: 4))
    let hostile: [[(name: String, dtype: String, shape: String, bytes: [UInt8])]] = [
      [("x.scale_weight", "F32", "[2]", Self.number(1) + Self.number(1))],
      [("x.scale_weight", "F32", "[]", Self.number(.infinity))],
      [("x.scale_weight", "F32", "[]", Self.number(.nan))],
      [("x.scale_weight", "F32", "[]", Self.number(3e38))],
      [("x.scale_weight", "F32", "[]", Self.number(0))],
      [("x.scale_weight", "I64", "[]", [0, 0, 0, 0, 0, 0, 0, 0])],
      [
        ("x.scale_weight", "F32", "[]", Self.number(1)), ("x.weight_scale", "F32", "[]", Self.number(1)),
      ],
      [("x.comfy_quant", "U8", "[16]", Array("{\"format\":\"nvfp4\"}".utf8.prefix(16)))],
    ]
    for (index, tensors) in hostile.enumerated() {
      let path = try file([weight] + tensors)
      #expect(throws: BenbenError.self, "\(index)") { try WeightFiles.open(InputFile(path: path)) }
    }
  }

  /// A scale that is no number, or that a byte times is none, is damage wherever it stands: C7 of the review.
  @Test(arguments: [Float.nan, .infinity, 3.4e38]) func rowsOfImpossibleScalesAreRefused(scale: Float) throws
  {
    let weights = try WeightFiles.open(
      InputFile(
        path: file([
          ("x.weight", "I8", "[2,3]", [1, 2, 3, 4, 5, 6]),
          ("x.weight_scale", "F32", "[2]", Self.number(1) + Self.number(scale)),
        ])))
    let error = try #require(throws: BenbenError.self) { try weights.tensors[0].scales() }
    #expect(error.what == "tensor \"x.weight\" is damaged")
    #expect(throws: BenbenError.self) { try floats(weights.tensors[0]) }
  }

  /// One scale of a whole matrix of integers is that of each row: nothing is rounded again.
  @Test func oneScaleOfIntegersIsKept() throws {
    let weights = try WeightFiles.open(
      InputFile(
        path: file([
          ("x.weight", "I8", "[2,3]", [1, 2, 3, 0xFF, 0xFE, 127]),
          ("x.weight_scale", "F32", "[]", Self.number(0.5)),
        ])))
    let tensor = weights.tensors[0]
    #expect(tensor.weightType == .int8 && tensor.isStored(as: .int8))
    #expect(try tensor.scales() == [0.5, 0.5] && floats(tensor) == [0.5, 1, 1.5, -0.5, -1, 63.5])
    let rounding = try #require(SourceRounding(component: "text_encoder", weights.tensors))
    #expect(rounding.tensorCounts == ["int8_tensorwise": 1])
  }

  /// What is no product with a scale is shown under its name, and not computed with.
  @Test(arguments: [
    (#"{"format":"nvfp4"}"#, "nvfp4", "U8"),
    (#"{"format":"int8_tensorwise","convrot":true}"#, "int8_tensorwise, rotated", "I8"),
  ])
  func otherFormatsAreShownOnly(description: String, name: String, type: String) throws {
    let text = Array(description.utf8)
    let weight = (name: "x.weight", dtype: type, shape: "[2,2]", bytes: [UInt8](repeating: 1, count: 4))
    let weights = try WeightFiles.open(
      InputFile(path: file([weight, ("x.comfy_quant", "U8", "[\(text.count)]", text)])))
    let tensor = try #require(weights.tensors.first { $0.name == "x.weight" })
    #expect(tensor.typeName == name && tensor.weightType == nil)
    let error = try #require(throws: BenbenError.self) { try weights.requireKnownFormats() }
    #expect(error.why == "its format is \"\(name)\"")
    // Said of the whole file, likewise; of a tensor that is not there, it is not passed over.
    #expect(throws: BenbenError.self) {
      try WeightFiles.open(
        InputFile(
          path: file(
            [weight],
            metadata:
              #"{"_quantization_metadata":"{\"layers\":{\"y\":\#(description.replacing("\"", with: "\\\""))}}"}"#
          )))
    }
  }

  /// Metadata that say that a layer is scaled, under whatever prefix, whose scale is gone.
  @Test(arguments: ["x", "encoder.x"]) func metadataPromiseAScale(layer: String) throws {
    let weight = (name: "encoder.x.weight", dtype: "F8_E4M3", shape: "[1,2]", bytes: [UInt8(0x38), 0x40])
    let metadata =
      #"{"_quantization_metadata":"{\"layers\":{\"\#(layer)\":{\"format\":\"float8_e4m3fn\"}}}"}"#
    let scale = (name: "encoder.x.weight_scale", dtype: "F32", shape: "[]", bytes: Self.number(2))
    let sound = try WeightFiles.open(InputFile(path: file([weight, scale], metadata: metadata)))
    #expect(try floats(sound.tensors[0]) == [2, 4])
    let error = try #require(throws: BenbenError.self) {
      try WeightFiles.open(InputFile(path: file([weight], metadata: metadata)))
    }
    #expect(error.what == "a scale is missing")
  }

  /// Taken as they stand, weights whose scales are gone would be wrong by any factor.
  @Test func weightsWithoutTheirScalesAreRefused() throws {
    let weight = (name: "a.weight", dtype: "F8_E4M3", shape: "[1,2]", bytes: [UInt8(0x38), 0x40])
    let format = Array(#"{"format": "float8_e4m3fn"}"#.utf8)
    let scale = (name: "a.scale_weight", dtype: "F32", shape: "[]", bytes: Self.number(2))
    let marker = (name: "scaled_fp8", dtype: "F8_E4M3", shape: "[0]", bytes: [UInt8]())
    #expect(try floats(WeightFiles.open(InputFile(path: file([weight]))).tensors[0]) == [1, 2])
    #expect(
      try floats(WeightFiles.open(InputFile(path: file([weight, scale, marker]))).tensors[0]) == [2, 4])
    for beside in [marker, (name: "a.comfy_quant", dtype: "U8", shape: "[\(format.count)]", bytes: format)] {
      let error = try #require(throws: BenbenError.self) {
        try WeightFiles.open(InputFile(path: file([weight, beside])))
      }
      #expect(error.description.contains("missing"), "\(error)")
    }
    // What belongs to a tensor is used, and not among what is left out.
    let rules = try WeightFiles.open(InputFile(path: file([weight, scale]))).absorbed.map(\.rule)
    #expect(rules == ["belongs to a.weight: its scale"])
  }

  /// A format that is not that of the stored type; scales that cannot be taken as they are, each with its reason.
  @Test func whatContradictsItselfIsRefused() throws {
    func fault(_ type: String, _ scale: String, _ format: String?, metadata: String? = nil) throws
      -> BenbenError
    {
      let description = Array("{\"format\": \"\(format ?? "")\"}".utf8)
      let size = scale == "F32" ? 4 : 2
      let weights = (name: "x.weight", dtype: type, shape: "[2,2]", bytes: [UInt8](repeating: 1, count: 4))
      let scales = (
        name: "x.weight_scale", dtype: scale, shape: "[2]", bytes: [UInt8](repeating: 0, count: 2 * size)
      )
      let beside = (name: "x.comfy_quant", dtype: "U8", shape: "[\(description.count)]", bytes: description)
      return try #require(throws: BenbenError.self) {
        try WeightFiles.open(
          InputFile(path: file([weights, scales] + (format == nil ? [] : [beside]), metadata: metadata))
        ).requireKnownFormats()
      }
    }
    #expect(try fault("F8_E4M3", "F32", "float8_e5m2").why.contains("float8_e5m2, stored as f8_e4m3"))
    #expect(try fault("I8", "F32", "float8_e4m3fn").why.contains("float8_e4m3fn, stored as i8"))
    let metadata = #"{"_quantization_metadata":"{\"layers\":{\"x\":{\"format\":\"float8_e5m2\"}}}"}"#
    #expect(try fault("F8_E4M3", "F32", nil, metadata: metadata).why.contains("stored as f8_e4m3"))
    #expect(try fault("I8", "BF16", "int8_tensorwise").why.contains("a number a row in bf16; f32 is needed"))
  }
}
