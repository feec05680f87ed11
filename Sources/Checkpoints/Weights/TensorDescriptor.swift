import Files
import JSON
import Tensors

/// A tensor in a weights file of any format: its name, type and shape, and the location of its bytes.
///
/// Readers create descriptors only after validating the whole file: the range lies in the file and, for a tensor
/// without strides, has exactly the length that shape and type demand. No two ranges overlap, except in PyTorch
/// archives, whose tensors may share storage.
package struct TensorDescriptor: Sendable {
  /// The name, which is the stored one unless it was translated.
  package internal(set) var name: String
  /// The name as stored in the file.
  package let storedName: String
  /// The stored type; that of a byte for values in blocks.
  package let type: ElementType
  /// The format of values that share scales in blocks, which are row-major and whole along the innermost dimension.
  package let blocks: BlockFormat?
  /// The shape, outermost dimension first.
  package internal(set) var shape: Shape
  /// The file that holds the bytes.
  package let file: InputFile
  /// The offset of its first byte in the file.
  package internal(set) var offset: Int
  /// The size of its elements in bytes; a tensor with strides may occupy more or fewer in the file.
  package internal(set) var byteCount: Int
  /// The distance between neighbours along each dimension, in elements, or nil for a row-major tensor without gaps.
  package internal(set) var strides: [Int]?
  /// The offset in the file of the f32 scales s of its outermost rows, for 8-bit integers q that represent q·s.
  package internal(set) var scaleOffset: Int?
  /// The scale s of all values, for stored numbers q that represent q·s.
  package internal(set) var uniformScale: Float?
  /// The name of another program's format whose values are no products with a scale, and which is not computed with.
  package internal(set) var foreignFormat: String?
  /// Whether a native model says that values were rounded when it was made.
  var isRounded: Bool
  /// The SHA-256 of the bytes, and of the scales, where the file lists them.
  var sha256: String?, scalesSha256: String?
  /// The order of the stored numbers.
  let layout: WeightLayout
  /// The precision to which inputs are rounded before multiplication, where a native model specifies it.
  let activations: InputPrecision

  init(
    name: String, type: ElementType, shape: Shape, file: InputFile, offset: Int, byteCount: Int,
    strides: [Int]? = nil, storedName: String? = nil, scaleOffset: Int? = nil,
    uniformScale: Float? = nil, isRounded: Bool = false,
    sha256: String? = nil,
    scalesSha256: String? = nil,
    layout: WeightLayout = .rowMajor, activations: InputPrecision = .float32, blocks: BlockFormat? = nil
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
    self.uniformScale = uniformScale
    self.isRounded = isRounded
    self.sha256 = sha256
    self.scalesSha256 = scalesSha256
    self.layout = layout
    self.activations = activations
    self.blocks = blocks
  }

  /// The common name of the stored type.
  package var typeName: String { foreignFormat ?? blocks?.rawValue ?? type.rawValue }

  /// Returns the number of values that a number of stored bytes holds.
  func valueCount(ofBytes count: Int) -> Int {
    blocks.map { count / $0.byteCount * $0.valueCount } ?? count / type.size
  }

  /// Returns the number of stored bytes of a number of values, of whole blocks.
  func byteCount(ofValues count: Int) -> Int {
    blocks.map { count / $0.valueCount * $0.byteCount } ?? count * type.size
  }

  /// The narrowest type of a native model that holds every value, or nil when the element type cannot be used in
  /// computation.
  var weightType: WeightType? {
    if foreignFormat != nil { return nil }
    // One scale of a whole matrix is that of each of its rows.
    if type == .i8, scaleOffset != nil || uniformScale != nil && shape.count >= 2 && strides == nil {
      return .int8
    }
    if uniformScale != nil || blocks != nil { return .f32 }
    // A number of three or two bits after the first, and of few exponents.
    return type.isFloat8 ? .bf16 : WeightType(keeping: type)
  }

  /// Whether the bytes are those of a type of a native model.
  func isStored(as other: WeightType) -> Bool {
    weightType == other && (uniformScale == nil || other == .int8) && blocks == nil && !type.isFloat8
  }

  /// Reads the scales of the outermost rows of quantized values, and checks their hash and that the values are finite
  /// with them; empty for a tensor without scales.
  func scales() throws -> [Float] {
    if weightType == .int8, let uniformScale {
      return [Float](repeating: uniformScale, count: shape.first ?? 1)
    }
    guard let scaleOffset else { return [] }
    var scales = [Float](repeating: 0, count: shape.first ?? 1)
    try scales.withUnsafeMutableBytes { try file.read(at: scaleOffset, into: $0) }
    try requireHash(scalesSha256, scales.withUnsafeBytes { Digest.sha256($0) }, of: "scales")
    guard scales.allSatisfy({ ($0 * 127).isFinite }) else {
      throw malformed(
        "tensor \(quoted(name)) is damaged", file.path, "a scale of it is no number, or too large")
    }
    return scales
  }

  /// Throws when a hash is listed and differs from that of the bytes that were read.
  func requireHash(_ listed: String?, _ found: @autoclosure () -> String, of part: String) throws {
    guard let listed else { return }
    let found = found()
    guard found == listed else {
      throw malformed(
        "tensor \(quoted(name)) is damaged", file.path,
        "the SHA-256 of its \(part) is \(found), not \(listed)",
        "Copy or convert the model again.")
    }
  }
}
