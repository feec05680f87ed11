import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

extension StagedFolder {
  /// The error for an output that cannot get its name.
  func notInPlace(_ error: Errno) -> BenbenError {
    BenbenError(
      error == .permissionDenied ? .cannotCreate : .inputOutput, "cannot put the output in place",
      at: destination, because: error.description)
  }

  /// Opens a folder in order to sync its entries; files are synced by their writers.
  static func openFolder(_ folder: String) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(FilePath(folder), .readOnly, options: [.directory, .closeOnExec])
    } catch let error as Errno {
      throw BenbenError(
        error == .permissionDenied ? .cannotCreate : .inputOutput, "cannot sync", at: folder,
        because: error.description)
    }
  }

  /// Syncs the entries of an open folder.
  static func sync(_ descriptor: FileDescriptor, _ folder: String) throws {
    guard fsync(descriptor.rawValue) == 0 else {
      throw BenbenError(
        .inputOutput, "cannot sync", at: folder, because: Errno(rawValue: errno).description)
    }
  }

  static func sync(folder: String) throws {
    let descriptor = try openFolder(folder)
    defer { try? descriptor.close() }
    try sync(descriptor, folder)
  }
}
