import CDNNL
import CKernelLoops
import Tensors

extension Weight {
  /// Returns the sum of every row of an 8-bit weight; an input's zero point of 128 adds 128 times that sum.
  func rowSums() -> [Int32] {
    withQuantized { values, scales in
      [Int32](unsafeUninitializedCapacity: scales.count) { sums, count in
        count = scales.count
        let (start, output, columns) = (values.baseAddress, sums.baseAddress, rowLength)
        let unit = layout == .blocked ? WeightLayout.blockSize : 1
        parallelRows(count / unit) { part in
          let first = part.lowerBound * unit
          (layout == .blocked ? bb_sum_blocked_rows : bb_sum_rows)(
            start.map { $0 + first * columns }, part.count, columns, output.map { $0 + first })
        }
      }
    }
  }
}
