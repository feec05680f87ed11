import Files
import JSON
import Tensors

/// The tensors of any file or folder that holds weights, by component and name.
package struct WeightCollection {
  /// One tensor.
  package struct Item {
    /// The component, or an empty string for a single file.
    package let component: String
    let tensor: TensorDescriptor

    /// The official name.
    package let name: String

    init(component: String, _ tensor: TensorDescriptor) {
      self.component = component
      self.tensor = tensor
      name = tensor.name
    }

    /// A tensor of an export of several components, in which the component's name comes before the tensor's.
    init?(exported tensor: TensorDescriptor, of components: Set<String>) {
      let parts = tensor.name.split(separator: ".", maxSplits: 1)
      guard parts.count == 2, components.contains(String(parts[0])) else { return nil }
      component = String(parts[0])
      self.tensor = tensor
      name = String(parts[1])
    }

    /// The path `component/name`, or the name alone for a single file.
    package var path: String { component.isEmpty ? name : component + "/" + name }
    /// The shape.
    package var shape: Shape { tensor.shape }
    /// The stored type by its common name.
    package var type: String {
      tensor.blocks?.rawValue ?? tensor.weightType?.rawValue ?? tensor.type.rawValue
    }
  }

  /// All tensors, component by component, sorted by name.
  package let items: [Item]
  /// The configs of the components, by their names.
  package private(set) var configs: [String: JSONValue] = [:]

  /// Opens a native model, a released checkpoint, a component's folder, a file of weights, or what an export wrote of
  /// several components.
  package init(path: String) throws {
    try HubCache.requireDownloaded(path)
    if FileSystem.isFolder(path), NativeModel.isModel(path) {
      let model = try NativeModel(path: path)
      var configs: [String: JSONValue] = [:]
      items = try model.componentNames.flatMap { name in
        let component = try model.component(name)
        configs[name] = component.config
        return component.weightFiles().tensors.map { Item(component: name, $0) }
      }
      self.configs = configs
    } else if FileSystem.isFolder(path), SafetensorsExport.isFolder(path) {
      var configs: [String: JSONValue] = [:]
      items = try FileSystem.entries(of: path).flatMap { file in
        let component = String(file.dropLast(".safetensors".count))
        let weights = try WeightFiles.openAny("\(path)/\(file)")
        configs.merge(try SafetensorsExport.configs(in: weights)) { $1 }
        return weights.tensors.map { Item(component: component, $0) }
      }
      self.configs = configs
    } else if FileSystem.isFolder(path), !FileSystem.exists(path + "/config.json") {
      let folder = try CheckpointFolder(path: path)
      let names = folder.subfolders.filter { FileSystem.exists("\(path)/\($0)/config.json") }
        .filter { !$0.hasPrefix("tokenizer") }
      guard !names.isEmpty else {
        throw BenbenError(
          .malformed, "not a checkpoint", at: path, because: "no sub-folder holds a config.json",
          remedies: HubCache.remedies(on: path))
      }
      items = try names.flatMap { name in
        try folder.weights(of: name).tensors.map { Item(component: name, $0) }
      }
    } else if path.hasSuffix(".benben") {
      let component = try NativeComponent(path: path)
      items = component.weightFiles().tensors.map { Item(component: "", $0) }
      configs = ["": component.config]
    } else {
      let weights = try WeightFiles.openAny(path)
      configs = try SafetensorsExport.configs(in: weights)
      let components = Set(configs.keys)
      let named = weights.tensors.compactMap { Item(exported: $0, of: components) }
      items = named.count == weights.tensors.count ? named : weights.tensors.map { Item(component: "", $0) }
    }
  }

  /// Measures the error of a tensor against a reference of the same shape.
  ///
  /// - Throws: ``BenbenError`` when the type of either cannot be used in computation.
  package static func compare(_ item: Item, reference: Item) throws -> ErrorMetrics {
    var metrics = ErrorMetrics()
    try Task.checkCancellation()
    var first = try FloatReader(item.tensor)
    var second = try FloatReader(reference.tensor)
    while let values = try first.next() {
      guard let expected = try second.next(), expected.count == values.count else { break }
      try Task.checkCancellation()
      metrics.add(values, reference: expected)
    }
    return metrics
  }
}

/// A reader of a tensor's values as f32, in pieces of the same length whatever the type.
private struct FloatReader: ~Copyable {
  private var conversion: TensorConversion
  private let piece: Int
  private var pending: ArraySlice<Float> = []

  init(_ tensor: TensorDescriptor) throws {
    guard tensor.weightType != nil else {
      throw malformed(
        "tensor \(quoted(tensor.name)) cannot be compared", tensor.file.path,
        "its type is \(tensor.type.rawValue)")
    }
    conversion = try TensorConversion(tensor, to: .f32)
    piece = 1 << 20
  }

  mutating func next() throws -> ArraySlice<Float>? {
    while pending.count < piece,
      try conversion.next({ chunk in pending += chunk.withMemoryRebound(to: Float.self) { Array($0) } })
    {}
    guard !pending.isEmpty else { return nil }
    let values = pending.prefix(piece)
    pending = pending.dropFirst(values.count)
    return values
  }
}
