/// A type of GGUF whose values share scales in blocks, by ggml's name.
///
/// Source: `ggml-common.h` of ggml for the layouts, `quants.py` of gguf-py for the order of roundings.
package enum BlockFormat: String, CaseIterable, Sendable {
  /// 32 values: a scale, or a scale and a least value, and 4, 5 or 8 bits each.
  case q4_0, q4_1, q5_0, q5_1, q8_0
  /// 256 values: scales of 16 or 32 values each, which are multiples of a scale of all, and 2 to 6 bits each.
  case q2_k, q3_k, q4_k, q5_k, q6_k

  /// The number by which a file names it (`ggml_type`).
  var code: UInt32 {
    switch self {
    case .q4_0: 2
    case .q4_1: 3
    case .q5_0: 6
    case .q5_1: 7
    case .q8_0: 8
    case .q2_k: 10
    case .q3_k: 11
    case .q4_k: 12
    case .q5_k: 13
    case .q6_k: 14
    }
  }

  /// The names of types that are not read, by number, for messages.
  static let foreignNames: [UInt32: String] = [
    9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
  ]

  /// The number of values of a block.
  package var valueCount: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q2_k, .q3_k, .q4_k, .q5_k, .q6_k: 256
    }
  }

  /// The size of a block in bytes.
  package var byteCount: Int {
    switch self {
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q2_k: 84
    case .q3_k: 110
    case .q4_k: 144
    case .q5_k: 176
    case .q6_k: 210
    }
  }
}
