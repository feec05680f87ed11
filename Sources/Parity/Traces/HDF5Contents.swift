import CHDF5
import Files
import Foundation
import JSON
import Tensors

/// The contents of an untrusted HDF5 file, with every object checked: hard links only, values inside the file, known
/// filters, sizes that the file can account for.
struct HDF5Contents: Sendable {
  enum Entry: Sendable {
    case group
    case dataset(Shape)

    /// What a dataset takes in memory as f32, in bytes.
    var byteCount: Int {
      guard case .dataset(let shape) = self else { return 0 }
      return 4 * (shape.checkedElementCount ?? 0)
    }
  }

  /// All objects by their full names.
  private(set) var entries: [String: Entry] = [:]
  /// The names in each group, by the group's full name; the root's is empty.
  private(set) var childNames: [String: [String]] = [:]
  private let path: String
  private let fileSize: Int
  /// The identities of all objects, to refuse cycles and link bombs.
  private var seen: Set<UInt64> = []
  /// What all datasets together declare and have stored, in bytes.
  private var total = (declared: 0, stored: 0)

  private static let maximumDepth = 16
  private static let maximumEntries = 100_000
  private static let maximumElements = 1 << 30
  private static let maximumNameLength = 255
  /// The largest element in bytes: no type of a trace is wider.
  private static let maximumElementSize = 8
  /// The least size of a chunk that is refused where its dataset is smaller, in bytes.
  private static let ordinaryChunk = 1 << 23
  /// The largest compression ratio that is accepted: deflate reaches about a thousand at most, so more is a bomb.
  private static let maximumRatio = 1100
  /// The bytes that all datasets together may declare whatever is stored, and the largest multiple of the file's size.
  private static let ordinaryTotal = 1 << 28
  private static let maximumGrowth = 64

  /// Visits every object of a file; called with the library locked.
  init(_ file: hid_t, path: String, fileSize: Int) throws {
    self.path = path
    self.fileSize = fileSize
    try visit(file, prefix: "", depth: 0)
  }

  /// Creates contents from objects that were checked where the file was read.
  init(entries: [String: Entry], path: String) {
    self.entries = entries
    self.path = path
    fileSize = 0
    for name in entries.keys {
      let slash = name.lastIndex(of: "/")
      childNames[slash.map { String(name[..<$0]) } ?? "", default: []].append(
        slash.map { String(name[name.index(after: $0)...]) } ?? name)
    }
  }

  private func fault(_ name: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed golden trace", at: "\(path):/\(name)", because: why)
  }

  private mutating func visit(_ group: hid_t, prefix: String, depth: Int) throws {
    guard depth < Self.maximumDepth else {
      throw fault(prefix, "groups are nested too deeply or form a cycle")
    }
    var info = H5G_info_t()
    guard H5Gget_info(group, &info) >= 0 else { throw fault(prefix, "the group cannot be read") }
    guard info.nlinks <= Self.maximumEntries else { throw fault(prefix, "it has \(info.nlinks) members") }
    for name in try linkNames(group, prefix) {
      let full = prefix.isEmpty ? name : prefix + "/" + name
      let object = try HDF5Handle(
        H5Oopen(group, name, bb_h5p_default()), close: { H5Oclose($0) }, "object", at: path)
      var identity: UInt64 = 0
      guard bb_h5o_identity(object.id, &identity) >= 0, seen.insert(identity).inserted else {
        throw fault(full, "the same object stands under two names")
      }
      childNames[prefix, default: []].append(name)
      switch H5Iget_type(object.id) {
      case H5I_GROUP:
        entries[full] = .group
        try visit(object.id, prefix: full, depth: depth + 1)
      case H5I_DATASET: entries[full] = .dataset(try shape(of: object.id, full))
      default: throw fault(full, "it is neither a group nor a dataset")
      }
      guard entries.count <= Self.maximumEntries else { throw fault(prefix, "too many objects") }
    }
  }

  /// The links of a group as HDF5 hands them out.
  private final class Links {
    var names: [String] = []
    var fault: (name: String, why: String)?

    func add(_ name: UnsafePointer<CChar>, isHard: Bool) -> Bool {
      let length = strnlen(name, maximumNameLength + 1)
      let bytes = UnsafeRawBufferPointer(start: name, count: min(length, maximumNameLength))
      let text = String(validating: bytes, as: UTF8.self)
      // With a slash in its name, a link would be looked for through other links.
      if length > maximumNameLength || text.map({ RelativePath.isName($0) && $0.isStreamSafe }) != true {
        fault = (text ?? "", "a name of a link is too long, or no name")
      } else if let text, !isHard {
        fault = (text, "it is a soft or external link")
      } else if let text {
        names.append(text)
      }
      return fault == nil && names.count <= maximumEntries
    }
  }

  /// Returns the names of a group's links, all of them hard, in one pass.
  private func linkNames(_ group: hid_t, _ prefix: String) throws -> [String] {
    let links = Links()
    let status = withExtendedLifetime(links) {
      bb_h5_each_link(
        group,
        { name, isHard, context in
          guard let name, let context else { return 1 }
          return Unmanaged<Links>.fromOpaque(context).takeUnretainedValue().add(name, isHard: isHard != 0)
            ? 0 : 1
        }, Unmanaged.passUnretained(links).toOpaque())
    }
    if let (name, why) = links.fault { throw fault(prefix.isEmpty ? name : prefix + "/" + name, why) }
    guard status >= 0 else { throw fault(prefix, "the group cannot be read") }
    return links.names
  }

  /// Checks how a dataset is stored, and returns its shape.
  private mutating func shape(of dataset: hid_t, _ name: String) throws -> Shape {
    // Storage is checked first: asking a virtual dataset for its shape already opens other files.
    let properties = try storage(of: dataset, name)
    let space = try HDF5Handle(H5Dget_space(dataset), close: { H5Sclose($0) }, "data space", at: path)
    let rank = H5Sget_simple_extent_ndims(space.id)
    guard 0...8 ~= rank else { throw fault(name, "its rank is \(rank)") }
    var dimensions = [UInt64](repeating: 0, count: max(Int(rank), 1))
    H5Sget_simple_extent_dims(space.id, &dimensions, nil)
    let shape = dimensions.prefix(Int(rank)).map { Int(exactly: $0) ?? -1 }
    guard let count = shape.checkedElementCount, 1...Self.maximumElements ~= count else {
      throw fault(name, "its shape \(dimensions) is empty or too large")
    }
    let type = try HDF5Handle(H5Dget_type(dataset), close: { H5Tclose($0) }, "type", at: path)
    let elementSize = H5Tget_size(type.id)
    guard 1...Self.maximumElementSize ~= elementSize else {
      throw fault(name, "its elements take \(elementSize) bytes")
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: elementSize)
    // Uncompressed values must all be in the file; compressed ones may expand by the most that deflate can do.
    let isChunked = H5Pget_layout(properties.id) == H5D_CHUNKED
    let stored = Int(clamping: H5Dget_storage_size(dataset))
    guard !overflow, stored <= fileSize, isChunked ? bytes / Self.maximumRatio <= stored : bytes == stored
    else {
      throw fault(name, "\(bytes) bytes are declared, \(stored) stored in a file of \(fileSize)")
    }
    total.declared += bytes
    total.stored += stored
    guard total.stored <= fileSize, total.declared <= max(Self.ordinaryTotal, Self.maximumGrowth * fileSize)
    else {
      throw fault(
        name,
        "with those before it, \(total.declared) bytes are declared, \(total.stored) stored in a file of \(fileSize)"
      )
    }
    if isChunked {
      var chunk = [UInt64](repeating: 0, count: 8)
      let chunkRank = H5Pget_chunk(properties.id, 8, &chunk)
      let extents = chunk.prefix(max(0, Int(chunkRank))).map { Int(clamping: $0) }
      guard let elements = extents.checkedElementCount,
        elements <= max(bytes, Self.ordinaryChunk) / elementSize
      else {
        throw fault(name, "its chunks \(extents) are larger than itself")
      }
    }
    return shape
  }

  /// Checks that a dataset's values are in the file itself and compressed by known filters only, and returns its
  /// properties.
  private func storage(of dataset: hid_t, _ name: String) throws -> HDF5Handle {
    let properties = try HDF5Handle(
      H5Dget_create_plist(dataset), close: { H5Pclose($0) }, "properties", at: path)
    let layout = H5Pget_layout(properties.id)
    guard layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED,
      H5Pget_external_count(properties.id) == 0
    else { throw fault(name, "its values are stored outside the file") }
    for index in 0..<max(0, H5Pget_nfilters(properties.id)) {
      let filter = H5Pget_filter2(properties.id, UInt32(index), nil, nil, nil, 0, nil, nil)
      guard [H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32].contains(filter) else {
        throw fault(name, "it uses the unknown filter \(filter)")
      }
    }
    return properties
  }
}
