/// A shape, outermost dimension first.
public typealias Shape = [Int]

extension Shape {
  /// The number of elements, or nil if a dimension is negative or the product of the nonzero dimensions exceeds what
  /// memory can hold, so that multiplying dimensions and element sizes cannot overflow.
  package var checkedElementCount: Int? {
    var count = 1
    var hasZero = false
    for dimension in self {
      if dimension < 0 { return nil }
      if dimension == 0 {
        hasZero = true
        continue
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      if overflow || product > Int.max / 16 { return nil }
      count = product
    }
    return hasZero ? 0 : count
  }

  /// Returns the size in bytes of this many elements of a type, or nil on overflow, and when they fill no whole bytes.
  package func checkedByteCount(of type: ElementType) -> Int? {
    guard let count = checkedElementCount else { return nil }
    let (bits, overflow) = count.multipliedReportingOverflow(by: type.bitCount)
    return overflow || !bits.isMultiple(of: 8) ? nil : bits / 8
  }

  /// The shape in common notation: `2×16×8`.
  package var text: String { isEmpty ? "scalar" : map(String.init).joined(separator: "×") }
}
