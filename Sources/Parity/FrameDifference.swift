import Foundation

/// The simplest change that brings a clip near another one: what happened between them, when it was not the model.
public enum FrameDifference: String, CaseIterable, Sendable {
  case oneFrameLate = "one-frame-late"
  case oneFrameEarly = "one-frame-early"
  case exchangedChannels = "exchanged-channels"
  case readAsBT709 = "bt601-read-as-bt709"
  case readAsBT601 = "bt709-read-as-bt601"
  case readAsFullRange = "limited-range-read-as-full"
  case readAsLimitedRange = "full-range-read-as-limited"

  /// What to tell a user.
  public var explanation: String {
    switch self {
    case .oneFrameLate: "the golden shows every picture one frame later"
    case .oneFrameEarly: "the golden shows every picture one frame earlier"
    case .exchangedChannels: "red and blue are exchanged"
    case .readAsBT709: "the golden's colours were converted by BT.601 and read by BT.709"
    case .readAsBT601: "the golden's colours were converted by BT.709 and read by BT.601"
    case .readAsFullRange: "the golden's levels are of limited range and were read as of full range"
    case .readAsLimitedRange: "the golden's levels are of full range and were read as of limited range"
    }
  }

  /// A change must take away half of the squared error at least, and leave a picture that can be told to be the same one.
  ///
  /// Measured on goldens that something was done to: 4.5 to 26 dB are gained, 21 dB and more is what is left even of noise, most
  /// of whose chroma encoding takes. Clips of other weights come to 10 dB, and gain up to 1.7 dB by exchanging channels.
  private static let leastGain = 0.5
  private static let leastPSNR = 16.0
  /// Between clips that are as near as this nothing happened, however much nearer a change brings them.
  private static let equalPSNR = 50.0
  /// Frames that are looked at.
  private static let frameLimit = 16

  /// The change after which a clip is nearest to the reference, or nil when none helps: then the pictures themselves differ.
  ///
  /// - Returns: also the PSNR over all frames that were looked at, in dB, before and after the change.
  public static func between(
    _ clip: FrameSequence, reference: FrameSequence
  ) -> (kind: FrameDifference, psnrDb: (before: Double, after: Double))? {
    precondition(
      clip.width == reference.width && clip.height == reference.height && clip.count == reference.count)
    let before = squaredError(clip, reference, nil)
    guard psnr(before) < equalPSNR else { return nil }
    let errors = allCases.compactMap { kind -> (kind: FrameDifference, error: Double)? in
      guard kind.shift == 0 || clip.count > 1 else { return nil }
      return (kind, squaredError(clip, reference, kind))
    }
    guard let best = errors.min(by: { $0.error < $1.error }), best.error <= (1 - leastGain) * before,
      psnr(best.error) >= leastPSNR
    else { return nil }
    return (best.kind, (psnr(before), psnr(best.error)))
  }

  private static func psnr(_ error: Double) -> Double {
    error > 0 ? 10 * log10(255 * 255 / error) : FrameComparison.identicalPSNR
  }

  /// Which of our frames the golden's frame n is, counted from n.
  private var shift: Int {
    switch self {
    case .oneFrameLate: -1
    case .oneFrameEarly: 1
    default: 0
    }
  }

  /// The mean squared error of the changed clip, in 8-bit levels.
  private static func squaredError(
    _ clip: FrameSequence, _ reference: FrameSequence, _ kind: FrameDifference?
  ) -> Double {
    let size = clip.width * clip.height * 3
    let shift = kind?.shift ?? 0
    let frames = (max(0, -shift)..<clip.count - max(0, shift))
    let step = max(1, frames.count / frameLimit)
    var sum = 0.0
    var count = 0
    for frame in Swift.stride(from: frames.lowerBound, to: frames.upperBound, by: step) {
      for pixel in Swift.stride(from: 0, to: size, by: 3) {
        let place = (frame + shift) * size + pixel
        let changed = kind.map { $0.changed(clip.bytes, at: place) } ?? rgb(clip.bytes, at: place)
        let golden = rgb(reference.bytes, at: frame * size + pixel)
        let difference = changed - golden
        sum += (difference * difference).sum()
        count += 3
      }
    }
    return count > 0 ? sum / Double(count) : 0
  }

  private static func rgb(_ bytes: [UInt8], at place: Int) -> SIMD3<Double> {
    SIMD3(Double(bytes[place]), Double(bytes[place + 1]), Double(bytes[place + 2]))
  }

  /// A pixel of our clip as the golden would show it.
  private func changed(_ bytes: [UInt8], at place: Int) -> SIMD3<Double> {
    let pixel = Self.rgb(bytes, at: place)
    let value =
      switch self {
      case .oneFrameLate, .oneFrameEarly: pixel
      case .exchangedChannels: SIMD3(pixel.z, pixel.y, pixel.x)
      case .readAsBT709: ColourMatrix.bt709.rgb(ColourMatrix.bt601.yuv(pixel))
      case .readAsBT601: ColourMatrix.bt601.rgb(ColourMatrix.bt709.yuv(pixel))
      case .readAsFullRange: pixel * (219.0 / 255) + 16
      case .readAsLimitedRange: (pixel - 16) * (255.0 / 219)
      }
    return value.clamped(lowerBound: SIMD3(repeating: 0), upperBound: SIMD3(repeating: 255))
  }
}

/// The coefficients of luma, by which RGB becomes Y, Cb and Cr.
private struct ColourMatrix {
  let red: Double, blue: Double

  static let bt601 = ColourMatrix(red: 0.299, blue: 0.114)
  static let bt709 = ColourMatrix(red: 0.2126, blue: 0.0722)

  func yuv(_ rgb: SIMD3<Double>) -> SIMD3<Double> {
    let luma = red * rgb.x + (1 - red - blue) * rgb.y + blue * rgb.z
    return SIMD3(luma, (rgb.z - luma) / (2 - 2 * blue), (rgb.x - luma) / (2 - 2 * red))
  }

  func rgb(_ yuv: SIMD3<Double>) -> SIMD3<Double> {
    let r = yuv.x + (2 - 2 * red) * yuv.z
    let b = yuv.x + (2 - 2 * blue) * yuv.y
    return SIMD3(r, (yuv.x - red * r - blue * b) / (1 - red - blue), b)
  }
}
