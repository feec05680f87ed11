import CAllocator

/// Settings of the C library's allocator, which provides the memory of tensors and oneDNN's scratch memory.
///
/// By default glibc requests every large block from the system and returns it when it is freed, and the system clears
/// every page anew: a third of the time of a transformer call of 2648 tokens. Nothing is changed until a program asks
/// for it, since the settings apply to the whole process.
public enum AllocatorTuning {
  /// Keeps freed memory in the process for the next request.
  ///
  /// Call it once, before the first model is loaded. The process then holds as much memory as its most demanding phase
  /// needed; ``releaseFreedMemory()`` between phases returns it.
  public static func keepFreedMemory() {
    // Arenas of other threads than the first cannot hold blocks of 64 MiB, which they would map and unmap.
    _ = mallopt(M_ARENA_MAX, 1)
    _ = mallopt(M_MMAP_MAX, 0)
    _ = mallopt(M_TRIM_THRESHOLD, -1)
    _ = mallopt(M_TOP_PAD, 64 << 20)
  }

  /// Returns freed memory to the system, at the end of a phase whose successor needs blocks of different sizes.
  public static func releaseFreedMemory() {
    _ = malloc_trim(0)
  }
}
