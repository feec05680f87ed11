/// What a product does with its input; part of the plan, written into the native file.
public enum InputPrecision: String, CaseIterable, Sendable {
  /// The input stays f32; weights that are stored otherwise are widened tile by tile.
  case float32 = "wide"
  /// The input is rounded to bf16 and multiplied with weights in bf16, summed in f32, where the processor can; elsewhere
  /// it stays wide.
  case bf16
  /// The input is quantized to 8 bits, one scale a row, where the processor multiplies such without saturating; elsewhere
  /// it stays wide. Only for 8-bit weights.
  case int8
  /// The input is quantized to 16 bits, one scale a row, and multiplied as two halves of 8, where ``int8`` would be. Takes
  /// twice the products and is more precise than ``bf16``. Only for 8-bit weights.
  case int16

  /// Whether products are those of integers.
  public var isInteger: Bool { self == .int8 || self == .int16 }
}
