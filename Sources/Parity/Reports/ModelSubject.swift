import JSON

/// The model of a report: its family, and what its manifest says of components and plan.
public struct ModelSubject: Codable, Equatable, Sendable {
  /// The family, such as `miniflux`.
  public let family: String
  /// The components as the manifest lists them.
  package let components: JSONValue
  /// The plan of types as the manifest has it.
  package let plan: JSONValue

  /// The subject of a model's manifest.
  package init(family: String, manifest: JSONValue) {
    self.family = family
    components = manifest["components"] ?? .null
    plan = manifest["plan"] ?? .null
  }
}
