import JSON
import Tensors

/// Which tensor of one collection is compared with which of another.
///
/// Tensors of components are matched by component and name. A single file has no component's name, and programs put a prefix
/// before its tensors': of the other side's components, the one with most tensors of the file's names and shapes is taken.
struct WeightPairing {
  typealias Item = WeightCollection.Item

  /// The tensors of the first, in its order, each with the one that the other has under its name.
  let pairs: [(first: Item, second: Item?)]
  /// The tensors that only the second has.
  let onlyInSecond: [Item]
  /// What was taken for what, a sentence each.
  let remarks: [String]

  init(_ first: [Item], _ second: [Item]) {
    let isFile = [first, second].map { $0.contains { $0.component.isEmpty } }
    guard isFile[0] || isFile[1] else {
      self.init(first, second, key: { $0.path }, otherKey: { $0.path }, remarks: [])
      return
    }
    // The file, or the second of two, is looked for in the other side.
    let (file, other) = isFile[1] ? (second, first) : (first, second)
    let components = Dictionary(grouping: other, by: \.component).sorted { $0.key < $1.key }
    let fits = components.map { Fit(file, in: $0.value, of: $0.key) }
    guard let best = fits.max(by: { ($0.shapes, $0.names) < ($1.shapes, $1.names) }), best.names > 0 else {
      self.init(first, second, key: { $0.name }, otherKey: { $0.name }, remarks: [])
      return
    }
    let (name, place) = isFile[1] ? ("B", "A") : ("A", "B")
    var remarks: [String] = []
    if components.count > 1 { remarks.append("\(name) is compared with \(best.component) of \(place)") }
    for (prefix, side) in [(best.prefix, name), (best.otherPrefix, place)] where !prefix.isEmpty {
      remarks.append("names in \(side) begin with \(quoted(prefix)), which is passed over")
    }
    let part = other.filter { $0.component == best.component }
    let keys = (
      { (item: Item) in Self.dropping(best.prefix, from: item.name) },
      { (item: Item) in Self.dropping(best.otherPrefix, from: item.name) }
    )
    if isFile[1] {
      self.init(part, second, key: keys.1, otherKey: keys.0, remarks: remarks)
    } else {
      self.init(first, part, key: keys.0, otherKey: keys.1, remarks: remarks)
    }
  }

  private init(
    _ first: [Item], _ second: [Item], key: (Item) -> String, otherKey: (Item) -> String, remarks: [String]
  ) {
    let partners = Dictionary(second.map { (otherKey($0), $0) }) { first, _ in first }
    let names = Set(first.map(key))
    pairs = first.map { ($0, partners[key($0)]) }
    onlyInSecond = second.filter { !names.contains(otherKey($0)) }
    self.remarks = remarks
  }

  private static func dropping(_ prefix: String, from name: String) -> String {
    name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
  }

  /// How a file fits a component: the prefixes of either side's names, and how many names, with and without their shapes, agree
  /// without them.
  private struct Fit {
    let component: String
    var prefix = "", otherPrefix = ""
    var shapes = 0, names = 0

    init(_ file: [Item], in other: [Item], of component: String) {
      self.component = component
      let candidates =
        [("", "")] + Self.prefixes(of: file, before: other).map { ($0, "") }
        + Self.prefixes(of: other, before: file).map { ("", $0) }
      for (prefix, otherPrefix) in candidates {
        let partners = Dictionary(other.map { (dropping(otherPrefix, from: $0.name), $0.shape) }) {
          first, _ in first
        }
        let found = file.compactMap { item in
          partners[dropping(prefix, from: item.name)].map { $0 == item.shape }
        }
        let agreeing = found.count { $0 }
        guard (agreeing, found.count) > (shapes, names) else { continue }
        (self.prefix, self.otherPrefix, shapes, names) = (prefix, otherPrefix, agreeing, found.count)
      }
    }

    /// Returns what stands before the longest name of some items in the names of others.
    private static func prefixes(of items: [Item], before others: [Item]) -> [String] {
      guard let anchor = others.max(by: { $0.name.utf8.count < $1.name.utf8.count })?.name else { return [] }
      return items.filter { $0.name.hasSuffix("." + anchor) }.prefix(maximumPrefixes)
        .map { String($0.name.dropLast(anchor.count)) }
    }

    private static let maximumPrefixes = 8
  }
}
