import JSON
import Tensors

/// Which tensor of one collection is compared with which of another.
///
/// Tensors of components are matched by component and name. A single file has no component's name, and programs put a prefix
/// before its tensors': of the other side's components, the one with most tensors of the file's names and shapes is taken, then
/// the next for what is left.
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
      let partners = Dictionary(second.map { ($0.path, $0) }) { first, _ in first }
      let paths = Set(first.map(\.path))
      self.init(
        pairs: first.map { ($0, partners[$0.path]) },
        onlyInSecond: second.filter { !paths.contains($0.path) }, remarks: [])
      return
    }
    // The file, or the second of two, is looked for in the other side.
    let (file, other) = isFile[1] ? (second, first) : (first, second)
    let matches = Matches(file, in: other)
    let (name, place) = isFile[1] ? ("B", "A") : ("A", "B")
    let remarks = matches.remarks(file: name, other: place, count: Set(other.map(\.component)).count)
    // What the other side has besides the file's components is not missing from it.
    let part =
      matches.fits.isEmpty ? other : other.filter { item in matches.components.contains(item.component) }
    if isFile[1] {
      let partners = Dictionary(
        matches.partners.compactMap { name, item in matches.file[name].map { (item.path, $0) } }
      ) { first, _ in first }
      self.init(
        pairs: part.map { ($0, partners[$0.path]) },
        onlyInSecond: second.filter { matches.partners[$0.name] == nil }, remarks: remarks)
    } else {
      let found = Set(matches.partners.values.map(\.path))
      self.init(
        pairs: first.map { ($0, matches.partners[$0.name]) },
        onlyInSecond: part.filter { !found.contains($0.path) }, remarks: remarks)
    }
  }

  private init(pairs: [(first: Item, second: Item?)], onlyInSecond: [Item], remarks: [String]) {
    (self.pairs, self.onlyInSecond, self.remarks) = (pairs, onlyInSecond, remarks)
  }

  /// Which components of another side the tensors of a file are.
  private struct Matches {
    /// The file's tensors by name.
    let file: [String: Item]
    /// The other side's, by the names of the file's.
    private(set) var partners: [String: Item] = [:]
    /// The components that were found, in the order of how much of the file they are.
    private(set) var fits: [Fit] = []
    var components: Set<String> { Set(fits.map(\.component)) }

    init(_ file: [Item], in other: [Item]) {
      self.file = Dictionary(file.map { ($0.name, $0) }) { first, _ in first }
      var components = Dictionary(grouping: other, by: \.component)
      var left = file
      while let best = components.map({ Fit(left, in: $0.value, of: $0.key) })
        .max(by: { ($0.shapes, $0.names, $1.component) < ($1.shapes, $1.names, $0.component) }),
        // A few names that two kinds of model share are no second component.
        best.names > 0, fits.isEmpty || 2 * best.shapes >= components[best.component]?.count ?? 0
      {
        let names = Dictionary(
          (components.removeValue(forKey: best.component) ?? []).compactMap { item in
            item.name.after(best.otherPrefix).map { ($0, item) }
          }
        ) { first, _ in first }
        for item in left {
          if let name = item.name.after(best.prefix), let partner = names[name] {
            partners[item.name] = partner
          }
        }
        left.removeAll { partners[$0.name] != nil }
        fits.append(best)
      }
    }

    func remarks(file name: String, other place: String, count: Int) -> [String] {
      var remarks: [String] = []
      if count > 1, !fits.isEmpty {
        remarks.append(
          "\(name) is compared with \(fits.map(\.component).joined(separator: ", ")) of \(place)")
      }
      for fit in fits {
        for (prefix, side) in [(fit.prefix, name), (fit.otherPrefix, place)] where !prefix.isEmpty {
          remarks.append("names in \(side) begin with \(quoted(prefix)), which is passed over")
        }
      }
      return remarks
    }
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
        let partners = Dictionary(
          other.compactMap { item in item.name.after(otherPrefix).map { ($0, item.shape) } }
        ) { first, _ in first }
        let found = file.compactMap { item in
          item.name.after(prefix).flatMap { partners[$0] }.map { $0 == item.shape }
        }
        let agreeing = found.count { $0 }
        guard (agreeing, found.count) > (shapes, names) else { continue }
        (self.prefix, self.otherPrefix, shapes, names) = (prefix, otherPrefix, agreeing, found.count)
      }
    }

    /// Returns what stands before the longest name of some items in the names of others.
    private static func prefixes(of items: [Item], before others: [Item]) -> [String] {
      guard let anchor = others.max(by: { $0.name.utf8.count < $1.name.utf8.count })?.name else { return [] }
      let found = items.filter { $0.name.hasSuffix("." + anchor) }.prefix(maximumPrefixes)
        .map { String($0.name.dropLast(anchor.count)) }
      // Of weights and their moving average, the weights are meant.
      let averages = found.filter(WeightFiles.averagePrefixes.contains)
      return found.filter { !averages.contains($0) } + averages
    }

    private static let maximumPrefixes = 8
  }
}

extension String {
  /// Returns what follows a prefix; nil without it.
  fileprivate func after(_ prefix: String) -> String? {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
  }
}
