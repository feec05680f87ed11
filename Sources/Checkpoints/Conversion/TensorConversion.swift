import Files
import Tensors

/// A conversion of a tensor to another type, one chunk at a time, that measures the error it causes.
///
/// Reading throws a ``BenbenError`` that names the tensor when it holds NaN or infinity.
struct TensorConversion: ~Copyable {
  private let converter: ChunkConverter
  private var chunks: TensorChunks
  private var offset = 0
  /// The error so far.
  private(set) var loss = ConversionLoss()
  /// The scales of the rows so far, for int8.
  private(set) var scales: [Float] = []

  /// Returns whether values may change: the type cannot hold every value of the stored one.
  static func isLossy(_ source: TensorDescriptor, to type: WeightType) -> Bool {
    // The values that 8-bit rows, and products with a scale, represent are exact in f32 only.
    guard let stored = source.weightType, stored != type else { return false }
    if type == .int8 { return true }
    if stored == .int8 || source.uniformScale != nil || source.blocks != nil { return type != .f32 }
    return !source.type.isFloat8 && !source.type.widensExactly(to: type.elementType)
  }

  init(_ source: TensorDescriptor, to type: WeightType, layout: WeightLayout = .rowMajor) throws {
    let sourceScales = try source.scales()
    let chunks = try TensorChunks(source, unit: ChunkConverter.unit(source, to: type, layout: layout))
    converter = ChunkConverter(source, to: type, layout: layout, sourceScales: sourceScales)
    self.chunks = chunks
  }

  /// Lends the next bytes of the new type and layout.
  ///
  /// - Returns: whether there were any bytes.
  mutating func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    guard let bytes = try chunks.next() else { return false }
    let part = try converter.convert(bytes, at: offset, body)
    offset += bytes.count
    loss.add(part.loss)
    scales += part.scales
    return true
  }
}
