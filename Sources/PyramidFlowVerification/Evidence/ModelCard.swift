import Checkpoints
import Files
import Foundation
import JSON
import Models
import Parity
import PyramidFlow

/// A model card for a converted model, as hubs show it: what it is, what it was made of, and how near it is to the official
/// implementation.
///
/// It depends on the model's manifest and the reports alone, so that whoever has both gets the same bytes.
public struct ModelCard: Sendable {
  private let manifest: JSONValue
  private let family: String
  private let variants: [String]
  private let checks: [ReportCheck]
  private let unverified: String?
  private let title: String?
  private let baseModel: String?

  /// Creates the card of a model.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - checks: the reports, which must be evidence for the model.
  ///   - title: the title; nil for one that is made of family and type.
  ///   - baseModel: the repository of the checkpoint that the model was made from, such as
  ///     `rain1011/pyramid-flow-miniflux`.
  /// - Throws: `BenbenError` of kind malformed when a report is no evidence for the model, of kind usage when one is given
  ///   twice.
  public init(
    of model: VideoModel, reports checks: [ReportCheck], title: String? = nil, baseModel: String? = nil
  ) throws {
    for check in checks { try check.requireEvidence() }
    let texts = try checks.map { try $0.evidence.report.json.canonicalText }
    for (index, check) in checks.enumerated() {
      guard let twin = texts[..<index].firstIndex(of: texts[index]) else { continue }
      throw BenbenError(
        .usage, "a report is given twice", at: check.evidence.path,
        because: "\(checks[twin].evidence.path) is the same, and evidence counts once")
    }
    manifest = model.native.manifest
    family = model.family
    variants = model.variants
    self.checks = checks
    unverified = ReportCheck.unverified(checks, of: model)
    self.title = title
    self.baseModel = baseModel
  }

  /// Throws unless a card is of this model, and says of its parity what these reports say.
  ///
  /// What a publisher wrote beside may be there; what was generated must be there as it is.
  ///
  /// - Parameter reports: the reports that go out with the card; those that it does not name are passed over.
  static func requireSound(at path: String, of model: VideoModel, reports: [EvidenceReport]) throws {
    func fault(_ why: String, _ remedy: String, what: String = "not a card of this model") -> BenbenError {
      BenbenError(.malformed, what, at: path, because: why, remedies: [remedy])
    }
    guard try isOne(path) else {
      throw fault(
        "it is none that was made here", "Make one of the reports, and pack that.", what: "not a model card")
    }
    let text = String(decoding: try InputFile.contents(of: path, limit: maximumLength), as: UTF8.self)
    let commands = text.split(separator: "\n").filter { $0.hasPrefix("    " + checking) }
    let named = commands.compactMap { line in
      reports.first { line == "    " + checkCommand($0).printable }
    }
    let card = try ModelCard(of: model, reports: named.map { try ReportCheck($0, of: model) })
    guard [card.contents, card.source].allSatisfy(text.containsBytes) else {
      throw fault("its components, sources or their hashes are others", "Make one of this model.")
    }
    // Cards of versions before do not tell goldens of one name apart.
    guard card.parity.allSatisfy(text.containsBytes),
      [true, false].contains(where: { text.containsBytes(of: card.repetition(tellsGoldensApart: $0)) })
    else {
      if let lacking = commands.first(where: { line in
        !reports.contains { line == "    " + checkCommand($0).printable }
      }) {
        throw fault(
          "it was made of \(lacking.dropFirst(4 + checking.count)), and no report of that name goes with it",
          "Give the reports that it was made of, under their names.")
      }
      throw fault(
        "what it says of parity is not what the reports that go with it say",
        "Make one of these reports; text beside may be added.")
    }
  }

  /// The largest card, in bytes.
  static let maximumLength = 16_000_000

  private static let checking = "benben report check MODEL "

  /// The command that checks a report against a model.
  private static func checkCommand(_ report: EvidenceReport) -> String {
    checking + report.name.quotedForShell
  }

  /// The card, in Markdown with front matter.
  public var text: String {
    let parts =
      [frontMatter, introduction, contents, source] + parity + [repetition(tellsGoldensApart: true)]
    let shown = parts.joined(separator: "\n\n") + "\n\n"
    return shown + Self.lastLine(after: shown)
  }

  // MARK: Parts

  private var frontMatter: String {
    let isPicture = variants == [ReleasedVariant.image.name]
    let kinds = isPicture ? ["text-to-image"] : ["text-to-video", "image-to-video"]
    return
      (["---", "library_name: benben"] + (baseModel.map { ["base_model: \(Markdown.scalar($0))"] } ?? [])
      + ["pipeline_tag: \(kinds[0])", "tags:"]
      + (["pyramid-flow", "benben", family] + kinds + types).map { "- \($0)" } + ["---"]).joined(
        separator: "\n")
  }

  private var introduction: String {
    let kind = family == ModelFamily.sd3.name ? "SD3" : "miniFLUX"
    let named = title ?? "Pyramid Flow \(kind), \(types.joined(separator: " and "))"
    let size = ByteSize.text(manifest["bytes"]?.integer ?? 0)
    let made = manifest["benbenVersion"]?.string ?? ""
    return """
      # \(Markdown.plain(named))

      A \(kind) model of Pyramid Flow (\(variants.joined(separator: ", "))) in the native format of Benben \(made.printable), \
      which runs it on a CPU: \(size) of memory-mapped weights.
      """
  }

  /// The types of weights, the most frequent first.
  private var types: [String] {
    let known = tensors.compactMap { $0["type"]?.string.flatMap(WeightType.init)?.rawValue }
    let counts = Dictionary(known.map { ($0, 1) }, uniquingKeysWith: +)
    return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
  }

  private var tensors: [JSONValue] { manifest["tensors"]?.array ?? [] }

  private var contents: String {
    let byComponent = Dictionary(grouping: tensors) { $0["component"]?.string ?? "" }
    let rows = (manifest["components"]?.array ?? []).map { component -> [String] in
      let name = component["name"]?.string ?? ""
      let own = byComponent[name] ?? []
      let counts = Dictionary(own.compactMap { $0["type"]?.string }.map { ($0, 1) }, uniquingKeysWith: +)
      let sizes = own.map { $0["shape"]?.integers?.checkedElementCount ?? 0 }
      let parameters = sizes.reduce(0) { sum, size in
        sum.addingReportingOverflow(size).overflow ? .max : sum + size
      }
      let worst = own.compactMap { $0["sqnrDb"]?.double }.min()
      return [
        name, String(parameters), ByteSize.text(component["bytes"]?.integer ?? 0),
        counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "),
        worst.map { String(format: "%.1f dB", $0) } ?? "exact",
        "`\(component["headerSha256"]?.string ?? "")`",
      ]
    }
    return "## Contents\n\n"
      + Markdown.table(
        ["component", "parameters", "size", "tensors", "worst tensor (SQNR)", "SHA-256 of its header"], rows)
      + "\n\nA header holds the SHA-256 of every tensor."
  }

  private var source: String {
    let sources = manifest["source"]?.object ?? [:]
    let rows = sources.keys.sorted().flatMap { component in
      (sources[component]?.array ?? []).map { file in
        [
          file["file"]?.string ?? "", String(file["bytes"]?.integer ?? 0),
          "`\(file["sha256"]?.string ?? "")`",
        ]
      }
    }
    let plan = manifest["plan"] ?? .null
    var choices = ["type " + (plan["type"]?.string ?? "as in the source")]
    if let recipe = plan["recipe"]?.string { choices.append("recipe \(recipe)") }
    choices += (plan["tensorTypes"]?.array ?? []).compactMap(\.string)
    let ignored = (manifest["ignored"]?.array ?? []).count {
      $0["rule"]?.string?.hasPrefix(WeightFiles.joinedRule) != true
    }
    let lost = (manifest["sourceRounding"]?.array ?? []).map { rounding in
      let types = (rounding["tensorCounts"]?.object ?? [:]).sorted { $0.key < $1.key }
        .map { "\($0.key) (\($0.value.integer ?? 0) tensors)" }
      return
        " The weights of \(rounding["component"]?.string ?? "") had been rounded before, to \(types.joined(separator: ", "))."
    }.joined()
    return "## Made from\n\n" + Markdown.table(["file", "bytes", "SHA-256"], rows)
      + "\n\nAsked for: \(choices.joined(separator: "; ").printable). "
      + (ignored == 0
        ? "Every tensor of the source is in it." : "\(ignored) tensors of the source are not in it.")
      + lost.printable
  }

  private var parity: [String] {
    guard !checks.isEmpty else {
      return ["## Parity with the official implementation\n\nNothing was verified."]
    }
    let entries = checks.flatMap { $0.evidence.report.entries }
    let passed = entries.count(where: \.passed)
    let rows = entries.map { entry -> [String] in
      guard let report = try? entry.outcome.get() else {
        return [entry.name, "", "", "", "", "", "**FAIL**"]
      }
      let golden = report.golden
      let predictions = report.tensors.filter { TracePath.kind(of: $0.path) == "dit/prediction" }
      let free = report.tensors.filter { $0.mode == .freeRunning }
      let clip = report.shownComparison
      return [
        entry.name,
        "“\(golden.prompt)”, \(golden.width)×\(golden.height), \(golden.latentFrames) latent frames",
        Self.worst(predictions), Self.worst(free), clip.map { String(format: "%.2f dB", $0.psnrMinDb) } ?? "",
        clip.map { String(format: "%.4f", $0.ssimMin.roundedDown(toDigits: 4)) } ?? "",
        entry.passed ? "PASS" : "**FAIL**",
      ]
    }
    let table = Markdown.table(
      [
        "golden", "request", "worst prediction (allowed)", "worst of the free run (allowed)",
        "worst frame: PSNR", "SSIM", "",
      ], rows)
    let goldens = checks.flatMap { $0.evidence.goldens }.compactMap { report in
      report.golden.sha256.map { [report.golden.file, Self.recorded(report.golden), "`\($0)`"] }
    }
    let remarks = (unverified.map { [$0] } ?? []) + checks.flatMap(\.remarks)
    return [
      "## Parity with the official implementation\n\n\(passed) of \(entries.count) goldens match.\n\n"
        + table,
      "Errors are nmse, Σ(a−b)²/Σb²: of predictions given the golden's inputs, of the free run given nothing but texts and "
        + "noise.",
    ] + (remarks.isEmpty ? [] : [remarks.map { "* \(Markdown.plain($0))" }.joined(separator: "\n")])
      + (goldens.isEmpty ? [] : [Markdown.table(["golden", "recorded with", "SHA-256"], goldens)])
  }

  private static func worst(_ tensors: [TensorComparison]) -> String {
    guard let worst = tensors.max(by: { $0.nmse / $0.threshold < $1.nmse / $1.threshold }) else { return "" }
    return String(format: "%.1e (%.0e)", worst.nmse, worst.threshold)
  }

  private static func recorded(_ golden: GoldenSubject) -> String {
    let versions = golden.recorded?["versions"]?.object ?? [:]
    let type = golden.isFullPrecision.map { $0 ? "f32" : "bf16" }
    return
      ([type] + versions.keys.sorted().map { key in versions[key]?.string.map { "\(key) \($0)" } })
      .compactMap { $0 }.joined(separator: ", ")
  }

  private func repetition(tellsGoldensApart: Bool) -> String {
    let goldens = checks.flatMap { $0.evidence.goldens }
    let runs = goldens.compactMap(\.run)
    // One name may be that of several goldens.
    let hashes = Dictionary(grouping: goldens, by: \.golden.file).mapValues { Set($0.map(\.golden.sha256)) }
    let verifications = goldens.compactMap { report -> String? in
      guard let command = report.run?.command else { return nil }
      guard tellsGoldensApart, let hash = report.golden.sha256, hashes[report.golden.file]?.count ?? 0 > 1
      else {
        return command
      }
      return "\(command)  # with the \(report.golden.file) of SHA-256 \(hash.prefix(12))…"
    }
    let made = Set(
      runs.map { "Benben \($0.version), \($0.mathLibrary), \($0.instructionSet), \($0.threads) threads" })
    let commands = verifications + checks.map { Self.checkCommand($0.evidence) }
    var seen: Set<String> = []
    let lines = (["benben check MODEL"] + commands).filter { seen.insert($0).inserted }.map {
      "    " + $0.printable
    }
    return "## Repeat it\n\n" + lines.joined(separator: "\n")
      + (made.isEmpty
        ? "" : "\n\nThe reports were made by \(made.sorted().joined(separator: "; ").printable).")
  }
}

extension ReportCheck {
  /// Throws unless the report is evidence for the model.
  package func requireEvidence() throws {
    guard let issue = issues.first else { return }
    throw BenbenError(
      .malformed, "this is no evidence for the model", at: evidence.path, because: issue,
      remedies: ["Verify this very model, and give what that reports."])
  }
}
