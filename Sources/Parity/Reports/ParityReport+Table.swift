import Files
import Foundation
import JSON
import Tensors

extension ParityReport {
  /// The report for a terminal or a log: one line for each kind of comparison, the first ten failures by name, the
  /// verdict last.
  public var table: String {
    var lines: [String] = []
    lines.append(Self.row("compared", "mode", "tensors", "worst nmse", "allowed", ""))
    for group in groups { lines.append(group) }
    for clip in clips {
      let flip = clip.flipMax.map { String(format: "  FLIP max %.3g", $0) } ?? ""
      let vmaf = clip.vmafMin.map { String(format: "  VMAF min %.1f", $0) } ?? ""
      lines.append(
        String(
          format: "frames  %@  PSNR min %.2f mean %.2f dB  SSIM min %.5f%@%@  identical %.3f %%  max %d  %@",
          clip.mode.rawValue, clip.psnrMinDb, clip.psnrMeanDb, clip.ssimMin.roundedDown(toDigits: 5), flip,
          vmaf,
          // Never rounded up: 100 means that all are.
          (100 * clip.identicalFraction).roundedDown(toDigits: 3), clip.maxAbs, clip.passed ? "ok" : "FAILED")
      )
      lines += clip.excesses.map { "  failed: " + $0 }
      lines += clip.explanations.map { "  " + $0.printable }
    }
    let failures = tensors.filter { !$0.passed }
    for failure in failures.prefix(10) {
      lines.append(
        String(
          format: "  failed: %@ (%@): nmse %.3g, allowed %.3g, max |a-b| %.3g", failure.path.printable,
          failure.mode.rawValue,
          failure.nmse, failure.threshold, failure.maxAbs) + (failure.note.map { "; " + $0.printable } ?? ""))
    }
    if failures.count > 10 { lines.append("  and \(failures.count - 10) more") }
    if !passed, let others = golden.otherFiles, !others.isEmpty {
      lines.append(
        "the golden was recorded from other files than the model's \(others.joined(separator: ", ").printable)"
      )
    }
    if let approximation { lines.append("the model approximated: \(approximation.printable)") }
    if let part {
      let nothing = isEmpty ? ", in which nothing was to be compared" : ""
      lines.append("part \(part.index) of \(part.count)\(nothing)")
    }
    if let callsInRun {
      lines.append("\(callsCompared) of \(callsInRun) calls of the transformer were compared")
    }
    if let firstDivergence { lines.append("first divergence: \(firstDivergence.printable)") }
    lines.append(passed ? "PASS" : "FAIL")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func row(
    _ name: String, _ mode: String, _ count: String, _ worst: String, _ allowed: String, _ verdict: String
  ) -> String {
    func pad(_ text: String, _ width: Int) -> String {
      text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
    }
    return [pad(name, 26), pad(mode, 15), pad(count, 8), pad(worst, 11), pad(allowed, 9), verdict].joined(
      separator: " "
    )
    .trimmingCharacters(in: .whitespaces)
  }

  /// One line for each kind and mode of compared tensors, in order of first appearance.
  private var groups: [String] {
    var order: [String] = []
    var members: [String: [TensorComparison]] = [:]
    for tensor in tensors {
      let key = TracePath.kind(of: tensor.path) + "|" + tensor.mode.rawValue
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(tensor)
    }
    return order.compactMap { key in
      guard let results = members[key], let first = results.first else { return nil }
      let worst = results.map(\.nmse).max() ?? 0
      let strictest = results.map(\.threshold).min() ?? 0
      return Self.row(
        TracePath.kind(of: first.path).printable, first.mode.rawValue, "\(results.count)",
        String(format: "%.2e", worst),
        strictest == 0 ? "exact" : String(format: "%.0e", strictest),
        results.allSatisfy(\.passed) ? "ok" : "FAILED")
    }
  }
}
