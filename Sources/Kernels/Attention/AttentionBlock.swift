import CDNNL
import Tensors

/// A run of queries and the keys that it sees: always the first `keys` ones.
///
/// A causal mask, which lets each token see no later one, over tokens sorted by time is a list of such blocks; excluded
/// scores are never computed.
package struct AttentionBlock: Equatable, Sendable {
  /// The rows of the queries.
  package let queries: Range<Int>
  /// The number of keys that the queries see, counted from the first.
  package let keys: Int

  /// Creates a block.
  package init(queries: Range<Int>, keys: Int) {
    self.queries = queries
    self.keys = keys
  }
}
