/// The Box–Muller transform of sixteen uniform numbers as PyTorch's CPU generator computes it in f32.
///
/// PyTorch's vector code evaluates the logarithm, sine and cosine by the polynomials of the Cephes library, and its
/// compiler fuses some of the multiplications and additions. Every operation here rounds where it does there, so the
/// results are bit-identical (compared on 4 million values of PyTorch 2.13). A PyTorch built for a processor without
/// AVX2 calls the C library instead and differs in the last bits.
enum BoxMuller {
  /// Replaces u₁, eight numbers in [0, 1), and u₂, the eight after them, by r·cos(2π·u₂) and r·sin(2π·u₂), where r =
  /// √(−2·ln(1 − u₁)).
  static func transform(_ values: UnsafeMutableBufferPointer<Float>, at start: Int) {
    for index in start..<start + 8 {
      let radius = (-2 * logarithm(1 - values[index])).squareRoot()
      let (sine, cosine) = sineAndCosine(6.283185307179586 * values[index + 8])
      // The mean of 0 is added, which makes a negative zero positive.
      values[index] = radius * cosine + 0
      values[index + 8] = radius * sine + 0
    }
  }

  /// Returns ln(x) of a positive normal number: x = 2^e·m with √½ ≤ m < √2, and a polynomial for ln(m).
  static func logarithm(_ x: Float) -> Float {
    var exponent = Float(Int(x.exponent) + 1)
    var m = x.significand / 2  // ½ ≤ m < 1
    if m < 0.707106781186547524 {
      exponent -= 1
      m = (m - 1) + m
    } else {
      m -= 1
    }
    let polynomial = horner(m, ofLogarithm)
    let square = m * m
    let cubic = (exponent * -2.12194440e-4).addingProduct(polynomial * m, square)
    let rest = cubic.addingProduct(-square, 0.5)
    // ln(2) in two parts, of which the larger has few bits.
    return (m + rest).addingProduct(exponent, 0.693359375)
  }

  /// Returns the sine and cosine of 0 ≤ x < 8192: the remainder of the nearest even multiple of π/4, and a polynomial
  /// for each.
  static func sineAndCosine(_ x: Float) -> (sine: Float, cosine: Float) {
    let octant = (Int(x * 1.27323954473516) + 1) & ~1
    let multiple = Float(octant)
    // π/4 in three parts, of which the larger ones have few bits.
    let rest = x.addingProduct(multiple, -0.78515625).addingProduct(multiple, -2.4187564849853515625e-4)
      .addingProduct(multiple, -3.77489497744594108e-8)
    let square = rest * rest
    let cosine = (-(square * 0.5)).addingProduct(horner(square, ofCosine) * square, square) + 1
    let sine = rest.addingProduct(horner(square, ofSine) * square, rest)
    return switch octant & 7 {
    case 0: (sine, cosine)
    case 2: (cosine, -sine)
    case 4: (-sine, -cosine)
    default: (-cosine, sine)
    }
  }

  private static let ofLogarithm: [Float] = [
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
  ]
  private static let ofCosine: [Float] = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]
  private static let ofSine: [Float] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]

  /// Evaluates a polynomial with its highest coefficient first, every step fused.
  private static func horner(_ x: Float, _ coefficients: [Float]) -> Float {
    coefficients.dropFirst().reduce(coefficients[0]) { $1.addingProduct($0, x) }
  }
}
