import Tensors

/// Receives the outputs of a model's modules, named as in the official implementation.
package protocol ActivationObserver: AnyObject {
  /// Receives one output of a module, one tensor [rows, width] a sample, valid during the call only.
  ///
  /// What it throws ends the call of the model.
  func observe(module: String, output: Int, stream: ObservedStream, samples: [Tensor]) throws
}
