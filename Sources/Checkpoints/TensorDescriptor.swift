import JSON
import Tensors

/// A tensor in a weights file of any format: what it is and where its bytes lie.
///
/// Readers hand these out only after the whole file was validated: the range lies in the file, has exactly the
/// length that shape and type demand, and overlaps no other.
public struct TensorDescriptor {
  /// The name as it stands in the file.
  public let name: String
  /// The stored type.
  public let type: ElementType
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The file that holds the bytes.
  public let file: SourceFile
  /// Where they start in the file.
  public let offset: Int
  /// How many there are.
  public let byteCount: Int
}

/// The opened weights of one component, whatever files they were spread over.
public struct WeightFiles {
  /// The files in the order they were named.
  public let files: [SourceFile]
  /// All tensors, sorted by name.
  public let tensors: [TensorDescriptor]
}

/// Errors about weights files in the words of this library.
func malformed(_ what: String, _ subject: String, _ why: String, _ remedies: String...) -> BenbenError {
  BenbenError(.malformed, what, at: subject, because: why, remedies: remedies)
}
