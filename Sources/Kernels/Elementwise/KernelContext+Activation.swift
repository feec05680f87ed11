import CDNNL
import Tensors

extension KernelContext {
  /// Applies an activation function to all elements, in place.
  package func apply(_ activation: Activation, to x: Tensor) throws {
    if x.count == 0 { return }
    var layout = try Layout([x.count]).descriptor()
    let primitive = try primitive(.elementwise(activation, count: x.count), "activation") { engine, result in
      let (kind, alpha) = activation.algorithm
      var operation = dnnl_eltwise_desc_t()
      try dnnl(
        dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, kind, &layout, alpha, 0),
        "activation")
      return dnnl_primitive_desc_create(&result, &operation, nil, engine, nil)
    }
    let memory = UnsafeMutableRawPointer(x.elements.baseAddress)
    try execute(
      primitive, [Argument(DNNL_ARG_SRC, layout, memory), Argument(DNNL_ARG_DST, layout, memory)],
      "activation")
  }
}
