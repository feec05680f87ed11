import CDNNL
import CKernelLoops
import Files
import Tensors

/// Throws unless a oneDNN status is success; the only place where a status becomes an error.
func dnnl(_ status: dnnl_status_t, _ operation: String) throws {
  if status == dnnl_success { return }
  let why =
    switch status {
    case dnnl_out_of_memory: "out of memory"
    case dnnl_invalid_arguments: "invalid arguments"
    case dnnl_unimplemented: "not implemented for these shapes"
    default: "status \(status.rawValue)"
    }
  throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: why)
}
