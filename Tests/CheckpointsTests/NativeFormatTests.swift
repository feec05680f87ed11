import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

struct NativeFormatTests {
  let folder: TestFolder
  let checkpoint: String
  static let shapes: [(name: String, shape: [Int])] = [
    ("b.weight", [3, 5]), ("a", [7]), ("large", [130, 130]),
  ]
  static let declarations = shapes.map {
    WeightDeclaration(name: $0.name, shape: $0.shape, use: $0.shape.count == 2 ? .matrix : .vector)
  }

  init() throws {
    folder = try TestFolder()
    checkpoint = folder.path + "/checkpoint"
    _ = try folder.write(safetensors(Self.shapes), "checkpoint/part/model.safetensors")
    _ = try folder.write(Array("{\"x\":1}".utf8), "checkpoint/part/config.json")
  }

  func plan(
    _ declarations: [WeightDeclaration] = declarations, type: WeightType? = nil,
    rules: [ComponentDeclaration.IgnoreRule] = [], overrides: [Recipe.Rule] = []
  ) throws -> ComponentPlan {
    try ComponentPlan(
      try CheckpointFolder(path: checkpoint).component("part"),
      declaration: ComponentDeclaration(weights: declarations, ignoreRules: rules),
      request: QuantizationOptions(type: type, overrides: overrides))
  }

  @discardableResult
  func convert(_ plan: ComponentPlan, to name: String = "model", replace: Bool = false) throws
    -> String
  {
    let output = folder.path + "/" + name
    _ = try Conversion(
      plans: [plan], auxiliary: [], family: "miniflux", request: QuantizationOptions(type: nil)
    ).write(
      to: output, mayReplace: replace, version: "test"
    ) { _, _ in }
    return output
  }

  func bytes(_ path: String) throws -> [UInt8] {
    Array(try #require(FileManager.default.contents(atPath: path)))
  }

  @Test(arguments: [WeightType?.none, .f32, .bf16, .f16])
  func givesBackWhatWasWritten(type: WeightType?) throws {
    let model = try convert(plan(type: type))
    let component = try NativeModel(path: model).component("part")
    #expect(component.config == ["x": 1])
    for (index, shape) in Self.shapes.enumerated() {
      let weight = try component.weight(Self.declarations[index])
      #expect(weight.type == (type ?? .f32).elementType)
      let expected = (0..<shape.shape.reduce(1, *)).map { Float(index) + Float($0) / 100 }
      let tolerance: Float = type == .bf16 ? 1 / 256 : type == .f16 ? 1 / 2048 : 0
      #expect(zip(weight.tensor().array, expected).allSatisfy { abs($0 - $1) <= tolerance * abs($1) })
    }
    #expect(try NativeModel(path: model).integrityIssues().isEmpty)
    #expect(folder.entries == ["checkpoint", "model"])
  }

  static func int8(_ pattern: String) throws -> Recipe.Rule {
    try Recipe.Rule(pattern, type: .int8, activations: .int8, reason: "asked for")
  }

  @Test func givesBackWhatWasQuantized() throws {
    let plan = try plan(overrides: [Self.int8(".")])
    #expect(plan.rows.map(\.type) == [.int8, .f32, .int8])
    let component = try NativeModel(path: try convert(plan)).component("part")
    for index in [0, 2] {
      let (shape, weight) = (Self.shapes[index].shape, try component.weight(Self.declarations[index]))
      #expect(weight.type == .i8 && weight.activations == .int8)
      let values = weight.tensor().array
      for row in 0..<shape[0] {
        let expected = (0..<shape[1]).map { Float(index) + Float(row * shape[1] + $0) / 100 }
        let step = (expected.map(\.magnitude).max() ?? 0) / 127
        for (value, stored) in zip(expected, values[row * shape[1]..<(row + 1) * shape[1]]) {
          #expect(abs(value - stored) <= 0.5001 * step)
        }
      }
      #expect(weight.rows([1]).array == Array(values[shape[1]..<2 * shape[1]]))
    }
    #expect(try NativeModel(path: folder.path + "/model").integrityIssues().isEmpty)
  }

  @Test func everyBitOfAQuantizedHeaderCounts() throws {
    let path = try convert(plan(overrides: [Self.int8("large")])) + "/part.benben"
    let sound = try bytes(path)
    let end = 64 + (sound[16..<24].reversed().reduce(0) { $0 << 8 | Int($1) })
    for bit in stride(from: 0, to: end * 8, by: 3) {
      var changed = sound
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      let path = try folder.write(changed, "changed.benben")
      #expect(throws: BenbenError.self, "bit \(bit)") { try NativeComponent(path: path) }
    }
    // The scales stand at the end of the file.
    var changed = sound
    changed[sound.count - 1] ^= 1
    let damaged = try NativeComponent(path: try folder.write(changed, "changed.benben")).integrityIssues()
    #expect(damaged.map(\.tensor) == ["large"])
  }

  @Test(arguments: ["\"blocks-64x4\"", "\"columns\"", "4"])
  func refusesLayoutsThatCannotBe(layout: String) throws {
    // What was multiplied before it was checked would overflow.
    #expect(!WeightLayout.canBlock([64, 1 << 62, 4], .int8))
    let sound = try bytes(try convert(plan(overrides: [Self.int8("large")])) + "/part.benben")
    let length = sound[16..<24].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = String(decoding: sound[64..<64 + length], as: UTF8.self)
    let changed = Array(header.replacing("\"row-major\"", with: layout).utf8)
    let error = try #require(throws: BenbenError.self) {
      try changed.withUnsafeBytes {
        try NativeHeader(parsing: $0, path: "part.benben", fileSize: sound.count)
      }
    }
    #expect(error.description.contains(layout == "4" ? "tensor 0" : "layout"))
  }

  @Test func sameInputSameBytes() throws {
    let first = try convert(plan(), to: "one")
    let second = try convert(plan(), to: "deeper-two")
    for file in ["part.benben", "manifest.json"] {
      #expect(try bytes(first + "/" + file) == bytes(second + "/" + file))
    }
  }

  @Test func everyBitOfPreambleAndHeaderCounts() throws {
    let model = try convert(plan())
    let original = try bytes(model + "/part.benben")
    let headerLength = Int(original[16]) | Int(original[17]) << 8
    for bit in 0..<(64 + headerLength) * 8 {
      var damaged = original
      damaged[bit / 8] ^= 1 << (bit % 8)
      let path = try folder.write(damaged, "damaged.benben")
      #expect(throws: BenbenError.self, "bit \(bit)") { try NativeComponent(path: path) }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let original = try bytes(try convert(plan()) + "/part.benben")
    for length in Array(0..<9000) + [original.count - 1] where length < original.count {
      let path = try folder.write(Array(original.prefix(length)), "short.benben")
      #expect(throws: BenbenError.self, "\(length)") { try NativeComponent(path: path) }
    }
    let path = try folder.write(original + [0], "long.benben")
    #expect(throws: BenbenError.self) { try NativeComponent(path: path) }
  }

  @Test func checkNamesTheTensorOfAFlippedBit() throws {
    let model = try convert(plan())
    let path = model + "/part.benben"
    let original = try bytes(path)
    let component = try NativeComponent(path: path)
    // Wherever the bit is behind the header, in a tensor or in the padding before it.
    let headerEnd = 64 + (Int(original[16]) | Int(original[17]) << 8)
    for offset in stride(from: headerEnd, to: original.count, by: 101) {
      var damaged = original
      damaged[offset] ^= 0x10
      let found = try NativeComponent(path: try folder.write(damaged, "damaged.benben")).integrityIssues()
      #expect(found.count == 1, "\(offset)")
      let name = try #require(found.first?.tensor)
      #expect(component.tensors.contains { $0.name == name })
    }
  }

  @Test func keepsAnExistingOutputUnlessForced() throws {
    let model = try convert(plan())
    #expect(throws: BenbenError.self) { try convert(plan()) }
    try convert(plan(type: .bf16), replace: true)
    #expect(try NativeModel(path: model).component("part").tensors.allSatisfy { $0.type == .bf16 })
    #expect(folder.entries == ["checkpoint", "model"])
  }

  @Test func aStoppedRunLeavesNothingAndAStaleOneIsCleaned() throws {
    struct Stop: Error {}
    let output = folder.path + "/model"
    let conversion = try Conversion(
      plans: [plan()], auxiliary: [], family: "miniflux", request: QuantizationOptions(type: nil))
    #expect(throws: Stop.self) {
      try conversion.write(to: output, mayReplace: false, version: "test") { _, _ in throw Stop() }
    }
    #expect(folder.entries == ["checkpoint"])
    _ = try folder.write([1, 2, 3], ".model.partial/stale")
    try convert(plan())
    #expect(folder.entries == ["checkpoint", "model"])
    #expect(!FileManager.default.fileExists(atPath: output + "/stale"))
  }

  @Test func twoRunsOnOneOutputExcludeEachOther() throws {
    let first = try StagedFolder(destination: folder.path + "/model", mayReplace: false) { _ in false }
    #expect { try convert(plan()) } throws: { "\($0)".contains("another run") }
    withExtendedLifetime(first) {}
  }

  @Test func aManifestCannotLeadOut() throws {
    let model = try convert(plan())
    let manifest = String(decoding: try bytes(model + "/manifest.json"), as: UTF8.self)
    for path in ["../part.benben", "/etc/passwd", "a//b", ".", "x\\u0000"] {
      let changed = manifest.replacingOccurrences(of: "\"part.benben\"", with: "\"\(path)\"")
      _ = try folder.write(Array(changed.utf8), "model/manifest.json")
      #expect(throws: BenbenError.self) { try NativeModel(path: model) }
    }
  }

  /// 8 GB with a sound header and no data: opening touches the header only.
  @Test func opensAFullSizeFileInMilliseconds() throws {
    let tensors = (0..<256).map {
      (
        name: "t\($0)", shape: [4096, 2048], type: WeightType.f32, activations: InputPrecision.float32,
        mayRound: false
      )
    }
    let header = NativeHeader(
      component: "diffusion_transformer_384p", config: .object([:]), source: [],
      entries: NativeHeader.layOut(tensors))
    let total = NativeHeader.dataStart(headerLength: header.bytes.count) + header.dataLength
    #expect(total > 8_000_000_000)
    let preamble = NativePreamble(header: header.bytes, totalLength: total)
    let path = try folder.write(preamble.bytes + header.bytes, "large.benben")
    #expect(truncate(path, total) == 0)
    let before = try residentBytes()
    let component = try NativeComponent(path: path)
    let weight = try component.weight(WeightDeclaration(name: "t255", shape: [4096, 2048]))
    #expect(weight.rows([4095]).array.allSatisfy { $0 == 0 })
    #expect(try residentBytes() - before < 20_000_000)
    // Other work lengthens an opening, never shortens it.
    let times = try (0..<5).map { _ in try ContinuousClock().measure { _ = try NativeComponent(path: path) } }
    #expect(times.contains { $0 < .milliseconds(250) }, "\(times)")
  }

  func residentBytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    return try #require(Int(status.split(separator: " ")[1])) * 4096
  }
}
