import Tensors

/// A region of a clip: values [frames, rows, columns, channels] and the position of their first pixel.
package struct ClipRegion {
  /// The values.
  package let values: Tensor
  /// The row and the column of the first pixel.
  package let top: Int, left: Int

  /// Calls a function with every line of pixels: its range in the values, and its range in a clip of the given shape.
  package func forEachLine(of clip: Shape, _ body: (_ here: Range<Int>, _ there: Range<Int>) -> Void) {
    let (height, count) = (values.shape[1], values.shape[2] * values.shape[3])
    for line in 0..<values.shape[0] * height {
      let (frame, row) = line.quotientAndRemainder(dividingBy: height)
      let place = ((frame * clip[1] + top + row) * clip[2] + left) * clip[3]
      body(line * count..<(line + 1) * count, place..<place + count)
    }
  }
}
