import CKernelLoops
import Tensors

/// Normalisations over rows [rows, width] and over channels-last frames.
public enum Normalization {
  /// Layer norm without weights, then ·(1 + scale) + shift, one scale and shift for all rows.
  public static func layerNorm(_ x: Tensor, scale: Tensor?, shift: Tensor?, epsilon: Float) -> Tensor {
    let output = Tensor(x.shape)
    let width = x.shape[1]
    precondition((scale?.count ?? width) == width && (scale == nil) == (shift == nil))
    bb_layer_norm_modulate(
      x.elements.baseAddress, scale?.elements.baseAddress, shift?.elements.baseAddress,
      output.elements.baseAddress,
      x.shape[0], width, epsilon)
    withExtendedLifetime((scale, shift)) {}
    return output
  }

  /// Layer norm with weight and bias (`torch.nn.LayerNorm`).
  public static func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
    let output = Tensor(x.shape)
    precondition(weight.count == x.shape[1] && bias.count == x.shape[1])
    bb_layer_norm_affine(
      x.elements.baseAddress, weight.elements.baseAddress, bias.elements.baseAddress,
      output.elements.baseAddress,
      x.shape[0], x.shape[1], epsilon)
    return output
  }

  /// Root-mean-square norm of every row, or of every run of `weight.count` elements in a row (one a head).
  public static func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor {
    let output = Tensor(x.shape)
    precondition(x.count % weight.count == 0)
    bb_rms_norm(
      x.elements.baseAddress, weight.elements.baseAddress, output.elements.baseAddress,
      x.count / weight.count,
      weight.count, epsilon)
    return output
  }

  /// Group norm of every frame by itself (`CausalGroupNorm`): x is [time, height, width, channels].
  ///
  /// - Parameter activates: whether SiLU follows; fused, so that the frames are not read and written once more.
  public static func groupNorm(
    _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, activates: Bool
  ) -> Tensor {
    let (frames, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    precondition(weight.count == channels && bias.count == channels && channels % groups == 0)
    let output = Tensor(x.shape)
    parallelFor(frames) { frame in
      let input = x.rows(frame..<frame + 1).elements.baseAddress
      var sum = [Double](repeating: 0, count: channels)
      var square = sum
      bb_channel_moments(input, pixels, channels, &sum, &square)
      var scale = [Float](repeating: 0, count: channels)
      var shift = scale
      let perGroup = channels / groups
      for group in 0..<groups {
        let members = group * perGroup..<(group + 1) * perGroup
        let count = Double(perGroup * pixels)
        let mean = members.reduce(0) { $0 + sum[$1] } / count
        let variance = max(0, members.reduce(0) { $0 + square[$1] } / count - mean * mean)
        let inverse = 1 / (variance + Double(epsilon)).squareRoot()
        for channel in members {
          scale[channel] = Float(inverse * Double(weight.elements[channel]))
          shift[channel] = Float(
            Double(bias.elements[channel]) - mean * inverse * Double(weight.elements[channel]))
        }
      }
      let target = output.rows(frame..<frame + 1).elements.baseAddress
      if activates {
        bb_channel_affine_silu(input, scale, shift, target, pixels, channels)
      } else {
        bb_channel_affine(input, scale, shift, target, pixels, channels)
      }
    }
    return output
  }
}

/// Rotary position embedding over adjacent pairs.
public enum RotaryEmbedding {
  /// Rotates x [tokens, heads·headDim] in place by the angles [tokens, headDim/2].
  public static func rotate(_ x: Tensor, cosines: Tensor, sines: Tensor, heads: Int) {
    let tokens = x.shape[0]
    let headDim = x.shape[1] / heads
    precondition(cosines.shape == [tokens, headDim / 2] && sines.shape == cosines.shape)
    bb_rotate_pairs(
      x.elements.baseAddress, cosines.elements.baseAddress, sines.elements.baseAddress, tokens, heads, headDim
    )
  }
}

/// Elementwise sums of tensors.
public enum Elementwise {
  /// output = output + gate ⊙ x, the gate being one row for all rows.
  static func add(_ x: Tensor, gatedBy gate: Tensor, to output: Tensor) {
    precondition(x.shape == output.shape && gate.count == x.shape[1])
    bb_add_gated(
      x.elements.baseAddress, gate.elements.baseAddress, output.elements.baseAddress, x.shape[0], x.shape[1])
  }

  /// output = output ⊙ factor.
  static func multiply(_ output: Tensor, by factor: Tensor) {
    precondition(output.shape == factor.shape)
    bb_multiply(factor.elements.baseAddress, output.elements.baseAddress, output.count)
  }

  /// output = output + x.
  static func add(_ x: Tensor, to output: Tensor) {
    precondition(x.shape == output.shape)
    bb_linear_combination(
      x.elements.baseAddress, 1, output.elements.baseAddress, 1, output.elements.baseAddress, x.count)
  }

  /// a·x + b·y.
  public static func combine(_ x: Tensor, _ a: Float, _ y: Tensor, _ b: Float) -> Tensor {
    precondition(x.shape == y.shape)
    let output = Tensor(x.shape)
    bb_linear_combination(
      x.elements.baseAddress, a, y.elements.baseAddress, b, output.elements.baseAddress, x.count)
    return output
  }
}
