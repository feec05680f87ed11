import Files
import Tensors

/// The type of number into which a dataset's values are converted.
enum HDF5NumberType: String, Sendable {
  case float, int64, uint8

  /// The size of a number in bytes.
  var size: Int {
    switch self {
    case .float: 4
    case .int64: 8
    case .uint8: 1
    }
  }
}

/// Whatever reads an HDF5 file: the library in this process, or in one of its own.
protocol HDF5Source: Sendable {
  /// Everything that the file holds.
  var contents: HDF5Contents { get }
  /// Reads all values of a dataset into a buffer of exactly their size.
  func read(_ name: String, as type: HDF5NumberType, into buffer: UnsafeMutableRawBufferPointer) throws
  /// Reads a string attribute of a group ("." is the root), or returns nil when it does not exist.
  func string(_ name: String, of object: String) throws -> String?
  /// Reads an integer attribute of a group, or returns nil when it does not exist.
  func integer(_ name: String, of object: String) throws -> Int?
}
