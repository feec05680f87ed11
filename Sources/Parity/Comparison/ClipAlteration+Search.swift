import Clips
import Foundation

extension ClipAlteration {
  /// A change that explains a clip, with the PSNR of its blocks' means before and after that change, in dB.
  package typealias Match = (kind: ClipAlteration, psnrDb: (before: Double, after: Double))

  /// What a change must bring at least, in dB.
  ///
  /// Measured on three goldens to which 26 things were done, on noise and on pictures, some of them encoded once more: changed
  /// levels bring 2.3 dB and more, the others 14. Right models, int8 ones among them, come to 0.26 dB at most in 216 videos and
  /// as many clips without loss; a clip played backwards gains 1.1 dB by a frame's shift.
  private var leastGain: Double { changesLevels ? 1.5 : 3 }
  /// What the pixels must come to after the change, in dB, so that the pictures can be told to be the same ones: the changes
  /// above leave 17 dB and more, clips of other weights come to 10.
  private static let leastPSNR = 16.0
  /// Between clips that are as near as this nothing happened, however much nearer a change brings them, in dB.
  private static let equalPSNR = 60.0

  /// The change after which a clip is nearest to the reference, or nil when none helps: then the pictures themselves differ,
  /// or nothing does.
  ///
  /// Compared are the means of blocks. Where the reference was encoded, our clip is, too; and as levels that were mistaken are
  /// mostly those of a video that is written again, such clips are encoded a second time: encoding takes saturation, which would
  /// hide the change.
  ///
  /// - Parameter encoding: a clip after the encoding that the reference went through; nil where that was lossless.
  /// - Throws: what `encoding` throws.
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
    guard let best, best.psnr >= before + best.kind.leastGain,
      psnr(best.clip, reference: reference, shift: best.kind.shift) >= leastPSNR
    else { return nil }
    return (best.kind, (before, best.psnr))
  }

  /// The PSNR of all pixels, in dB.
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
