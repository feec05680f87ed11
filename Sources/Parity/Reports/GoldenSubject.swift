import JSON

/// The golden of a report, without paths of the machine.
public struct GoldenSubject: Codable, Equatable, Sendable {
  /// The name of the file or bundle.
  public let file: String
  /// The prompt, without what the pipeline appends.
  public let prompt: String
  /// Pixels.
  public let width: Int, height: Int
  /// Latent frames.
  public let latentFrames: Int
  /// How a bundle was recorded: level, device, versions, commit.
  package private(set) var recorded: JSONValue?
  /// The model's components that were made of other files than a bundle was recorded from.
  public private(set) var otherFiles: [String]?

  /// A golden that was recorded with a request.
  ///
  /// - Parameters:
  ///   - bundle: the bundle that the trace belongs to.
  ///   - source: the source files of the model, by component, which are compared with the bundle's.
  package init(
    path: String, _ request: GoldenTrace.Request, bundle: GoldenBundle? = nil,
    source: [String: JSONValue] = [:]
  ) {
    file = path.split(separator: "/").last.map(String.init) ?? path
    prompt = request.prompt
    (width, height) = (request.width, request.height)
    latentFrames = request.latentFrames
    if let bundle {
      recorded = bundle.provenance
      otherFiles = bundle.componentsOfOtherFiles(source)
    }
  }
}
