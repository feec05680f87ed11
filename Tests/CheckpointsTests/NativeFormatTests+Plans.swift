import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

extension NativeFormatTests {
  /// Values that int8 does not suit, and values that no type can hold.
  @Test func keepsOrRefusesWhatCannotBeQuantized() throws {
    func plan(_ values: [Float], _ type: WeightType) throws -> ComponentPlan {
      let header =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[64,64],\"data_offsets\":[0,16384]}}"
      let data = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
      _ = try folder.write(safetensors(header, data: data), "checkpoint/text_encoder/model.safetensors")
      _ = try folder.write(Array("{}".utf8), "checkpoint/text_encoder/config.json")
      return try ComponentPlan(
        try CheckpointFolder(path: checkpoint).component("text_encoder"),
        declaration: ComponentDeclaration(
          weights: [WeightDeclaration(name: "w", shape: [64, 64], use: .matrix)]),
        request: QuantizationOptions(type: type)
      ).audited()
    }
    let plain = (0..<4096).map { Float(sin(Double($0) * 1.7)) }
    #expect(try plan(plain, .int8).rows[0].type == .int8)
    try expectBlocks(of: plan(plain, .int8), plain)
    var zeroRow = plain
    for index in 640..<704 { zeroRow[index] = 0 }
    #expect(try plan(zeroRow, .int8).rows[0].type == .int8)
    var outlier = plain
    outlier[17 * 64 + 3] = 3000
    // The outlier itself comes back, so that the tensor as a whole looks well; its neighbours do not.
    let kept = try plan(outlier, .int8).rows[0]
    #expect(kept.type == .bf16 && kept.reason.contains("row 17"), "\(kept.reason)")
    #expect(try plan(plain.map { $0 * 70000 }, .f16).rows[0].reason.contains("f16"))
    for value in [Float.nan, .infinity] {
      var damaged = plain
      damaged[100] = value
      let error = try #require(throws: BenbenError.self) { try plan(damaged, .int8) }
      #expect(error.description.contains("\"w\""))
      #expect(throws: BenbenError.self) { try convert(plan(damaged, .f32), to: "damaged") }
    }
    #expect(!folder.entries.contains("damaged"))
  }

  /// A matrix whose products are those of integers is stored in blocks, and comes back row by row wherever it is read.
  func expectBlocks(of plan: ComponentPlan, _ values: [Float]) throws {
    let path = try convert(plan, to: "blocked") + "/text_encoder.benben"
    let component = try NativeComponent(path: path)
    let weight = try component.weight(WeightDeclaration(name: "w", shape: [64, 64]))
    #expect(weight.layout == .blocked)
    for (value, stored) in zip(values, weight.tensor().array) { #expect(abs(value - stored) <= 0.51 / 127) }
    #expect(weight.rows([9]).array == Array(weight.tensor().array[9 * 64..<10 * 64]))
    var conversion = try TensorConversion(component.weightFiles().tensors[0], to: .f32)
    var read: [Float] = []
    while try conversion.next({ read += Array($0.bindMemory(to: Float.self)) }) {}
    #expect(read == weight.tensor().array)
  }

  @Test func namesWhatDoesNotFitTheModel() throws {
    func message(_ declarations: [WeightDeclaration]) -> String {
      do { _ = try plan(declarations) } catch { return "\(error)" }
      return ""
    }
    #expect(message(Self.declarations + [.init(name: "absent", shape: [1])]).contains("\"absent\""))
    #expect(message(Array(Self.declarations.dropLast())).contains("\"large\""))
    let wrong = Self.declarations.dropLast() + [.init(name: "large", shape: [131, 130])]
    #expect(message(Array(wrong)).contains("130×130"))
    let rule = ComponentDeclaration.IgnoreRule(name: "left out") { $0 == "large" }
    let ignored = try plan(Array(Self.declarations.dropLast()), rules: [rule]).ignored
    #expect(ignored.map(\.name) == ["large"] && ignored.map(\.rule) == ["left out"])
  }

  @Test func tiedTensorsMustBeEqual() throws {
    let tied = [WeightDeclaration(name: "b.weight", shape: [3, 5], aliases: ["a"])]
    #expect(throws: BenbenError.self) { try plan(tied) }
    _ = try folder.write(safetensors([("alias", [2])]), "checkpoint/part/model.safetensors")
    let accepted = try plan([WeightDeclaration(name: "real", shape: [2], aliases: ["alias"])])
    #expect(accepted.rows.map(\.name) == ["real"])
  }

  @Test func valuesBeyondF16StayWide() throws {
    var bytes = safetensors([("a", [2])])
    withUnsafeBytes(of: Float(1e6).bitPattern) {
      bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: $0)
    }
    _ = try folder.write(bytes, "checkpoint/part/model.safetensors")
    let accepted = try plan([WeightDeclaration(name: "a", shape: [2])], type: .f16).audited()
    #expect(accepted.rows[0].type == .f32 && accepted.rows[0].reason.contains("range of f16"))
  }

  /// A file may scale some of its fp8 weights and leave others plain; which, is said.
  @Test func weightsWithoutAScaleBesideOthersAreSaid() throws {
    let header =
      #"{"a.weight":{"dtype":"F8_E4M3","shape":[1,2],"data_offsets":[0,2]},"#
      + #""a.scale_weight":{"dtype":"F32","shape":[],"data_offsets":[2,6]},"#
      + #""b.weight":{"dtype":"F8_E4M3","shape":[1,2],"data_offsets":[6,8]}}"#
    let data: [UInt8] = [0x38, 0x40, 0, 0, 0, 0x40, 0x38, 0x40]
    _ = try folder.write(safetensors(header, data: data), "checkpoint/text_encoder/model.safetensors")
    _ = try folder.write(Array("{}".utf8), "checkpoint/text_encoder/config.json")
    let request = try QuantizationOptions(type: .f32)
    let plan = try ComponentPlan(
      try CheckpointFolder(path: checkpoint).component("text_encoder"),
      declaration: ComponentDeclaration(
        weights: ["a", "b"].map { WeightDeclaration(name: $0 + ".weight", shape: [1, 2], use: .matrix) }),
      request: request)
    let conversion = Conversion(plans: [plan], auxiliary: [], family: "miniflux", request: request)
    #expect(
      conversion.remarks.contains(
        "text_encoder: 1 of 2 tensors in fp8 have no scale and are taken as they are, b.weight first"),
      "\(conversion.remarks)")
  }
}
