import Foundation
import Testing

@testable import Tensors

struct TensorTests {
  @Test func countsShapesWithoutOverflow() {
    #expect([2, 3, 4].checkedElementCount == 24)
    #expect(Shape().checkedElementCount == 1)
    #expect([0, 5].checkedElementCount == 0)
    #expect([-1, 5].checkedElementCount == nil)
    #expect([Int.max, 2].checkedElementCount == nil)
    #expect([0, Int.max, 2].checkedElementCount == nil)
    #expect([Int.max / 2].checkedByteCount(of: .f32) == nil)
    // Bytes of a row are counted beside a zero, too.
    #expect([0, 1 << 62].checkedByteCount(of: .f32) == nil)
    #expect([1 << 62, 0].checkedByteCount(of: .i8) == nil)
  }

  @Test func measuresErrors() {
    let metrics = ErrorMetrics([1, 2, 3.5], reference: [1, 2, 3])
    #expect(metrics.nmse == 0.25 / 14)
    #expect(metrics.maxAbs == 0.5)
    #expect(ErrorMetrics([1], reference: [1]).nmse == 0)
    #expect(ErrorMetrics([1], reference: [0]).nmse == .infinity)
    #expect(ErrorMetrics([.nan], reference: [1]).nmse == .infinity)
    #expect(ErrorMetrics([.nan], reference: [.nan]).nmse == .infinity)
    #expect(ErrorMetrics([.infinity], reference: [.infinity]).nmse == .infinity)
  }

  @Test func viewsShareElements() {
    let tensor = Tensor([3, 2], (0..<6).map(Float.init))
    let row = tensor.rows(1..<2)
    row.elements[0] = 42
    #expect(tensor.array == [0, 1, 42, 3, 4, 5])
    #expect(Tensor.concatenated([row, tensor.rows(0..<1)]).array == [42, 3, 0, 1])
  }
}
