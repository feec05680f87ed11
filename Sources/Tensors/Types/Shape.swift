/// A shape, outermost dimension first.
public typealias Shape = [Int]

extension Shape {
  /// The number of elements, or nil when a dimension is negative or the product, even beside a zero, is more than memory can
  /// hold: products of dimensions and sizes of types cannot overflow then.
  public var checkedElementCount: Int? {
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

  /// The number of bytes of this many elements of a type, or nil on overflow.
  public func checkedByteCount(of type: ElementType) -> Int? {
    guard let count = checkedElementCount else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    return overflow ? nil : bytes
  }

  /// As people write shapes: `2×16×8`.
  public var text: String { isEmpty ? "scalar" : map(String.init).joined(separator: "×") }
}
