import Clips
import Foundation

extension ClipAlteration {
  /// An alteration that explains a clip, with the PSNR of its block means before and after it, in dB.
  package typealias Match = (kind: ClipAlteration, psnrDb: (before: Double, after: Double))

  /// The minimum PSNR gain that counts as an explanation, in dB.
  ///
  /// Measured on three goldens with 26 alterations, on noise and on pictures, some of them encoded once more: changed
  /// levels gain 2.3 dB and more, the other alterations 14 dB. Right models, int8 ones among them, gain 0.26 dB at most
  /// in 216 videos and as many lossless clips; a clip played backwards gains 1.1 dB by a shift of one frame.
  private var minimumGain: Double { changesLevels ? 1.5 : 3 }
  /// The minimum PSNR of all pixels after the alteration, in dB, for the pictures to count as the same: the alterations
  /// above leave 17 dB and more, clips of other weights reach 10 dB.
  private static let minimumPSNR = 16.0
  /// The PSNR from which clips count as equal, however much closer an alteration would bring them, in dB.
  private static let equalPSNR = 60.0

  /// Returns the alteration after which a clip is nearest to the reference, or nil when none helps: then either the
  /// pictures themselves differ, or nothing does.
  ///
  /// The means of blocks are compared. Where the reference was encoded, our clip is too. Mistaken levels mostly occur
  /// in a video that is written again, so clips with changed levels are also encoded a second time: encoding reduces
  /// saturation, which would hide the alteration.
  ///
  /// - Parameter encoding: returns a clip after the encoding that the reference went through; nil where that was
  ///   lossless.
  /// - Throws: any error thrown by `encoding`.
  package static func between(
    _ clip: Clip, reference: Clip,
    encoding: ((Clip) throws -> Clip)? = nil
  ) throws -> Match? {
    precondition(
      clip.width == reference.width && clip.height == reference.height && clip.count == reference.count)
    let target = BlockMeans(reference)
    let shown = try encoding?(clip) ?? clip
    var before = BlockMeans(shown).psnr(reference: target, shift: 0)
    guard before < equalPSNR else { return nil }
    if let encoding {
      before = max(before, BlockMeans(try encoding(shown)).psnr(reference: target, shift: 0))
    }
    var best: (kind: ClipAlteration, psnr: Double, clip: Clip)?
    for kind in allCases where abs(kind.shift) < clip.count {
      var changed = [kind.applied(to: shown)]
      if let encoding, kind.changesLevels { changed.append(try encoding(changed[0])) }
      for clip in changed {
        let psnr = BlockMeans(clip).psnr(reference: target, shift: kind.shift)
        if psnr > best?.psnr ?? 0 { best = (kind, psnr, clip) }
      }
    }
    guard let best, best.psnr >= before + best.kind.minimumGain,
      psnr(best.clip, reference: reference, shift: best.kind.shift) >= minimumPSNR
    else { return nil }
    return (best.kind, (before, best.psnr))
  }

  /// Returns the PSNR of all pixels, in dB.
  private static func psnr(_ clip: Clip, reference: Clip, shift: Int) -> Double {
    let size = clip.width * clip.height * 3
    let frames = max(0, -shift)..<clip.count - max(0, shift)
    let ours = clip.bytes[(frames.lowerBound + shift) * size..<(frames.upperBound + shift) * size]
    let golden = reference.bytes[frames.lowerBound * size..<frames.upperBound * size]
    let sum = zip(ours, golden).reduce(0) { $0 + (Int($1.0) - Int($1.1)) * (Int($1.0) - Int($1.1)) }
    return sum == 0
      ? ClipMetrics.identicalPSNR : 10 * log10(255 * 255 * Double(ours.count) / Double(sum))
  }
}
