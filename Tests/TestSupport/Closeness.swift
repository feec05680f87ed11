import Tensors

/// How close results must be, as a function of the type that they were computed in.
package func tolerance(of type: ElementType) -> Double {
  switch type {
  case .f32: 1e-12
  case .f16: 1e-6
  case .bf16: 1e-4
  default: 1e-3
  }
}

/// The normalised mean squared error of values against a reference.
package func nmse(_ values: some Collection<Float>, _ reference: some Collection<Float>) -> Double {
  ErrorMetrics(values, reference: reference).nmse
}
