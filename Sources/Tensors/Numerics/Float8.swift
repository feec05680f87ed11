/// The values of the floats of 8 bits (Micikevicius et al., "FP8 formats for deep learning").
enum Float8 {
  /// The values of all patterns of E4M3: bias 7, no infinities, one NaN of each sign.
  static let e4m3 = (0..<256).map { pattern -> Float in
    pattern & 0x7F == 0x7F ? .nan : value(pattern, mantissaBits: 3, bias: 7)
  }
  /// The values of all patterns of E5M2: bias 15, the upper half of a binary16.
  static let e5m2 = (0..<256).map { FloatConversion.float(half: UInt16($0) << 8) }

  private static func value(_ pattern: Int, mantissaBits: Int, bias: Int) -> Float {
    let mantissa = pattern & (1 << mantissaBits - 1)
    let exponent = pattern >> mantissaBits & (1 << (7 - mantissaBits) - 1)
    let significand = exponent == 0 ? mantissa : mantissa | 1 << mantissaBits
    let magnitude = Float(
      sign: .plus, exponent: max(exponent, 1) - bias - mantissaBits, significand: Float(significand))
    return pattern & 0x80 == 0 ? magnitude : -magnitude
  }
}
