import CDNNL
import Tensors

extension KernelContext {
  /// Applies an activation function to all elements, in place.
  package func apply(_ activation: Activation, to x: Tensor) throws {
    if x.count == 0 { return }
    let layout = try Layout([x.count]).descriptor()
    let primitive = try primitive(.elementwise(activation, count: x.count), "activation") { engine, result in
      let (kind, alpha) = activation.algorithm
      return bb_elementwise_create(&result, engine, layout.handle, kind, alpha)
    }
    let memory = UnsafeMutableRawPointer(x.elements.baseAddress)
    try execute(
      primitive, [Argument(DNNL_ARG_SRC, layout, memory), Argument(DNNL_ARG_DST, layout, memory)],
      "activation")
  }
}
