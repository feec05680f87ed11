import CLinux
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A file without a name, for more than memory holds; the system removes it with the process, and keeps in memory what it
/// has room for.
package final class ScratchFile: Sendable {
  /// The folder on whose disk the bytes lie, for messages.
  package let folder: String
  private let descriptor: FileDescriptor

  /// Creates an empty file.
  ///
  /// - Parameter folder: a folder on the disk to use; nil for the system's temporary one.
  package init(in folder: String? = nil) throws {
    let folder = folder ?? TemporaryFolder.root
    self.folder = folder
    let unnamed = bb_open_unnamed(folder)
    if unnamed >= 0 {
      descriptor = FileDescriptor(rawValue: unnamed)
      return
    }
    // Where the file system knows no files without a name, it has one that nobody else has, and only for a moment.
    let name = folder + "/.benben-\(getpid())-\(UInt64.random(in: 0 ... .max)).scratch"
    do {
      descriptor = try FileDescriptor.open(
        FilePath(name), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite])
    } catch let error as Errno { throw BenbenError.cannotCreate(name, error) }
    if unlink(name) != 0 { unlink(name) }
  }

  deinit { try? descriptor.close() }

  /// The free space on the file's disk, in bytes; 0 when that is not known.
  package var freeSpace: Int {
    var status = statvfs()
    guard fstatvfs(descriptor.rawValue, &status) == 0 else { return 0 }
    return Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
  }

  /// Reads exactly `buffer.count` bytes that were written before.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      do {
        let count = try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
        if count == 0 { throw Errno.ioError }
        done += count
      } catch let error as Errno {
        throw BenbenError(.inputOutput, "reading failed", at: folder, because: error.description)
      }
    }
  }

  /// Writes all bytes at an offset.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    do {
      _ = try descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    } catch let error as Errno {
      throw BenbenError(.inputOutput, "writing failed", at: folder, because: error.description)
    }
  }
}
