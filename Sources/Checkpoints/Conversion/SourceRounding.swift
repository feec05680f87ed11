import JSON
import Tensors

/// What a source had lost before it was converted: types of eight and fewer bits.
package struct SourceRounding: Equatable, Sendable {
  /// The component.
  package let component: String
  /// The number of tensors of each type, by the type's name.
  package let tensorCounts: [String: Int]
  /// The SQNR of a T5 encoder's embeddings in dB after all its matrices were rounded to the coarsest of the types; nil for
  /// other components, and for types that were not measured.
  ///
  /// Measured with the small T5 encoders of the test checkpoints, which are more sensitive than the released one: it says
  /// how types compare, and little of how the released encoder does.
  package let embeddingSqnrDb: Double?

  /// The measurements by `tools/source_types.py`.
  ///
  /// Each is of the worse prompt of a golden, averaged over the test checkpoints. An fp8 type that is scaled has a scale a
  /// tensor, as int8_tensorwise has, unless it is by row.
  private static let measured: [String: Double] = [
    "f8_e5m2": 4.1, "f8_e4m3": 8.5, "f8_e4m3 scaled": 9.4, "q2_k": -1.8, "q3_k": -0.3, "q4_0": 2.3,
    "q4_1": 2.1, "q4_k": 2.2, "q5_0": 5.7, "q5_1": 5.6, "q5_k": 5.0, "q6_k": 11.5, "q8_0": 22.2,
    "int8_tensorwise": 17.6, "int8_tensorwise by row": 20.4,
  ]

  /// Returns nil when nothing was rounded.
  init?(component: String, _ sources: [TensorDescriptor]) {
    var counts: [String: Int] = [:]
    for source in sources {
      if let name = Self.typeName(source) { counts[name, default: 0] += 1 }
    }
    guard !counts.isEmpty else { return nil }
    self.component = component
    tensorCounts = counts
    let isT5 = sources.contains { $0.name.contains(".SelfAttention.") }
    let losses = counts.keys.map { Self.measured[$0] }
    embeddingSqnrDb = isT5 && !losses.contains(nil) ? losses.compactMap(\.self).min() : nil
  }

  private static func typeName(_ source: TensorDescriptor) -> String? {
    if let blocks = source.blocks { return blocks.rawValue }
    // What a native model rounded, its own manifest says; only its tensors have hashes.
    let isScaled = source.scaleOffset != nil || source.uniformScale != nil
    if source.type == .i8, isScaled, source.sha256 == nil {
      return "int8_tensorwise" + (source.scaleOffset == nil ? "" : " by row")
    }
    guard source.type.isFloat8 else { return nil }
    return source.type.rawValue + (source.uniformScale == nil ? "" : " scaled")
  }

  /// A sentence without the component.
  package var text: String {
    let types = tensorCounts.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value) tensors)" }
    let loss = embeddingSqnrDb.map { "; a small T5 encoder keeps \($0) dB of its embeddings so" } ?? ""
    return
      "the weights had been rounded to \(types.joined(separator: ", ")) before\(loss); those of a release are closer"
  }

  var json: JSONValue {
    [
      "component": .string(component), "tensorCounts": .object(tensorCounts.mapValues(JSONValue.integer)),
      "embeddingSqnrDb": embeddingSqnrDb.map(JSONValue.number) ?? .null,
    ]
  }
}
