import CHDF5
import Files
import Tensors

/// A read-only, untrusted HDF5 file: hard links only, no external storage, no virtual datasets, no plugins, and every
/// size checked before memory is allocated.
final class HDF5File: Sendable {
  /// The path, for messages.
  let path: String
  private let file: HDF5Handle
  private let contents: HDF5Contents
  private let fileSize: Int

  init(path: String) throws {
    self.path = path
    let fileSize = try InputFile(path: path).size
    self.fileSize = fileSize
    (file, contents) = try HDF5Library.locked {
      guard H5Fis_hdf5(path) > 0 else {
        throw BenbenError(.malformed, "not a golden trace", at: path, because: "it is no HDF5 file")
      }
      let file = try HDF5Handle(
        H5Fopen(path, 0, bb_h5p_default()), close: { H5Fclose($0) }, "file", at: path)
      return (file, try HDF5Contents(file.id, path: path, fileSize: fileSize))
    }
  }

  private func fault(_ name: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed golden trace", at: "\(path):/\(name)", because: why)
  }

  /// Returns the names of a group's children, sorted; empty when there are none.
  func children(of group: String) -> [String] {
    (contents.childNames[group] ?? []).sorted()
  }

  func contains(_ name: String) -> Bool { contents.entries[name] != nil }

  /// Returns the shape of a dataset, or nil when there is none of that name.
  func shape(of name: String) -> Shape? {
    guard case .dataset(let shape) = contents.entries[name] else { return nil }
    return shape
  }

  /// The most bytes of memory that a dataset takes, whatever its size in the file: twice the frames of the longest clip.
  private static let maximumMemory = 1 << 31
  /// The memory that a dataset may take without asking how much of it is stored, and its largest multiple of that.
  private static let ordinaryMemory = 1 << 28
  private static let maximumGrowth = 64

  private func read<Element>(_ name: String, as type: hid_t, zero: Element) throws -> (Shape, [Element]) {
    guard let shape = shape(of: name), let count = shape.checkedElementCount else {
      throw fault(name, "the dataset is missing")
    }
    let memory = count * MemoryLayout<Element>.stride
    guard memory <= Self.maximumMemory, memory <= max(Self.ordinaryMemory, Self.maximumGrowth * fileSize)
    else {
      throw fault(name, "it would take \(memory) bytes of memory, for a file of \(fileSize)")
    }
    return try HDF5Library.locked {
      let dataset = try HDF5Handle(
        H5Dopen2(file.id, name, bb_h5p_default()), close: { H5Dclose($0) }, "dataset", at: path)
      var values = [Element](repeating: zero, count: count)
      let status = values.withUnsafeMutableBytes {
        H5Dread(dataset.id, type, bb_h5s_all(), bb_h5s_all(), bb_h5p_default(), $0.baseAddress)
      }
      guard status >= 0 else { throw fault(name, "its values cannot be read") }
      return (shape, values)
    }
  }

  /// Reads a numeric dataset as a tensor of f32.
  func tensor(_ name: String) throws -> Tensor {
    let (shape, values) = try read(name, as: bb_h5t_float(), zero: Float(0))
    return Tensor(shape, values)
  }

  /// Reads a dataset of at most so many integers.
  func integers(_ name: String, atMost limit: Int) throws -> [Int] {
    guard shape(of: name)?.checkedElementCount ?? 0 <= limit else {
      throw fault(name, "it has more than \(limit) numbers")
    }
    return try read(name, as: bb_h5t_int64(), zero: Int64(0)).1.map(Int.init)
  }

  /// Reads a dataset of bytes, with its shape.
  func bytes(_ name: String) throws -> (Shape, [UInt8]) {
    try read(name, as: bb_h5t_uint8(), zero: UInt8(0))
  }

  /// Calls a function with an attribute of a group ("." is the root), or returns nil when the attribute does not exist.
  private func withAttribute<Result>(
    _ name: String, of object: String, _ body: (hid_t) throws -> Result
  ) throws -> Result? {
    try HDF5Library.locked {
      guard H5Aexists_by_name(file.id, object, name, bb_h5p_default()) > 0 else { return nil }
      let attribute = try HDF5Handle(
        H5Aopen_by_name(file.id, object, name, bb_h5p_default(), bb_h5p_default()), close: { H5Aclose($0) },
        "attribute \(name)", at: path)
      let space = try HDF5Handle(H5Aget_space(attribute.id), close: { H5Sclose($0) }, "data space", at: path)
      guard H5Sget_simple_extent_npoints(space.id) == 1 else {
        throw fault(object, "attribute \(name) is no single value")
      }
      return try body(attribute.id)
    }
  }

  /// Reads a string attribute, or returns nil when it does not exist.
  func string(_ name: String, of object: String = ".") throws -> String? {
    try withAttribute(name, of: object) { attribute in
      let type = try HDF5Handle(H5Aget_type(attribute), close: { H5Tclose($0) }, "type", at: path)
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

  /// Reads an integer or boolean attribute, or returns nil when it does not exist.
  func integer(_ name: String, of object: String) throws -> Int? {
    try withAttribute(name, of: object) { attribute in
      var value: Int64 = 0
      guard H5Aread(attribute, bb_h5t_int64(), &value) >= 0 else {
        throw fault(object, "attribute \(name) is no number")
      }
      return Int(value)
    }
  }
}
