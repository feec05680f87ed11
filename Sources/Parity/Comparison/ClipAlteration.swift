import Clips

/// A known alteration between two clips (frame shift, channel order, colour matrix, level range) that can explain a
/// mismatch when the model is not its cause.
public enum ClipAlteration: String, Codable, CaseIterable, Sendable {
  case oneFrameLate = "one-frame-late"
  case oneFrameEarly = "one-frame-early"
  case exchangedChannels = "exchanged-channels"
  case exchangedRedAndGreen = "exchanged-red-and-green"
  case exchangedGreenAndBlue = "exchanged-green-and-blue"
  case rotatedChannels = "rotated-channels"
  case rotatedChannelsTwice = "rotated-channels-twice"
  case readAsBT709 = "bt601-read-as-bt709"
  case readAsBT601 = "bt709-read-as-bt601"
  case readAsFullRange = "limited-range-read-as-full"
  case readAsLimitedRange = "full-range-read-as-limited"

  /// The explanation for a user.
  public var explanation: String {
    switch self {
    case .oneFrameLate: "the golden shows every picture one frame later"
    case .oneFrameEarly: "the golden shows every picture one frame earlier"
    case .exchangedChannels: "red and blue are exchanged"
    case .exchangedRedAndGreen: "red and green are exchanged"
    case .exchangedGreenAndBlue: "green and blue are exchanged"
    case .rotatedChannels: "the golden's channels are green, blue, red instead of red, green, blue"
    case .rotatedChannelsTwice: "the golden's channels are blue, red, green instead of red, green, blue"
    case .readAsBT709: "the golden's colours were converted by BT.601 and read by BT.709"
    case .readAsBT601: "the golden's colours were converted by BT.709 and read by BT.601"
    case .readAsFullRange: "the golden's levels are of limited range and were read as of full range"
    case .readAsLimitedRange: "the golden's levels are of full range and were read as of limited range"
    }
  }

  /// The offset from the golden's frame n to our corresponding frame.
  var shift: Int {
    switch self {
    case .oneFrameLate: -1
    case .oneFrameEarly: 1
    default: 0
    }
  }

  /// Whether the alteration computes new levels instead of only moving existing ones.
  var changesLevels: Bool {
    switch self {
    case .readAsBT709, .readAsBT601, .readAsFullRange, .readAsLimitedRange: true
    default: false
    }
  }

  /// Returns our clip with the pixels that the golden would show; frames keep their positions.
  func applied(to clip: Clip) -> Clip {
    switch self {
    case .oneFrameLate, .oneFrameEarly: clip
    case .exchangedChannels: clip.map { SIMD3($0.z, $0.y, $0.x) }
    case .exchangedRedAndGreen: clip.map { SIMD3($0.y, $0.x, $0.z) }
    case .exchangedGreenAndBlue: clip.map { SIMD3($0.x, $0.z, $0.y) }
    case .rotatedChannels: clip.map { SIMD3($0.y, $0.z, $0.x) }
    case .rotatedChannelsTwice: clip.map { SIMD3($0.z, $0.x, $0.y) }
    case .readAsBT709: clip.map { ColourMatrix.bt709.rgb(ColourMatrix.bt601.yuv($0)) }
    case .readAsBT601: clip.map { ColourMatrix.bt601.rgb(ColourMatrix.bt709.yuv($0)) }
    case .readAsFullRange: clip.map { $0 * (219.0 / 255) + 16 }
    case .readAsLimitedRange: clip.map { ($0 - 16) * (255.0 / 219) }
    }
  }
}

extension Clip {
  /// Returns the clip with every pixel changed, rounded and clamped.
  fileprivate func map(_ change: (SIMD3<Float>) -> SIMD3<Float>) -> Clip {
    var bytes = bytes
    for place in stride(from: 0, to: bytes.count, by: 3) {
      let pixel = SIMD3(Float(bytes[place]), Float(bytes[place + 1]), Float(bytes[place + 2]))
      let changed = change(pixel).rounded(.toNearestOrEven).clamped(
        lowerBound: SIMD3(repeating: 0), upperBound: SIMD3(repeating: 255))
      for channel in 0..<3 { bytes[place + channel] = UInt8(changed[channel]) }
    }
    return with(bytes)
  }
}
