import CBuild
import Kernels

/// The Benben library.
public enum Benben {
  /// The version, by semantic versioning.
  public static let version = "0.2.0"

  /// The commit that the library was built from, if whoever built it set `BENBEN_COMMIT`.
  public static var commit: String? {
    let commit = String(cString: bb_build_commit)
    return commit.isEmpty ? nil : commit
  }

  /// The library that computes products, with its version, such as `oneDNN 2.6.3`.
  public static var mathLibrary: String { MathLibrary.name }

  /// The instruction set that products are computed with on this processor, such as `AVX2`.
  public static var instructionSet: String { MathLibrary.instructionSet }
}
