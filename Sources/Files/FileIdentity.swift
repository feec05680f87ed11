import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// The attributes that distinguish one state of a file from another: size, inode and modification time.
struct FileIdentity: Equatable, Sendable {
  let size: Int
  let inode: UInt64
  let seconds: Int
  let nanoseconds: Int

  /// Reads the attributes of the file at a path, which must be a regular file.
  init(path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw BenbenError(
        .missing, "cannot open", at: path, because: Errno(rawValue: errno).description)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw BenbenError(
        .missing, "not a regular file", at: path,
        because: isFolder ? "it is a folder" : "it is a device or a pipe")
    }
    size = Int(status.st_size)
    inode = UInt64(status.st_ino)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
