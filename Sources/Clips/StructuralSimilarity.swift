import Foundation

/// The structural similarity index of two images.
enum StructuralSimilarity {
  private static let window: [Double] = {
    let weights = (-5...5).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }()

  /// Returns the mean over all positions where the window fits; images smaller than the window count as one position.
  static func mean(_ a: [Double], _ b: [Double], width: Int, height: Int) -> Double {
    let (c1, c2) = (6.5025, 58.5225)
    let means = [a, b, products(a, a), products(b, b), products(a, b)].map { blurred($0, width, height) }
    var sum = 0.0
    for place in means[0].indices {
      let (ma, mb) = (means[0][place], means[1][place])
      let (va, vb) = (means[2][place] - ma * ma, means[3][place] - mb * mb)
      let covariance = means[4][place] - ma * mb
      sum += (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    }
    return sum / Double(means[0].count)
  }

  private static func products(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 * $1 } }

  private static func blurred(_ image: [Double], _ width: Int, _ height: Int) -> [Double] {
    guard width >= window.count, height >= window.count else {
      return [image.reduce(0, +) / Double(image.count)]
    }
    let outputWidth = width - window.count + 1
    var rows = [Double](repeating: 0, count: outputWidth * height)
    for y in 0..<height {
      for x in 0..<outputWidth {
        var sum = 0.0
        for (offset, weight) in window.enumerated() { sum += weight * image[y * width + x + offset] }
        rows[y * outputWidth + x] = sum
      }
    }
    var result = [Double](repeating: 0, count: outputWidth * (height - window.count + 1))
    for place in result.indices {
      var sum = 0.0
      for (offset, weight) in window.enumerated() { sum += weight * rows[place + offset * outputWidth] }
      result[place] = sum
    }
    return result
  }
}
