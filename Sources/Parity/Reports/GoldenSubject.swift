import JSON

/// The golden of a report, without local paths.
public struct GoldenSubject: Codable, Equatable, Sendable {
  /// The name of the file or bundle.
  public let file: String
  /// The prompt, without the pipeline's suffix.
  public let prompt: String
  /// The clip's size in pixels.
  public let width: Int, height: Int
  /// The number of latent frames.
  public let latentFrames: Int
  /// The SHA-256 of the file; of a folder of PNGs, that of its frames' RGB bytes; nil in reports of versions before 0.2.0.
  public package(set) var sha256: String?
  /// Whether the official code computed in f32 and not in a narrower type; nil in reports of versions before 0.2.0.
  public private(set) var isFullPrecision: Bool?
  /// The recording details of a bundle: level, device, versions, commit.
  package private(set) var recorded: JSONValue?
  /// The model's components that were made from other files than the bundle was recorded with.
  public private(set) var otherFiles: [String]?

  /// Creates the subject of a golden that was recorded with a request.
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
    isFullPrecision = request.isFullPrecision
    if let bundle {
      recorded = bundle.provenance
      otherFiles = bundle.componentsOfOtherFiles(source)
    }
  }
}
