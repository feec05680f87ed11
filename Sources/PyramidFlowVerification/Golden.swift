import Clips
import Files
import Parity

/// A recording of results of the official implementation, in one of its stored forms.
public enum Golden: Sendable {
  /// A trace of a run (HDF5).
  case trace(GoldenTrace)
  /// A bundle: a trace, its clip, and a manifest with their hashes.
  case bundle(GoldenBundle)
  /// A suite of bundles.
  case suite(GoldenSuite)
  /// A video or a folder of PNGs, with the trace that holds the run's request and noise.
  case clip(path: String, GoldenTrace)

  /// Whether it is one trace, alone or in a bundle, whose tensors can be compared.
  public var isTrace: Bool {
    switch self {
    case .trace, .bundle: true
    case .suite, .clip: false
    }
  }

  /// Opens a golden: a trace, a bundle, a suite, a video, or a folder of PNGs.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - trace: the trace of a video or a folder; nil for the one of the same name beside it.
  /// - Throws: `BenbenError` when it is absent or malformed.
  public init(at path: String, trace: String? = nil) throws {
    if let suite = try GoldenSuite(folder: path) {
      self = .suite(suite)
    } else if GoldenTrace.isTrace(path) {
      self = .trace(try GoldenTrace(at: path))
    } else if let bundle = try GoldenBundle(folder: path) {
      self = .bundle(bundle)
    } else {
      try Self.requireClip(path)
      let tracePath = trace ?? Self.withoutExtension(path) + ".h5"
      guard FileSystem.exists(tracePath) else {
        throw BenbenError(
          .missing, "nothing says how this clip was made", at: path,
          because: "there is no trace \(tracePath)", code: .traceNeeded)
      }
      self = .clip(path: path, try GoldenTrace(at: tracePath))
    }
  }

  /// Throws for what is no video and no folder of PNGs either.
  private static func requireClip(_ path: String) throws {
    guard FileSystem.exists(path) else {
      throw BenbenError(.missing, "cannot open", at: path, because: "there is no such file or folder")
    }
    let why: String
    if FileSystem.isFolder(path) {
      let files = FileSystem.entries(of: path)
      guard !files.contains(where: { $0.lowercased().hasSuffix(".png") }) else { return }
      let traces = files.filter { $0.lowercased().hasSuffix(".h5") }
      why =
        traces.isEmpty
        ? "it holds no PNGs" : "it is no bundle; the traces in it are \(traces.joined(separator: ", "))"
    } else {
      guard !path.lowercased().hasSuffix(".json") else {
        throw notOne(path, "it is JSON; a suite or a bundle is a folder")
      }
      return
    }
    throw notOne(path, why)
  }

  private static func notOne(_ path: String, _ why: String) -> BenbenError {
    BenbenError(
      .malformed, "this is no golden", at: path, because: why,
      remedies: ["Goldens are traces (.h5), bundles, suites of bundles, videos, and folders of PNGs."])
  }

  private static func withoutExtension(_ path: String) -> String {
    let name = FileSystem.lastComponent(path)
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else {
      return path.hasSuffix("/") ? String(path.dropLast()) : path
    }
    return String(path.dropLast(name[dot...].count))
  }
}
