/// What of a request lies outside of what a variant was trained on, which does not fail and rarely looks right.
extension GenerationRequest {
  /// Returns sentences, each with the trained values; empty for a request like the official demos'.
  ///
  /// Source: the official README and demos (`app.py`, the notebooks), which know these values only.
  package func remarks(variant: ReleasedVariant, startsFromImage: Bool = false) -> [String] {
    var remarks: [String] = []
    if (width, height) != (variant.width, variant.height) {
      remarks.append(
        "\(variant.name) was trained at \(variant.width)×\(variant.height); at \(width)×\(height) pictures may fall apart"
      )
    }
    if latentFrames > 1, !(4...7 ~= videoGuidanceScale) {
      remarks.append(
        "video guidance of \(videoGuidanceScale) is outside of what was tried (4 to 7); colours burn in above, motion fades below"
      )
    }
    if !startsFromImage, !(7...9 ~= guidanceScale) {
      remarks.append("guidance of \(guidanceScale) is outside of what was tried (7 to 9)")
    }
    if approximation != .off {
      remarks.append(
        "\(approximation.rawValue) is an approximation: the clip is another than the exact one; a verification measures by how much"
      )
    }
    return remarks
  }
}
