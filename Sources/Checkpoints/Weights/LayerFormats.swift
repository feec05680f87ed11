import Files
import JSON
import Tensors

/// The formats of quantized layers that a file names: in a tensor `LAYER.comfy_quant` beside each, or all in its metadata
/// (`_quantization_metadata`).
///
/// Where values are the products of stored numbers with a scale they need no name; others are shown under it, and not
/// computed with.
struct LayerFormats {
  /// What stands after the name of a layer.
  static let suffix = ".comfy_quant"
  private static let metadataKey = "_quantization_metadata"
  private static let known: [String: ElementType] = [
    "float8_e4m3fn": .f8e4m3, "float8_e5m2": .f8e5m2, "int8_tensorwise": .i8,
  ]
  private static let maximumLength = 65536
  /// The most prefixes before the name of a layer that metadata know.
  private static let maximumPrefixes = 8

  private let path: String
  /// The formats that metadata name and that are known, by layer.
  private var scaled: [String: String] = [:]
  /// The formats that metadata name and that are not known, by layer, as far as no tensor of theirs was seen.
  private var unseen: [String: String]

  /// Reads the metadata of a file.
  init(_ weights: WeightFiles) throws {
    path = weights.files.first?.path ?? ""
    guard let text = weights.metadata[Self.metadataKey] else {
      unseen = [:]
      return
    }
    let layers = try Self.json(Array(text.utf8), at: path)["layers"]?.object ?? [:]
    unseen = layers.compactMapValues { Self.foreign($0) }
    scaled = layers.filter { unseen[$0.key] == nil }.compactMapValues { $0["format"]?.string }
  }

  /// Returns the name of a layer's format that is not known; nil for what can be computed with.
  ///
  /// - Parameters:
  ///   - layer: the name of its weight less `.weight`, under whatever prefix the file has.
  ///   - type: the type in which the weight is stored, which may be another than its format's.
  ///   - description: the tensor that describes it; nil without one.
  mutating func foreign(
    _ layer: String, stored type: ElementType, describedBy description: TensorDescriptor?
  ) throws -> String? {
    for name in Self.names(of: layer) {
      if let format = unseen.removeValue(forKey: name) { return format }
      if let format = scaled[name], let other = Self.mismatch(format, type) { return other }
    }
    return try description.flatMap { tensor in
      let bytes = try tensor.file.bytes(at: tensor.offset, count: min(tensor.byteCount, Self.maximumLength))
      let layer = try Self.json(bytes, at: "\(tensor.file.path): \(quoted(tensor.name))")
      return Self.foreign(layer) ?? Self.mismatch(layer["format"]?.string ?? "", type)
    }
  }

  /// Returns what a weight of eight bits is that is stored in another type than its format's.
  private static func mismatch(_ format: String, _ type: ElementType) -> String? {
    known[format] == type || !known.values.contains(type) ? nil : "\(format), stored as \(type.rawValue)"
  }

  /// Whether the metadata say that a layer has a scale.
  func areScaled(_ layer: String) -> Bool { Self.names(of: layer).contains { scaled[$0] != nil } }

  /// The name of a layer, and what is left of it without prefixes.
  private static func names(of layer: String) -> [String] {
    let parts = layer.split(separator: ".", maxSplits: maximumPrefixes, omittingEmptySubsequences: false)
    return parts.indices.map { parts[$0...].joined(separator: ".") }
  }

  /// Throws when the metadata name a format that is not known of a layer that is not there.
  func requireAllSeen() throws {
    if let (layer, format) = unseen.min(by: { $0.key < $1.key }) {
      throw Self.fault(format, at: "\(path): \(quoted(layer))")
    }
  }

  /// Returns the error about weights in a format that is not known.
  static func fault(_ format: String, at place: String) -> BenbenError {
    malformed(
      "a quantization that is not known", place, "its format is \(quoted(format))",
      "Take the weights as \(known.keys.sorted().joined(separator: ", ")), or in bf16.")
  }

  private static func json(_ text: [UInt8], at place: String) throws -> JSONValue {
    guard let json = try? JSONValue(parsing: text) else {
      throw malformed(
        "a quantization that is not known", place, "what describes it is no JSON",
        "Download the file again, or take the weights in bf16.")
    }
    return json
  }

  private static func foreign(_ layer: JSONValue) -> String? {
    let format = layer["format"]?.string ?? ""
    guard known[format] != nil else { return format.isEmpty ? "a format without a name" : format }
    return layer["convrot"] == nil || layer["convrot"] == false ? nil : "\(format), rotated"
  }
}

extension WeightFiles {
  /// Throws when weights are in a format that is not computed with.
  func requireKnownFormats() throws {
    for tensor in tensors {
      if let format = tensor.foreignFormat {
        throw LayerFormats.fault(format, at: "\(tensor.file.path): \(quoted(tensor.name))")
      }
    }
  }
}
