import CHDF5
import Tensors

/// Owns an HDF5 identifier of any kind.
final class HDF5Handle {
  let id: hid_t
  private let close: (hid_t) -> herr_t

  init(_ id: hid_t, close: @escaping (hid_t) -> herr_t, _ what: String, at subject: String) throws {
    guard id >= 0 else {
      throw BenbenError(.malformed, "cannot read", at: subject, because: "HDF5 gives no \(what)")
    }
    self.id = id
    self.close = close
  }

  deinit { _ = close(id) }
}

/// A read-only HDF5 file from a stranger: hard links only, no external storage, no virtual datasets, no plugins, and
/// every size checked before memory is taken.
final class HDF5File {
  /// The path, for messages.
  let path: String
  private let file: HDF5Handle
  private let fileSize: Int
  private var entries: [String: Entry] = [:]
  private var childNames: [String: [String]] = [:]
  /// The addresses of all objects, to refuse cycles and bombs made of links.
  private var seen: Set<haddr_t> = []

  enum Entry {
    case group
    case dataset(Shape)
  }

  static let maximumDepth = 16
  static let maximumEntries = 100_000
  static let maximumElements = 1 << 30
  /// Deflate packs at most about a thousandfold; more is a bomb.
  static let maximumRatio = 1100

  init(path: String) throws {
    self.path = path
    fileSize = try SourceFile(path: path).size
    // Errors are reported by us, and nothing is loaded from outside.
    _ = benben_h5_silence()
    _ = H5PLset_loading_state(0)
    guard H5Fis_hdf5(path) > 0 else {
      throw BenbenError(.malformed, "not a golden trace", at: path, because: "it is no HDF5 file")
    }
    file = try HDF5Handle(H5Fopen(path, 0, benben_h5p_default()), close: H5Fclose, "file", at: path)
    try visit(file.id, prefix: "", depth: 0)
  }

  private func fault(_ name: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed golden trace", at: "\(path):/\(name)", because: why)
  }

  private func visit(_ group: hid_t, prefix: String, depth: Int) throws {
    guard depth < Self.maximumDepth else {
      throw fault(prefix, "groups are nested too deeply or form a cycle")
    }
    var info = H5G_info_t()
    guard H5Gget_info(group, &info) >= 0 else { throw fault(prefix, "the group cannot be read") }
    guard info.nlinks <= Self.maximumEntries else { throw fault(prefix, "it has \(info.nlinks) members") }
    for index in 0..<info.nlinks {
      let name = try linkName(group, index, prefix)
      let full = prefix.isEmpty ? name : prefix + "/" + name
      var link = H5L_info_t()
      guard H5Lget_info(group, name, &link, benben_h5p_default()) >= 0, link.type == H5L_TYPE_HARD else {
        throw fault(full, "it is a soft or external link")
      }
      let object = try HDF5Handle(
        H5Oopen(group, name, benben_h5p_default()), close: H5Oclose, "object", at: path)
      var identity = H5O_info_t()
      guard H5Oget_info2(object.id, &identity, UInt32(H5O_INFO_BASIC)) >= 0,
        seen.insert(identity.addr).inserted
      else {
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

  private func linkName(_ group: hid_t, _ index: UInt64, _ prefix: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let length = H5Lget_name_by_idx(
      group, ".", H5_INDEX_NAME, H5_ITER_INC, index, &buffer, buffer.count, benben_h5p_default())
    guard length > 0, length < buffer.count else { throw fault(prefix, "a name is empty or too long") }
    return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Checks how a dataset is stored, and gives its shape.
  private func shape(of dataset: hid_t, _ name: String) throws -> Shape {
    // Where the values lie comes first: asking a virtual dataset for its shape already opens other files.
    let properties = try storage(of: dataset, name)
    let space = try HDF5Handle(H5Dget_space(dataset), close: H5Sclose, "data space", at: path)
    let rank = H5Sget_simple_extent_ndims(space.id)
    guard 0...8 ~= rank else { throw fault(name, "its rank is \(rank)") }
    var dimensions = [UInt64](repeating: 0, count: max(Int(rank), 1))
    H5Sget_simple_extent_dims(space.id, &dimensions, nil)
    let shape = dimensions.prefix(Int(rank)).map { Int(exactly: $0) ?? -1 }
    guard let count = shape.checkedElementCount, 1...Self.maximumElements ~= count else {
      throw fault(name, "its shape \(dimensions) is empty or too large")
    }
    let type = try HDF5Handle(H5Dget_type(dataset), close: H5Tclose, "type", at: path)
    let elementSize = H5Tget_size(type.id)
    let (bytes, overflow) = count.multipliedReportingOverflow(by: elementSize)
    // What is not packed must all be there; what is may have grown by the most that deflate can do.
    let isChunked = H5Pget_layout(properties.id) == H5D_CHUNKED
    let stored = Int(clamping: H5Dget_storage_size(dataset))
    guard !overflow, stored <= fileSize, isChunked ? bytes / Self.maximumRatio <= stored : bytes == stored
    else {
      throw fault(name, "\(bytes) bytes are declared, \(stored) stored in a file of \(fileSize)")
    }
    if isChunked {
      var chunk = [UInt64](repeating: 0, count: 8)
      let chunkRank = H5Pget_chunk(properties.id, 8, &chunk)
      let extents = chunk.prefix(max(0, Int(chunkRank))).map { Int(clamping: $0) }
      guard let elements = extents.checkedElementCount, elements <= max(count, 1 << 20) else {
        throw fault(name, "its chunks \(extents) are larger than itself")
      }
    }
    return shape
  }

  /// Makes sure that a dataset's values lie in the file itself, packed by known filters only.
  private func storage(of dataset: hid_t, _ name: String) throws -> HDF5Handle {
    let properties = try HDF5Handle(H5Dget_create_plist(dataset), close: H5Pclose, "properties", at: path)
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

  /// The names of the children of a group, sorted; empty when there is none.
  func children(of group: String) -> [String] {
    (childNames[group] ?? []).sorted()
  }

  func contains(_ name: String) -> Bool { entries[name] != nil }

  /// The shape of a dataset, or nil when there is none of that name.
  func shape(of name: String) -> Shape? {
    guard case .dataset(let shape) = entries[name] else { return nil }
    return shape
  }

  private func read<Element>(_ name: String, as type: hid_t, zero: Element) throws -> (Shape, [Element]) {
    guard let shape = shape(of: name), let count = shape.checkedElementCount else {
      throw fault(name, "the dataset is missing")
    }
    let dataset = try HDF5Handle(
      H5Dopen2(file.id, name, benben_h5p_default()), close: H5Dclose, "dataset", at: path)
    var values = [Element](repeating: zero, count: count)
    let status = values.withUnsafeMutableBytes {
      H5Dread(dataset.id, type, benben_h5s_all(), benben_h5s_all(), benben_h5p_default(), $0.baseAddress)
    }
    guard status >= 0 else { throw fault(name, "its values cannot be read") }
    return (shape, values)
  }

  /// A numeric dataset as a tensor of f32.
  func tensor(_ name: String) throws -> Tensor {
    let (shape, values) = try read(name, as: benben_h5t_float(), zero: Float(0))
    return Tensor(shape, values)
  }

  /// A dataset of integers.
  func integers(_ name: String) throws -> [Int] {
    try read(name, as: benben_h5t_int64(), zero: Int64(0)).1.map(Int.init)
  }

  /// A dataset of bytes.
  func bytes(_ name: String) throws -> (Shape, [UInt8]) {
    try read(name, as: benben_h5t_uint8(), zero: UInt8(0))
  }

  /// Runs with an attribute of a group ("." is the root), or gives nil when it does not exist.
  private func withAttribute<Result>(
    _ name: String, of object: String, _ body: (hid_t) throws -> Result
  ) throws -> Result? {
    guard H5Aexists_by_name(file.id, object, name, benben_h5p_default()) > 0 else { return nil }
    let attribute = try HDF5Handle(
      H5Aopen_by_name(file.id, object, name, benben_h5p_default(), benben_h5p_default()), close: H5Aclose,
      "attribute \(name)", at: path)
    let space = try HDF5Handle(H5Aget_space(attribute.id), close: H5Sclose, "data space", at: path)
    guard H5Sget_simple_extent_npoints(space.id) == 1 else {
      throw fault(object, "attribute \(name) is no single value")
    }
    return try body(attribute.id)
  }

  /// A string attribute.
  func string(_ name: String, of object: String = ".") throws -> String? {
    try withAttribute(name, of: object) { attribute in
      let type = try HDF5Handle(H5Aget_type(attribute), close: H5Tclose, "type", at: path)
      guard H5Tget_class(type.id) == H5T_STRING else { throw fault(object, "attribute \(name) is no string") }
      if H5Tis_variable_str(type.id) > 0 {
        var pointer: UnsafeMutablePointer<CChar>?
        guard H5Aread(attribute, type.id, &pointer) >= 0, let pointer else {
          throw fault(object, "attribute \(name) cannot be read")
        }
        defer { H5free_memory(pointer) }
        return String(cString: pointer)
      }
      let size = H5Tget_size(type.id)
      guard 0...(1 << 20) ~= size else { throw fault(object, "attribute \(name) is too long") }
      var bytes = [UInt8](repeating: 0, count: size)
      guard H5Aread(attribute, type.id, &bytes) >= 0 else {
        throw fault(object, "attribute \(name) cannot be read")
      }
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// An integer or boolean attribute.
  func integer(_ name: String, of object: String) throws -> Int? {
    try withAttribute(name, of: object) { attribute in
      var value: Int64 = 0
      guard H5Aread(attribute, benben_h5t_int64(), &value) >= 0 else {
        throw fault(object, "attribute \(name) is no number")
      }
      return Int(value)
    }
  }
}
