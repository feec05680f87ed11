import Files
import Isolation
import JSON
import Tensors

/// A read-only, untrusted HDF5 file: hard links only, no external storage, no virtual datasets, no plugins, and every
/// size checked before memory is allocated.
///
/// Where the program allows it, the library reads the file in a process of its own (``ReaderProcess``).
final class HDF5File: Sendable {
  /// The path, for messages.
  let path: String
  private let source: any HDF5Source
  private let contents: HDF5Contents
  private let file: InputFile

  init(path: String) throws {
    self.path = path
    file = try InputFile(path: path)
    source = try ReaderProcess.isOn ? HDF5Process(path: path) : HDF5Library.File(path: path)
    contents = source.contents
    // The library opens files by their paths: it must be this one that it opened.
    try file.checkUnchanged()
  }

  /// Returns the SHA-256 of the very file that is read.
  func sha256() throws -> String { try file.sha256() }

  private func fault(_ name: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed golden trace", at: "\(path):/\(name)", because: why)
  }

  /// Returns the names of a group's children, sorted; empty when there are none.
  func children(of group: String) -> [String] {
    (contents.childNames[group] ?? []).sorted()
  }

  func contains(_ name: String) -> Bool { contents.entries[name] != nil }

  /// The names of all datasets.
  var datasets: [String] { contents.entries.keys.filter { shape(of: $0) != nil } }

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

  private func read<Element>(_ name: String, as type: HDF5NumberType, zero: Element) throws -> (
    Shape, [Element]
  ) {
    guard let shape = shape(of: name), let count = shape.checkedElementCount else {
      throw fault(name, "the dataset is missing")
    }
    let memory = count * MemoryLayout<Element>.stride
    guard memory <= Self.maximumMemory, memory <= max(Self.ordinaryMemory, Self.maximumGrowth * file.size)
    else {
      throw fault(name, "it would take \(memory) bytes of memory, for a file of \(file.size)")
    }
    var values = [Element](repeating: zero, count: count)
    try values.withUnsafeMutableBytes { try source.read(name, as: type, into: $0) }
    return (shape, values)
  }

  /// Reads a numeric dataset as a tensor of f32.
  func tensor(_ name: String) throws -> Tensor {
    let (shape, values) = try read(name, as: .float, zero: Float(0))
    return Tensor(shape, values)
  }

  /// Reads a dataset of at most so many integers.
  func integers(_ name: String, atMost limit: Int) throws -> [Int] {
    guard shape(of: name)?.checkedElementCount ?? 0 <= limit else {
      throw fault(name, "it has more than \(limit) numbers")
    }
    return try read(name, as: .int64, zero: Int64(0)).1.map(Int.init)
  }

  /// Reads a dataset of bytes, with its shape.
  func bytes(_ name: String) throws -> (Shape, [UInt8]) {
    try read(name, as: .uint8, zero: UInt8(0))
  }

  /// Reads a string attribute of a group ("." is the root), or returns nil when it does not exist.
  func string(_ name: String, of object: String = ".") throws -> String? {
    try source.string(name, of: object)
  }

  /// Reads an integer or boolean attribute, or returns nil when it does not exist.
  func integer(_ name: String, of object: String) throws -> Int? {
    try source.integer(name, of: object)
  }
}
