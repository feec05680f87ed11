import CHDF5
import Files
import Tensors

extension HDF5Library {
  /// A file that the library has open in this process.
  final class File: HDF5Source {
    private let path: String
    private let handle: HDF5Handle
    /// The longest string that is read, in bytes.
    private static let maximumString = 1 << 20
    let contents: HDF5Contents

    init(path: String) throws {
      self.path = path
      let fileSize = try InputFile(path: path).size
      (handle, contents) = try HDF5Library.locked {
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

    func read(_ name: String, as type: HDF5NumberType, into buffer: UnsafeMutableRawBufferPointer) throws {
      // The buffer is made for the dataset's shape, which the library looks at again.
      guard case .dataset(let shape) = contents.entries[name],
        shape.checkedElementCount.map({ $0 * type.size }) == buffer.count
      else { throw fault(name, "the dataset is missing") }
      try HDF5Library.locked {
        let dataset = try HDF5Handle(
          H5Dopen2(handle.id, name, bb_h5p_default()), close: { H5Dclose($0) }, "dataset", at: path)
        let memory =
          switch type {
          case .float: bb_h5t_float()
          case .int64: bb_h5t_int64()
          case .uint8: bb_h5t_uint8()
          }
        let status = H5Dread(
          dataset.id, memory, bb_h5s_all(), bb_h5s_all(), bb_h5p_default(), buffer.baseAddress)
        guard status >= 0 else { throw fault(name, "its values cannot be read") }
      }
    }

    /// Calls a function with an attribute of a group ("." is the root), or returns nil when the attribute does not exist.
    private func withAttribute<Result>(
      _ name: String, of object: String, _ body: (hid_t) throws -> Result
    ) throws -> Result? {
      try HDF5Library.locked {
        guard H5Aexists_by_name(handle.id, object, name, bb_h5p_default()) > 0 else { return nil }
        let attribute = try HDF5Handle(
          H5Aopen_by_name(handle.id, object, name, bb_h5p_default(), bb_h5p_default()),
          close: { H5Aclose($0) },
          "attribute \(name)", at: path)
        let space = try HDF5Handle(
          H5Aget_space(attribute.id), close: { H5Sclose($0) }, "data space", at: path)
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
        guard H5Tget_class(type.id) == H5T_STRING else {
          throw fault(object, "attribute \(name) is no string")
        }
        if H5Tis_variable_str(type.id) > 0 {
          var pointer: UnsafeMutablePointer<CChar>?
          guard H5Aread(attribute, type.id, &pointer) >= 0, let pointer else {
            throw fault(object, "attribute \(name) cannot be read")
          }
          defer { H5free_memory(pointer) }
          guard strnlen(pointer, Self.maximumString + 1) <= Self.maximumString else {
            throw fault(object, "attribute \(name) is too long")
          }
          return String(cString: pointer)
        }
        let size = H5Tget_size(type.id)
        guard 0...Self.maximumString ~= size else { throw fault(object, "attribute \(name) is too long") }
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
}
