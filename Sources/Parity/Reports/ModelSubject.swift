import JSON

/// The model of a report: its family, and the components and plan from its manifest.
public struct ModelSubject: Codable, Equatable, Sendable {
  /// The family, such as `miniflux`.
  public let family: String
  /// The components, as the manifest lists them.
  package let components: JSONValue
  /// The plan of types, as in the manifest.
  package let plan: JSONValue

  /// Creates the subject of a model from its manifest.
  package init(family: String, manifest: JSONValue) {
    self.family = family
    components = manifest["components"] ?? .null
    plan = manifest["plan"] ?? .null
  }
}
