import Files
import Tensors

/// The tensors of anything that holds weights, by component and name.
public struct WeightCollection {
  /// One tensor.
  public struct Item {
    /// The component, or an empty string for a single file.
    public let component: String
    let tensor: TensorDescriptor

    /// The official name.
    public var name: String { tensor.name }
    /// `component/name`, or the name alone.
    public var path: String { component.isEmpty ? name : component + "/" + name }
    /// The shape.
    public var shape: Shape { tensor.shape }
    /// How the numbers are stored, as the field names it.
    public var type: String { tensor.weightType?.rawValue ?? tensor.type.rawValue }
  }

  /// All of them, component by component, sorted by name.
  public let items: [Item]

  /// Opens a native model, a released checkpoint, a component's folder, or a file of weights.
  public init(path: String) throws {
    if FileSystem.isFolder(path), NativeModel.isModel(path) {
      let model = try NativeModel(path: path)
      items = try model.componentNames.flatMap { name in
        try model.component(name).weightFiles().tensors.map { Item(component: name, tensor: $0) }
      }
    } else if FileSystem.isFolder(path), !FileSystem.exists(path + "/config.json") {
      let folder = try CheckpointFolder(path: path)
      let names = folder.subfolders.filter { FileSystem.exists("\(path)/\($0)/config.json") }
        .filter { !$0.hasPrefix("tokenizer") }
      guard !names.isEmpty else {
        throw malformed("not a checkpoint", path, "no sub-folder holds a config.json")
      }
      items = try names.flatMap { name in
        try folder.weights(of: name).tensors.map { Item(component: name, tensor: $0) }
      }
    } else if path.hasSuffix(".benben") {
      items = try NativeComponent(path: path).weightFiles().tensors.map { Item(component: "", tensor: $0) }
    } else {
      items = try WeightFiles.openAny(path).tensors.map { Item(component: "", tensor: $0) }
    }
  }

  /// How far a tensor is from another of the same shape, the second being the reference.
  ///
  /// - Throws: ``BenbenError`` when one of them holds numbers that cannot be computed with.
  public static func compare(_ item: Item, reference: Item) throws -> ErrorMetrics {
    var metrics = ErrorMetrics()
    var first = try FloatReader(item.tensor)
    var second = try FloatReader(reference.tensor)
    while let values = try first.next() {
      guard let expected = try second.next(), expected.count == values.count else { break }
      metrics.add(values, reference: expected)
    }
    return metrics
  }
}

/// Reads a tensor's values as f32, the same number at a time whatever its type.
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
