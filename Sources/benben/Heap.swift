import CLinux

/// How the C library's heap, where tensors and oneDNN's scratch memory live, deals with the system.
///
/// By default large blocks come from the system at each request and return to it when they are freed, and every page of
/// them is cleared once more: measured on a transformer call of 2648 tokens, a third of the time. The setting concerns the
/// whole process, so it belongs to the command and not to the libraries.
enum Heap {
  /// Freed memory stays with the process, for the next request.
  static func keepFreedMemory() {
    _ = mallopt(M_MMAP_MAX, 0)
    _ = mallopt(M_TRIM_THRESHOLD, -1)
    _ = mallopt(M_TOP_PAD, 64 << 20)
  }

  /// Freed memory goes back to the system: a part of the work is over, and the next has other sizes.
  static func release() {
    _ = malloc_trim(0)
  }
}
