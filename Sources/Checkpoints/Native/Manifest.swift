import Files
import JSON
import Tensors

/// The `manifest.json` of a model: its family and components, its source, and its plan.
///
/// Its schema is `schemas/benben-manifest.schema.json`.
enum Manifest {
  static let fileName = "manifest.json"
  static let schema = "benben.model/1"
  static let maximumLength = 64_000_000

  /// The member that holds the SHA-256 of the whole text, itself written as zeros.
  private static let hashKey = "sha256"

  /// Returns the text of a manifest, with its own hash in it.
  static func text(_ manifest: JSONValue) -> [UInt8] {
    var members = manifest.object ?? [:]
    members[hashKey] = .string(NativeHeader.pendingHash)
    let text = Array(JSONValue.object(members).prettyText.utf8)
    members[hashKey] = .string(Digest.sha256(text))
    return Array(JSONValue.object(members).prettyText.utf8)
  }

  /// Returns why a manifest is damaged, or nil when its text has the hash that it names.
  ///
  /// Versions before 0.2.0 wrote none.
  static func damage(_ text: [UInt8], _ manifest: JSONValue) -> String? {
    guard let hash = manifest[hashKey]?.string, hash.utf8.count == NativeHeader.pendingHash.utf8.count else {
      return manifest["benbenVersion"]?.string == "0.1.0" ? nil : "it does not name its SHA-256"
    }
    // The member stands on a line of its own, which no string can hold.
    let line = Array("\n  \"\(hashKey)\": \"\(hash)\"".utf8)
    guard let place = text.indices.first(where: { text[$0...].starts(with: line) }) else {
      return "its SHA-256 does not stand where it must"
    }
    let end = place + line.count - 1
    let zeroed = text[..<(end - hash.utf8.count)] + NativeHeader.pendingHash.utf8 + text[end...]
    let found = Digest.sha256(Array(zeroed))
    return found == hash ? nil : "its SHA-256 is \(found), not \(hash)"
  }

  /// Returns the part of the manifest that `convert --json` also reports.
  static func report(
    _ conversion: Conversion, outcomes: [[Conversion.Outcome]], source: [String: JSONValue]?
  ) -> JSONValue {
    var tensors: [JSONValue] = []
    var ignored: [JSONValue] = []
    for (plan, rows) in zip(conversion.plans, outcomes) {
      for outcome in rows { tensors.append(row(outcome, component: plan.component)) }
      for item in plan.ignored {
        ignored.append([
          "component": .string(plan.component), "name": .string(item.name), "rule": .string(item.rule),
        ])
      }
    }
    var members: [String: JSONValue] = [
      "sourceBytes": .integer(conversion.sourceByteCount), "bytes": .integer(conversion.byteCount),
      "ignored": .array(ignored), "tensors": .array(tensors),
    ]
    let rounded = conversion.plans.compactMap { $0.sourceRounding?.json } + conversion.inheritedRounding
    if !rounded.isEmpty { members["sourceRounding"] = .array(rounded) }
    if let calibration = conversion.calibration { members["calibration"] = calibration }
    if let source { members["source"] = .object(source) }
    return .object(members)
  }

  private static func row(_ outcome: Conversion.Outcome, component: String) -> JSONValue {
    let row = outcome.row
    var members: [String: JSONValue] = [
      "component": .string(component), "name": .string(row.name),
      "shape": .array(row.source.shape.map(JSONValue.integer)),
      "sourceType": .string(row.source.typeName), "type": .string(row.type.rawValue),
      "bytes": .integer(row.byteCount), "reason": .string(row.reason),
    ]
    if row.type == .int8 || row.activations != .float32 {
      members["activations"] = .string(row.activations.rawValue)
    }
    if row.source.storedName != row.name { members["sourceName"] = .string(row.source.storedName) }
    if let metrics = outcome.metrics {
      // Without any error, the ratio is infinite: null.
      members["sqnrDb"] = metrics.sqnrDb.isFinite ? .number(metrics.sqnrDb) : .null
      members["maxAbsError"] = .number(metrics.maxAbs)
    }
    return .object(members)
  }

  /// Returns the manifest's entry of a written component.
  static func component(_ plan: ComponentPlan, file: String, bytes: Int, identity: String) -> JSONValue {
    var members: [String: JSONValue] = [
      "name": .string(plan.component), "file": .string(file), "bytes": .integer(bytes),
      "headerSha256": .string(identity),
    ]
    if let version = plan.source.config["_diffusers_version"] { members["diffusersVersion"] = version }
    if !plan.source.prefix.isEmpty { members["sourcePrefix"] = .string(plan.source.prefix) }
    if !plan.source.assumed.isEmpty {
      members["assumedConfig"] = .array(plan.source.assumed.map(JSONValue.string))
    }
    return .object(members)
  }

  static func json(
    _ conversion: Conversion, report: JSONValue, components: [JSONValue], version: String
  ) -> JSONValue {
    var members = report.object ?? [:]
    members["schema"] = .string(schema)
    members["benbenVersion"] = .string(version)
    members["family"] = .string(conversion.family)
    members["components"] = .array(components)
    members["files"] = .array(
      conversion.auxiliary.map { file in
        [
          "path": .string(file.path), "bytes": .integer(file.contents.count),
          "sha256": .string(Digest.sha256(file.contents)),
        ]
      })
    members["plan"] = [
      "type": conversion.request.type.map { .string($0.rawValue) } ?? .null,
      "tensorTypes": .array(
        conversion.request.overrides.map { .string("\($0.pattern)=\($0.type?.rawValue ?? "keep")") }),
      "recipe": conversion.request.recipe.map { .string($0.name) } ?? .null,
    ]
    return .object(members)
  }
}
