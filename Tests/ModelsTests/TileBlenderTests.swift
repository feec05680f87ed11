import Tensors
import TestSupport
import Testing

@testable import Models

struct TileBlenderTests {
  /// A frame that is cut into overlapping tiles comes back from them as it was.
  @Test(arguments: [(24, 40), (16, 16), (17, 33), (32, 24)])
  func tilesOfOneFrameGiveIt(height: Int, width: Int) {
    let (size, step, blend) = (16, 12, 4)
    var random = Randomness(seed: 1)
    let frame = random.tensor([2, height, width, 3])
    let result = Tensor.zeros(frame.shape)
    var blender = TileBlender(step: step, blend: blend)
    for y in stride(from: 0, to: height, by: step) {
      for x in stride(from: 0, to: width, by: step) {
        let tile = frame.cropped(y..<min(y + size, height), x..<min(x + size, width))
        result.place(blender.add(tile, isFirstInRow: x == 0))
      }
    }
    #expect(nmse(result.array, frame.array) < 1e-13)
  }

  /// In the overlap, weights go from the left tile to the right one.
  @Test func blendsFromLeftToRight() {
    var blender = TileBlender(step: 4, blend: 4)
    let dark = Tensor.zeros([1, 1, 8, 1])
    let light = Tensor([1, 1, 4, 1], [1, 1, 1, 1])
    _ = blender.add(dark, isFirstInRow: true)
    let region = blender.add(light, isFirstInRow: false)
    #expect((region.top, region.left) == (0, 4))
    #expect(region.values.array == [0, 0.25, 0.5, 0.75])
  }
}
