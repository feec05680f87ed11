import CKernelLoops
import Tensors

/// How a product reads its input.
enum InputRounding: Hashable {
  /// In f32.
  case wide
  /// Rounded to bf16.
  case bfloat16
  /// In 8 bits with a zero point of 128, the largest of each row being 127.
  case bytes
  /// In two rows of 8 bits with a zero point of 128, the high halves and the low halves, the largest of each row being
  /// 127·256 + 127.
  case halves
  /// In 16 bits, the largest of each row being 32767.
  case words
}

/// Rows of an input, rounded as a product reads them; threads set different rows at once.
final class RoundedRows {
  let rounding: InputRounding
  /// The number of rows that the product has for each of the input's.
  let parts: Int
  /// The distance between two rows of the product, in numbers; zeros fill each row of 16-bit numbers.
  let stride: Int
  private let features: Int
  private let bytes: ScratchBuffer<UInt8>, words: ScratchBuffer<UInt16>
  private let factors: ScratchBuffer<Float>

  init(_ rounding: InputRounding, rows: Int, features: Int) {
    self.rounding = rounding
    self.features = features
    parts = rounding == .halves ? 2 : 1
    stride = rounding == .words ? features.roundedUp(to: 4) : features
    let isInBytes = rounding == .bytes || rounding == .halves
    bytes = ScratchBuffer(count: isInBytes ? parts * rows * stride : 0)
    words = ScratchBuffer(count: rounding == .words || rounding == .bfloat16 ? rows * stride : 0)
    factors = ScratchBuffer(count: rounding == .bfloat16 ? 0 : rows)
  }

  /// The scale of each of the input's rows; that of a row which contains NaN or infinity is NaN.
  var scales: UnsafePointer<Float> { UnsafePointer(factors.base) }
  /// Numbers in 8 bits, [rows, parts, features].
  var unsigned8: UnsafePointer<UInt8> { UnsafePointer(bytes.base) }
  /// Numbers in 16 bits, [rows, stride].
  var signed16: UnsafePointer<Int16> {
    UnsafeRawPointer(words.base).assumingMemoryBound(to: Int16.self)
  }
  /// Numbers in bf16, [rows, features].
  var bfloat16: UnsafeRawPointer { UnsafeRawPointer(words.base) }

  /// Sets a row to numbers that come in pieces.
  func set(_ row: Int, to pieces: [UnsafeBufferPointer<Float>]) {
    let limit: Float =
      switch rounding {
      case .wide, .bfloat16: 0
      case .bytes: 127
      case .halves: 127 * 256 + 127
      case .words: Float(Int16.max)
      }
    let inverse = limit > 0 ? scale(row, pieces, limit: limit) : 1
    precondition(pieces.reduce(0) { $0 + $1.count } == features)
    var column = row * parts * stride
    for piece in pieces {
      let (source, count) = (piece.baseAddress, piece.count)
      switch rounding {
      case .wide: preconditionFailure("rows in f32 are not rounded")
      case .bfloat16: bb_round_bfloat16(source, words.base + column, count)
      case .bytes: bb_quantize(source, inverse, bytes.base + column, count)
      case .halves:
        bb_quantize_halves(source, inverse, bytes.base + column, bytes.base + column + features, count)
      case .words:
        let target = UnsafeMutableRawPointer(words.base + column).assumingMemoryBound(to: Int16.self)
        bb_quantize_words(source, inverse, target, count)
      }
      column += count
    }
    if stride > features { (words.base + column).update(repeating: 0, count: stride - features) }
  }

  /// Stores the scale with which the largest value of a row becomes `limit`, and returns its inverse.
  private func scale(_ row: Int, _ pieces: [UnsafeBufferPointer<Float>], limit: Float) -> Float {
    let bits = pieces.reduce(0) { max($0, bb_largest_magnitude($1.baseAddress, $1.count)) }
    let largest = Float(bitPattern: bits)
    factors.base[row] = largest.isFinite ? largest / limit : .nan
    // For activations, rows near the smallest f32 numbers are as good as zero.
    return largest.isFinite && largest > 0x1p-110 ? limit / largest : 0
  }
}
