import Files
import JSON
import Tensors

/// A tensor in a weights file of any format: what it is and where its bytes lie.
///
/// Readers hand these out only after the whole file was validated: the range lies in the file, has exactly the
/// length that shape and type demand, and overlaps no other.
public struct TensorDescriptor: Sendable {
  /// The name, as it stands in the file unless it was translated.
  public let name: String
  /// The name as it stands in the file.
  public let storedName: String
  /// The stored type.
  public let type: ElementType
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The file that holds the bytes.
  public let file: InputFile
  /// Where they start in the file.
  public let offset: Int
  /// How many there are; more or fewer may be stored when there are strides.
  public let byteCount: Int
  /// The distance between neighbours along each dimension, in elements, or nil for a row-major tensor without gaps.
  public let strides: [Int]?
  /// Where the f32 scales of its outermost rows start in the file, for 8-bit integers that stand for q·s.
  public let scaleOffset: Int?
  /// The order of the stored numbers.
  let layout: WeightLayout
  /// What products with it do with their input, where a native model says so.
  let activations: InputPrecision

  init(
    name: String, type: ElementType, shape: Shape, file: InputFile, offset: Int, byteCount: Int,
    strides: [Int]? = nil, storedName: String? = nil, scaleOffset: Int? = nil,
    layout: WeightLayout = .rowMajor, activations: InputPrecision = .float32
  ) {
    self.name = name
    self.storedName = storedName ?? name
    self.type = type
    self.shape = shape
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
    self.strides = strides
    self.scaleOffset = scaleOffset
    self.layout = layout
    self.activations = activations
  }

  /// How it is stored in the terms of a native model, or nil when its numbers cannot be computed with.
  var weightType: WeightType? {
    type == .i8 && scaleOffset != nil ? .int8 : WeightType(keeping: type)
  }

  /// The scales of the given outermost rows of quantized values.
  func scales(of rows: Range<Int>) throws -> [Float] {
    guard let scaleOffset else { return [] }
    var scales = [Float](repeating: 0, count: rows.count)
    try scales.withUnsafeMutableBytes {
      try file.read(at: scaleOffset + 4 * rows.lowerBound, into: $0)
    }
    return scales
  }
}
