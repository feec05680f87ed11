import Tensors

/// An observer of the outputs of a model's modules, which are named as in the official implementation.
package protocol ActivationObserver: AnyObject {
  /// Receives one output of a module: one tensor [rows, width] per sample, valid only during the call.
  ///
  /// An error thrown here ends the model's call.
  func observe(module: String, output: Int, stream: ObservedStream, samples: [Tensor]) throws
}
