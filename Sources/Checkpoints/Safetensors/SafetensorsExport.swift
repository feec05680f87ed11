import Files
import JSON
import Tensors

/// An export of weights to a safetensors file that other tools can read.
///
/// Names are the official ones, prefixed with `component.` when there are several components. The metadata hold the configs,
/// so that the file can be converted to the very model that it came from.
package struct SafetensorsExport {
  /// What becomes of an 8-bit tensor.
  package enum Quantized: Sendable {
    /// It is written as I8 together with `NAME_scale`, one f32 for each outermost row (w = q·s).
    case scaled
    /// It is converted to f32.
    case dequantized
    /// A matrix `LAYER.weight` is written as I8 together with `LAYER.weight_scale`, one f32 for each row, and
    /// `LAYER.comfy_quant`, which names the format `int8_tensorwise` (ComfyUI's `QUANTIZATION.md`); any other is converted
    /// to f32.
    case comfy
  }

  private struct Part {
    let name: String
    let type: ElementType
    let shape: Shape
    let byteCount: Int
  }

  private static let weight = ".weight"
  private static let comfyFormat = Array(#"{"format": "int8_tensorwise"}"#.utf8)

  private let items: [WeightCollection.Item]
  private let quantized: Quantized
  private let configs: [String: JSONValue]

  /// What the names of the configs in the file's metadata start with; that of their component follows.
  private static let configPrefix = "benben.config."

  /// Creates an export of a collection.
  package init(_ collection: WeightCollection, quantized: Quantized) {
    self.init(items: collection.items, quantized: quantized, configs: collection.configs)
  }

  /// The components of a collection, in its order.
  package static func components(of collection: WeightCollection) -> [String] {
    var names: [String] = []
    for item in collection.items where names.last != item.component { names.append(item.component) }
    return names
  }

  /// The configs that the metadata of an exported file hold, by component.
  ///
  /// - Throws: ``BenbenError`` for one that is no JSON.
  package static func configs(in weights: WeightFiles) throws -> [String: JSONValue] {
    var configs: [String: JSONValue] = [:]
    for (key, text) in weights.metadata where key.hasPrefix(configPrefix) {
      do {
        configs[String(key.dropFirst(configPrefix.count))] = try JSONValue(parsing: text)
      } catch {
        throw malformed(
          "the config inside is no JSON", weights.files.first?.path ?? "", "\(error)",
          "Put the component's config.json beside the file, or export it again.")
      }
    }
    return configs
  }

  /// Writes a folder with a file for each component, named after it, whose tensors' names have no prefix.
  ///
  /// - Parameters:
  ///   - folder: written whole or not at all; one that exists may be replaced if it holds nothing but such files.
  ///   - progress: called with the component and the number of bytes that were just written.
  package static func writeComponents(
    of collection: WeightCollection, quantized: Quantized, to folder: String, mayReplace: Bool,
    progress: (_ component: String, _ bytes: Int) throws -> Void
  ) throws {
    let staged = try StagedFolder(destination: folder, mayReplace: mayReplace) { folder in
      FileSystem.entries(of: folder).isEmpty || isFolder(folder)
    }
    for component in components(of: collection) {
      let items = collection.items.filter { $0.component == component }
      let configs = collection.configs.filter { $0.key == component }
      try SafetensorsExport(items: items, quantized: quantized, configs: configs)
        .write(to: "\(staged.stagingPath)/\(component).safetensors", mayReplace: false) {
          try progress(component, $0)
        }
    }
    try staged.commit()
  }

  /// Returns whether a folder holds the components of an export, and nothing else.
  static func isFolder(_ path: String) -> Bool {
    let files = FileSystem.entries(of: path)
    return !files.isEmpty && files.allSatisfy { isOwn(path + "/" + $0) }
  }

  /// Returns whether a file is one component of an export: its metadata hold the config of the component that it is named
  /// after.
  private static func isOwn(_ path: String) -> Bool {
    let name = FileSystem.lastComponent(path)
    guard name.hasSuffix(".safetensors"), let weights = try? Safetensors.open(InputFile(path: path)) else {
      return false
    }
    return weights.metadata[configPrefix + name.dropLast(".safetensors".count)] != nil
  }

  private init(items: [WeightCollection.Item], quantized: Quantized, configs: [String: JSONValue]) {
    self.items = items
    self.quantized = quantized
    self.configs = configs
  }

  private func type(of item: WeightCollection.Item) throws -> WeightType {
    guard let stored = item.tensor.weightType else {
      throw malformed(
        "tensor \(quoted(item.name)) cannot be exported", item.tensor.file.path, "its type is \(item.type)")
    }
    guard stored == .int8 else { return stored }
    return switch quantized {
    case .scaled: .int8
    case .dequantized: .f32
    case .comfy: item.shape.count == 2 && item.name.hasSuffix(Self.weight) ? .int8 : .f32
    }
  }

  private func parts(of item: WeightCollection.Item, hasComponents: Bool) throws -> [Part] {
    let type = try type(of: item)
    let name = (hasComponents ? item.component + "." : "") + item.name
    let count = item.shape.reduce(1, *)
    let data = Part(
      name: name, type: type.elementType, shape: item.shape, byteCount: count * type.elementType.size)
    guard type == .int8 else { return [data] }
    let rows = item.shape.first ?? 1
    let scales = Part(name: name + "_scale", type: .f32, shape: [rows], byteCount: 4 * rows)
    guard quantized == .comfy else { return [data, scales] }
    let format = Self.comfyFormat.count
    return [
      data, scales,
      Part(
        name: name.dropLast(Self.weight.count) + ".comfy_quant", type: .u8, shape: [format], byteCount: format
      ),
    ]
  }

  /// Writes the file, whole or not at all.
  ///
  /// - Parameter progress: called with the number of bytes that were just written.
  package func write(to path: String, mayReplace: Bool, progress: (Int) throws -> Void) throws {
    let hasComponents = Set(items.map(\.component)).count > 1
    let parts = try items.map { try self.parts(of: $0, hasComponents: hasComponents) }
    var names: Set<String> = ["__metadata__"]
    for part in parts.joined() where !names.insert(part.name).inserted {
      throw malformed(
        "two tensors would have one name", path,
        "\(quoted(part.name)) is taken by another one or by the format",
        "Export one component after the other, or with dequantized values.")
    }
    // Shapes do not tell all of a config.
    let metadata = configs.map { (Self.configPrefix + $0.key, $0.value.canonicalText) } + [("format", "pt")]
    let header = SafetensorsHeader(
      parts.joined().map { ($0.name, $0.type, $0.shape) },
      metadata: Dictionary(metadata) { first, _ in first })
    let staged = try StagedFile(
      destination: path, size: header.bytes.count + header.dataSize, mayReplace: mayReplace)
    var position = header.bytes.count
    func emit(_ bytes: UnsafeRawBufferPointer) throws {
      try staged.file.write(bytes, at: position)
      position += bytes.count
      try progress(bytes.count)
    }
    try header.bytes.withUnsafeBytes { try staged.file.write($0, at: 0) }
    for item in items {
      let type = try type(of: item)
      var conversion = try TensorConversion(item.tensor, to: type)
      while try conversion.next(emit) {}
      guard type == .int8 else { continue }
      try conversion.scales.withUnsafeBytes { try emit($0) }
      if quantized == .comfy { try Self.comfyFormat.withUnsafeBytes { try emit($0) } }
    }
    try staged.commit()
  }

  /// The size of all tensors as written, in bytes.
  package var byteCount: Int {
    get throws {
      try items.reduce(0) { $0 + (try parts(of: $1, hasComponents: false).reduce(0) { $0 + $1.byteCount }) }
    }
  }
}
