import Foundation
import Tensors

/// A clip's extents in tokens.
struct ClipExtents: Equatable {
  let frames: Int, height: Int, width: Int

  var tokensPerFrame: Int { height * width }
  var tokenCount: Int { frames * tokensPerFrame }
}
