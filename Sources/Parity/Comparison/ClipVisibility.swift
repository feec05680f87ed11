/// How far a viewer would see that two clips differ, judged by their worst frame.
///
/// Words for people, which no verdict depends on: 45 dB are an error of 1.4 levels of 255, far below what encoding a video
/// loses; below 20 dB, or an SSIM of 0.6, clips of the same request rarely show the same.
public enum ClipVisibility: String, Codable, Sendable {
  /// Every value is equal.
  case equal
  /// As far as the encoding of a golden video brings the right clip from it.
  case encoding = "no more than encoding loses"
  /// Not to be seen.
  case invisible = "not to be seen"
  /// To be seen, in the same clip.
  case visible
  /// Another clip.
  case anotherClip = "another clip"

  /// Judges the PSNR and the SSIM of the worst frame of clips that are not equal.
  init(psnrDb: Double, ssim: Double) {
    self =
      switch psnrDb {
      case 45...: .invisible
      case 20... where ssim >= 0.6: .visible
      default: .anotherClip
      }
  }

  /// What is likely where no known alteration explains the difference.
  var explanation: String {
    switch self {
    case .equal, .invisible, .encoding:
      "the pictures differ by less than can be seen, and by more than is allowed: a few weights are off by a little, or numbers are rounded otherwise"
    case .visible:
      "the pictures show the same and differ to the eye: some weights are other ones, or rounded more coarsely"
    case .anotherClip:
      "the pictures themselves differ: other weights, another request or other noise"
    }
  }
}
