import CKernelLoops
import Tensors

/// Normalisations of rows [rows, width] and of channels-last frames.
package enum Normalization {
  /// Applies layer norm without weights, then ·(1 + scale) + shift, with one scale and shift for all rows.
  package static func layerNorm(
    _ x: Tensor, scale: Tensor?, shift: Tensor?, epsilon: Float, into output: Tensor
  ) {
    let width = x.shape[1]
    precondition(
      output.shape == x.shape && (scale?.count ?? width) == width && (scale == nil) == (shift == nil))
    parallelRows(x.shape[0]) { rows in
      bb_layer_norm_modulate(
        x.pointer(row: rows.lowerBound), scale?.elements.baseAddress, shift?.elements.baseAddress,
        output.pointer(row: rows.lowerBound), rows.count, width, epsilon)
    }
    withExtendedLifetime((scale, shift)) {}
  }

  /// Applies layer norm and modulation as ``layerNorm(_:scale:shift:epsilon:into:)`` does, into rows of an input.
  package static func layerNorm(
    _ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float, into target: LinearInput.Target
  ) {
    switch target {
    case .tensor(let output): layerNorm(x, scale: scale, shift: shift, epsilon: epsilon, into: output)
    case .rounded(let input, let first):
      let width = x.shape[1]
      precondition(scale.count == width && shift.count == width)
      parallelRows(x.shape[0]) { rows in
        ScratchBuffer<Float>().with(count: width) { normed in
          for row in rows {
            bb_layer_norm_modulate(
              x.pointer(row: row), scale.elements.baseAddress, shift.elements.baseAddress,
              normed.baseAddress, 1, width, epsilon)
            input.set(first + row, to: UnsafeBufferPointer(normed))
          }
        }
      }
      withExtendedLifetime((scale, shift)) {}
    }
  }

  /// Applies layer norm with weight and bias (`torch.nn.LayerNorm`).
  package static func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
    let output = Tensor(x.shape)
    precondition(weight.count == x.shape[1] && bias.count == x.shape[1])
    parallelRows(x.shape[0]) { rows in
      bb_layer_norm_affine(
        x.pointer(row: rows.lowerBound), weight.elements.baseAddress, bias.elements.baseAddress,
        output.pointer(row: rows.lowerBound), rows.count, x.shape[1], epsilon)
    }
    return output
  }

  /// Applies root-mean-square norm to every row.
  package static func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor {
    precondition(x.shape.count == 2 && x.shape[1] == weight.count)
    let output = Tensor(x.shape)
    parallelRows(x.shape[0]) { rows in
      bb_rms_norm(
        x.pointer(row: rows.lowerBound), weight.elements.baseAddress, output.pointer(row: rows.lowerBound),
        rows.count, weight.count, epsilon)
    }
    return output
  }

  /// Applies group norm to every frame separately (`CausalGroupNorm`): x is [time, height, width, channels].
  ///
  /// - Parameter activates: whether SiLU follows; it is fused, which saves another pass over the frames.
  package static func groupNorm(
    _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, activates: Bool
  ) -> Tensor {
    let (frames, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    precondition(weight.count == channels && bias.count == channels && channels % groups == 0)
    let output = Tensor(x.shape)
    // Parts of a frame are summed in parallel; they are fixed, so the number of threads does not change the result.
    let parts = min(16, max(pixels, 1))
    var moments = [Double](repeating: 0, count: 2 * parts * channels)
    for frame in 0..<frames {
      let input = x.rows(frame..<frame + 1).elements.baseAddress
      moments.withUnsafeMutableBufferPointer { moments in
        moments.update(repeating: 0)
        let sums = moments.baseAddress
        parallelFor(parts) { part in
          let (start, end) = (pixels * part / parts, pixels * (part + 1) / parts)
          bb_channel_moments(
            input.map { $0 + start * channels }, end - start, channels, sums.map { $0 + 2 * part * channels },
            sums.map { $0 + (2 * part + 1) * channels })
        }
      }
      var sum = [Double](repeating: 0, count: channels)
      var square = sum
      for part in 0..<parts {
        for channel in 0..<channels {
          sum[channel] += moments[2 * part * channels + channel]
          square[channel] += moments[(2 * part + 1) * channels + channel]
        }
      }
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
      let apply = activates ? bb_channel_affine_silu : bb_channel_affine
      scale.withUnsafeBufferPointer { scale in
        shift.withUnsafeBufferPointer { shift in
          parallelRows(pixels) { rows in
            let start = rows.lowerBound * channels
            apply(
              input.map { $0 + start }, scale.baseAddress, shift.baseAddress, target.map { $0 + start },
              rows.count, channels)
          }
        }
      }
    }
    return output
  }
}
