import CDNNL
import Tensors

/// Which keys a run of queries sees: always the first `keys` ones.
///
/// A mask that lets each token see what is not later in time, over tokens sorted by time, is a list of such blocks;
/// what it excludes is never computed.
public struct AttentionBlock: Equatable, Sendable {
  /// The rows of the queries.
  public let queries: Range<Int>
  /// How many keys, from the first on, they see.
  public let keys: Int

  /// A block.
  public init(queries: Range<Int>, keys: Int) {
    self.queries = queries
    self.keys = keys
  }
}
