/// The precision to which a product's inputs are rounded; part of the plan, written into the native file.
public enum InputPrecision: String, CaseIterable, Sendable {
  /// The input stays f32; weights of other types are converted to f32 tile by tile.
  case float32 = "wide"
  /// The input is rounded to bf16 and multiplied with weights in bf16, summed in f32, if the processor supports it;
  /// otherwise it stays f32. On every processor, convolutions may round it to bf16 and use a transform whose products of
  /// integers add no more error than that.
  case bf16
  /// The input is quantized to 8 bits, with one scale per row, if the processor multiplies 8-bit integers without
  /// saturating; otherwise to 16 bits. Only for 8-bit weights.
  case int8
  /// The input is quantized to 16 bits, with one scale per row, and multiplied as two 8-bit halves where ``int8`` has 8
  /// bits, which takes twice as many products. It is more precise than ``bf16``. Only for 8-bit weights.
  case int16

  /// Whether products are computed with integers.
  package var isInteger: Bool { self == .int8 || self == .int16 }
}
