import Foundation

/// The perceived difference of two pictures that a viewer flips between (ꟻLIP; Andersson and others, "FLIP: A Difference
/// Evaluator for Alternating Images", 2020; the version for displays of low dynamic range).
///
/// 0 is no difference, 1 the largest. Numbers of sections are the paper's.
enum FLIP {
  /// The pixels in a degree of the field of view: 3840 pixels on 0.7 m, seen from 0.7 m (section 3).
  private static let pixelsPerDegree = 0.7 * (3840 / 0.7) * Double.pi / 180
  /// The exponents of the colour and of the feature difference, and where the colour difference bends (sections 4.1.4, 4.2).
  private static let colourExponent: Float = 0.7, featureExponent: Float = 0.5
  private static let bendPlace: Float = 0.4, bendValue: Float = 0.95
  /// The width of a feature in degrees (section 4.2).
  private static let featureWidth = 0.082

  /// Returns the mean over all pixels of two pictures of the same size, [height, width, 3].
  static func mean(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>, width: Int, height: Int) -> Double {
    if a.elementsEqual(b) { return 0 }
    let (first, second) = (Picture(a, width, height), Picture(b, width, height))
    var sum = 0.0
    for pixel in 0..<width * height {
      let colour = colourDifference(first.perceived[pixel], second.perceived[pixel])
      let feature = max(
        abs(first.edges[pixel] - second.edges[pixel]), abs(first.points[pixel] - second.points[pixel]))
      let exponent = 1 - pow(feature / Float(2).squareRoot(), featureExponent)
      sum += Double(pow(colour, exponent))
    }
    return sum / Double(width * height)
  }

  // MARK: Colours (section 4.1)

  /// What is seen of a picture from that distance: filtered colours, and the strength of edges and points.
  private struct Picture {
    /// Hunt-adjusted L*a*b* of every pixel.
    let perceived: [SIMD3<Float>]
    let edges: [Float], points: [Float]

    init(_ bytes: ArraySlice<UInt8>, _ width: Int, _ height: Int) {
      let opponent = stride(from: bytes.startIndex, to: bytes.endIndex, by: 3).map {
        FLIP.opponent(
          SIMD3(linear[Int(bytes[$0])], linear[Int(bytes[$0 + 1])], linear[Int(bytes[$0 + 2])]))
      }
      let planes = (0..<3).map { channel -> [Float] in
        let plane = opponent.map { $0[channel] }
        return Gaussian.channels[channel].reduce([Float](repeating: 0, count: plane.count)) { sum, filter in
          let filtered = convolve(plane, filter.taps, filter.taps, width, height)
          return zip(sum, filtered).map { $0 + filter.weight * $1 }
        }
      }
      perceived = (0..<width * height).map {
        let rgb = linearRGB(SIMD3(planes[0][$0], planes[1][$0], planes[2][$0]))
        return huntAdjusted(rgb.clamped(lowerBound: .zero, upperBound: .one))
      }
      let luminance = opponent.map { ($0.x + 16) / 116 }
      edges = featureStrength(luminance, Feature.edge, width, height)
      points = featureStrength(luminance, Feature.point, width, height)
    }
  }

  /// The linear value of every byte of sRGB.
  private static let linear: [Float] = (0..<256).map {
    let value = Double($0) / 255
    return Float(value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4))
  }

  /// The rows of the matrix from linear sRGB to XYZ, and of its inverse, both relative to the white of D65.
  private static let toXYZ: [SIMD3<Float>] = {
    let rows: [SIMD3<Double>] = [
      SIMD3(10135552, 8788810, 4435075) / 24577794, SIMD3(2613072, 8788810, 887015) / 12288897,
      SIMD3(1425312, 8788810, 70074185) / 73733382,
    ]
    return rows.map { row in
      let sum: Double = row.sum()
      return SIMD3<Float>(row / sum)
    }
  }()
  private static let fromXYZ: [SIMD3<Float>] = {
    let m = toXYZ.map { SIMD3<Double>($0) }
    func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
      SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
    }
    let columns = [cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])]
    let determinant = (m[0] * columns[0]).sum()
    return (0..<3).map { row in
      SIMD3<Float>(SIMD3(columns[0][row], columns[1][row], columns[2][row]) / determinant)
    }
  }()

  private static func product(_ rows: [SIMD3<Float>], _ vector: SIMD3<Float>) -> SIMD3<Float> {
    SIMD3((rows[0] * vector).sum(), (rows[1] * vector).sum(), (rows[2] * vector).sum())
  }

  /// YCxCz, the linear opponent colours.
  private static func opponent(_ rgb: SIMD3<Float>) -> SIMD3<Float> {
    let xyz = product(toXYZ, rgb)
    return SIMD3(116 * xyz.y - 16, 500 * (xyz.x - xyz.y), 200 * (xyz.y - xyz.z))
  }

  private static func linearRGB(_ opponent: SIMD3<Float>) -> SIMD3<Float> {
    let y = (opponent.x + 16) / 116
    return product(fromXYZ, SIMD3(y + opponent.y / 500, y, y - opponent.z / 200))
  }

  /// L*a*b* with colours that fade with luminance (section 4.1.2).
  private static func huntAdjusted(_ rgb: SIMD3<Float>) -> SIMD3<Float> {
    func root(_ value: Float) -> Float {
      let delta: Float = 6 / 29
      return value > delta * delta * delta ? cbrt(value) : value / (3 * delta * delta) + 4 / 29
    }
    let xyz = product(toXYZ, rgb)
    let (x, y, z) = (root(xyz.x), root(xyz.y), root(xyz.z))
    let lightness = 116 * y - 16
    return SIMD3(lightness, 0.01 * lightness * 500 * (x - y), 0.01 * lightness * 200 * (y - z))
  }

  /// The distance of colours beyond small ones (HyAB, section 4.1.3).
  private static func distance(_ a: SIMD3<Float>, _ b: SIMD3<Float>) -> Float {
    let difference = a - b
    return abs(difference.x) + (difference.y * difference.y + difference.z * difference.z).squareRoot()
  }

  private static let largestDistance = pow(
    distance(huntAdjusted(SIMD3(0, 1, 0)), huntAdjusted(SIMD3(0, 0, 1))), colourExponent)

  /// The difference of two colours, 0 to 1, large ones compressed (section 4.1.4).
  private static func colourDifference(_ a: SIMD3<Float>, _ b: SIMD3<Float>) -> Float {
    let value = pow(distance(a, b), colourExponent)
    let bend = bendPlace * largestDistance
    return value < bend
      ? bendValue / bend * value
      : bendValue + (value - bend) / (largestDistance - bend) * (1 - bendValue)
  }

  // MARK: Filters

  /// A Gaussian of a channel's contrast sensitivity (section 4.1.1), as taps of one dimension that sum to 1, and its share.
  private struct Gaussian {
    let weight: Float
    let taps: [Float]

    /// Those of luminance, red–green and blue–yellow.
    static let channels = [[(1, 0.0047)], [(1, 0.0053)], [(34.1, 0.04), (13.5, 0.025)]].map(make)

    private static func make(_ terms: [(a: Double, b: Double)]) -> [Gaussian] {
      let radius = Int((3 * (0.04 / (2 * Double.pi * Double.pi)).squareRoot() * pixelsPerDegree).rounded(.up))
      let filters = terms.map { term -> (weight: Double, taps: [Double]) in
        let taps = (-radius...radius).map { offset -> Double in
          let place = Double(offset) / pixelsPerDegree
          return exp(-Double.pi * Double.pi * place * place / term.b)
        }
        let sum = taps.reduce(0, +)
        return (term.a * (Double.pi / term.b).squareRoot() * sum * sum, taps.map { $0 / sum })
      }
      let total = filters.reduce(0) { $0 + $1.weight }
      return filters.map { Gaussian(weight: Float($0.weight / total), taps: $0.taps.map(Float.init)) }
    }
  }

  /// The taps of a feature detector along its direction and across it (section 4.2).
  private struct Feature {
    let along: [Float], across: [Float]

    /// The first and the second derivative of a Gaussian, whose positive and negative taps sum to 1 and −1.
    static let edge = Feature { offset, _ in -offset }
    static let point = Feature { offset, deviation in offset * offset / (deviation * deviation) - 1 }

    private init(_ polynomial: (Double, Double) -> Double) {
      let deviation = 0.5 * featureWidth * pixelsPerDegree
      let radius = Int((3 * deviation).rounded(.up))
      let offsets = (-radius...radius).map(Double.init)
      let gaussian = offsets.map { exp(-$0 * $0 / (2 * deviation * deviation)) }
      let taps = zip(offsets, gaussian).map { polynomial($0, deviation) * $1 }
      let positive = taps.reduce(0) { $0 + max($1, 0) }
      let negative = -taps.reduce(0) { $0 + min($1, 0) }
      let sum = gaussian.reduce(0, +)
      along = taps.map { Float($0 < 0 ? $0 / negative : $0 / positive) }
      across = gaussian.map { Float($0 / sum) }
    }
  }

  private static func featureStrength(
    _ plane: [Float], _ feature: Feature, _ width: Int, _ height: Int
  ) -> [Float] {
    let x = convolve(plane, feature.along, feature.across, width, height)
    let y = convolve(plane, feature.across, feature.along, width, height)
    return zip(x, y).map { ($0 * $0 + $1 * $1).squareRoot() }
  }

  /// Convolves along rows, then along columns; beyond the picture stand its edge's values.
  private static func convolve(
    _ plane: [Float], _ horizontal: [Float], _ vertical: [Float], _ width: Int, _ height: Int
  ) -> [Float] {
    let rows = convolveRows(plane, horizontal, width, height)
    let radius = vertical.count / 2
    return [Float](unsafeUninitializedCapacity: plane.count) { result, count in
      rows.withUnsafeBufferPointer { rows in
        for y in 0..<height {
          for x in 0..<width { result[y * width + x] = 0 }
          for (tap, weight) in vertical.enumerated() {
            let source = min(max(y + tap - radius, 0), height - 1) * width
            for x in 0..<width { result[y * width + x] += weight * rows[source + x] }
          }
        }
      }
      count = plane.count
    }
  }

  private static func convolveRows(
    _ plane: [Float], _ taps: [Float], _ width: Int, _ height: Int
  ) -> [Float] {
    let radius = taps.count / 2
    var padded = [Float](repeating: 0, count: width + 2 * radius)
    return [Float](unsafeUninitializedCapacity: plane.count) { result, count in
      for y in 0..<height {
        for x in padded.indices { padded[x] = plane[y * width + min(max(x - radius, 0), width - 1)] }
        for x in 0..<width { result[y * width + x] = 0 }
        padded.withUnsafeBufferPointer { padded in
          for (tap, weight) in taps.enumerated() {
            for x in 0..<width { result[y * width + x] += weight * padded[x + tap] }
          }
        }
      }
      count = plane.count
    }
  }
}
