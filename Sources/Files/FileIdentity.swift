import Foundation
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// The attributes that distinguish one state of a file from another: device, inode, size, and the times of the last
/// change of its content and of its attributes.
///
/// The time of the attributes cannot be set back, so content that was written in place shows even where the other time
/// was restored. Writes through a mapping, and two writes within one tick of the clock, may not.
struct FileIdentity: Equatable, Sendable, CustomStringConvertible {
  let device: UInt64
  let inode: UInt64
  let size: Int
  private let seconds: [Int]

  var description: String {
    ([device, inode].map(String.init) + ([size] + seconds).map(String.init)).joined(separator: " ")
  }

  /// Reads the attributes of an open file, which must be a regular one.
  init(of descriptor: FileDescriptor, path: String) throws {
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else {
      throw BenbenError.cannotOpen(path, Errno(rawValue: errno))
    }
    try self.init(status, path: path)
  }

  /// Reads the attributes of the file at a path, which must be a regular one.
  init(path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { throw BenbenError.cannotOpen(path, Errno(rawValue: errno)) }
    try self.init(status, path: path)
  }

  private init(_ status: stat, path: String) throws {
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw BenbenError(
        .missing, "not a regular file", at: path,
        because: isFolder ? "it is a folder" : "it is a device or a pipe")
    }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    size = Int(status.st_size)
    seconds = [
      status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
    ]
  }
}

extension FileDescriptor {
  /// The path of the open file; nil when the system does not tell it.
  var realPath: String? {
    #if os(Linux)
      let capacity = Int(PATH_MAX)
      var path = [CChar](repeating: 0, count: capacity)
      let length = readlink("/proc/self/fd/\(rawValue)", &path, capacity)
      guard 0..<capacity ~= length else { return nil }
      return String(decoding: path[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    #else
      var path = [CChar](repeating: 0, count: Int(PATH_MAX))
      guard fcntl(rawValue, F_GETPATH, &path) == 0 else { return nil }
      return String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    #endif
  }

  /// Opens a regular file for reading, and reads its attributes from what was opened.
  ///
  /// A pipe or device that stands there does not block.
  static func openRegular(_ path: String) throws -> (descriptor: FileDescriptor, identity: FileIdentity) {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
    } catch let error as Errno { throw BenbenError.cannotOpen(path, error) }
    do {
      return (descriptor, try FileIdentity(of: descriptor, path: path))
    } catch {
      try? descriptor.close()
      throw error
    }
  }
}

extension BenbenError {
  /// The error for an input that cannot be opened: absent or not readable, or a fault of the machine.
  package static func cannotOpen(_ path: String, _ error: Errno) -> BenbenError {
    let absent: [Errno] = [
      .noSuchFileOrDirectory, .notDirectory, .permissionDenied, .notPermitted, .tooManySymbolicLinkLevels,
      .fileNameTooLong, .noSuchAddressOrDevice, .isDirectory, .invalidArgument,
    ]
    return BenbenError(
      absent.contains(error) ? .missing : .inputOutput, "cannot open", at: path, because: error.description)
  }
}
