/// What a run approximates, to be faster than the official computation.
public enum Approximation: Equatable, Sendable {
  /// Nothing.
  case off
  /// The keys and values of text and finished latents are computed at so many steps of every stage, and interpolated at the
  /// others (`HistoryNodes`).
  case history(nodes: Int)

  /// The number of nodes where none is named: the least whose cost vanishes behind that of int8 (the manual's page on
  /// performance has the table).
  public static let defaultNodes = 4
  /// The numbers of nodes that are possible.
  public static let possibleNodes = 2...GenerationRequest.maximumSteps

  /// The number of nodes of an interpolated history; nil where it is computed.
  package var historyNodes: Int? { if case .history(let nodes) = self { nodes } else { nil } }
}

extension Approximation: RawRepresentable, Codable {
  /// Reads `off`, `history` or `history=NODES`, with 2 to 1000 nodes.
  public init?(rawValue: String) {
    switch rawValue {
    case "off": self = .off
    case "history": self = .history(nodes: Self.defaultNodes)
    default:
      let parts = rawValue.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0] == "history", let nodes = Int(parts[1]),
        Self.possibleNodes ~= nodes
      else { return nil }
      self = .history(nodes: nodes)
    }
  }

  /// `off` or `history=NODES`.
  public var rawValue: String {
    switch self {
    case .off: "off"
    case .history(let nodes): "history=\(nodes)"
    }
  }
}
