/// The luma coefficients of a conversion between RGB and Y, Cb, Cr.
struct ColourMatrix {
  let red: Float, blue: Float

  static let bt601 = ColourMatrix(red: 0.299, blue: 0.114)
  static let bt709 = ColourMatrix(red: 0.2126, blue: 0.0722)

  func yuv(_ rgb: SIMD3<Float>) -> SIMD3<Float> {
    let luma = red * rgb.x + (1 - red - blue) * rgb.y + blue * rgb.z
    return SIMD3(luma, (rgb.z - luma) / (2 - 2 * blue), (rgb.x - luma) / (2 - 2 * red))
  }

  func rgb(_ yuv: SIMD3<Float>) -> SIMD3<Float> {
    let r = yuv.x + (2 - 2 * red) * yuv.z
    let b = yuv.x + (2 - 2 * blue) * yuv.y
    return SIMD3(r, (yuv.x - red * r - blue * b) / (1 - red - blue), b)
  }
}
