import Foundation

/// Frames of 8-bit RGB, [frames, height, width, 3].
public struct FrameSequence: Equatable, Sendable {
  /// Pixels.
  public let width: Int, height: Int
  /// The bytes of all frames.
  public let bytes: [UInt8]

  /// Gathers frames; nil when the bytes are no whole number of frames.
  public init?(width: Int, height: Int, bytes: [UInt8]) {
    guard width > 0, height > 0, bytes.count % (width * height * 3) == 0 else { return nil }
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// Other bytes for the same frames.
  func with(_ bytes: [UInt8]) -> FrameSequence { FrameSequence(width: width, height: height, whole: bytes) }

  /// The first frames.
  public func prefix(_ count: Int) -> FrameSequence {
    with(Array(bytes.prefix(count * width * height * 3)))
  }

  private init(width: Int, height: Int, whole bytes: [UInt8]) {
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// The number of frames.
  public var count: Int { bytes.count / (width * height * 3) }
}

/// How two clips of the same size and length compare, frame by frame, in 8-bit levels.
public struct FrameComparison: Sendable {
  /// The PSNR of every frame over all three channels, 10·log10(255²/MSE); identical frames are given
  /// ``identicalPSNR``.
  public let psnrDb: [Double]
  /// The SSIM of every frame's luma, with a Gaussian window of 11×11 and σ = 1.5 (Wang and others, 2004).
  public let ssim: [Double]
  /// The largest difference of a value.
  public let maxAbs: Int
  /// The fraction of values that are equal.
  public let identicalFraction: Double

  /// Stands for the infinite PSNR of equal frames.
  public static let identicalPSNR = 100.0

  /// Compares; both clips have the same size and number of frames.
  public init(_ clip: FrameSequence, reference: FrameSequence) {
    precondition(
      clip.width == reference.width && clip.height == reference.height && clip.count == reference.count)
    let size = clip.width * clip.height * 3
    var psnr: [Double] = []
    var ssim: [Double] = []
    var largest = 0
    var equal = 0
    for frame in 0..<clip.count {
      let (a, b) = (
        clip.bytes[frame * size..<(frame + 1) * size], reference.bytes[frame * size..<(frame + 1) * size]
      )
      var squares = 0
      for (x, y) in zip(a, b) {
        let difference = abs(Int(x) - Int(y))
        squares += difference * difference
        largest = max(largest, difference)
        equal += difference == 0 ? 1 : 0
      }
      psnr.append(
        squares == 0 ? Self.identicalPSNR : 10 * log10(255.0 * 255.0 * Double(size) / Double(squares)))
      ssim.append(
        StructuralSimilarity.mean(Self.luma(a), Self.luma(b), width: clip.width, height: clip.height))
    }
    psnrDb = psnr
    self.ssim = ssim
    maxAbs = largest
    identicalFraction = clip.bytes.isEmpty ? 1 : Double(equal) / Double(clip.bytes.count)
  }

  /// The mean PSNR over frames.
  public var psnrMeanDb: Double { psnrDb.reduce(0, +) / Double(max(psnrDb.count, 1)) }
  /// The PSNR of the worst frame.
  public var psnrMinDb: Double { psnrDb.min() ?? Self.identicalPSNR }
  /// The mean SSIM over frames.
  public var ssimMean: Double { ssim.reduce(0, +) / Double(max(ssim.count, 1)) }
  /// The SSIM of the worst frame.
  public var ssimMin: Double { ssim.min() ?? 1 }

  /// BT.601 luma.
  private static func luma(_ rgb: ArraySlice<UInt8>) -> [Double] {
    stride(from: rgb.startIndex, to: rgb.endIndex, by: 3).map {
      0.299 * Double(rgb[$0]) + 0.587 * Double(rgb[$0 + 1]) + 0.114 * Double(rgb[$0 + 2])
    }
  }
}

/// The structural similarity index of two images.
enum StructuralSimilarity {
  private static let window: [Double] = {
    let weights = (-5...5).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }()

  /// The mean over all places where the window fits; images smaller than the window are compared as one place.
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
