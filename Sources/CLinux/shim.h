#pragma once
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

// Declared by the C library only for programs that define _GNU_SOURCE before its first header; and `syscall` is
// variadic, which Swift cannot call.

/// Swaps two names in one step.
static inline int bb_exchange(const char *first, const char *second) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

/// Renames unless the new name is taken.
static inline int bb_rename_new(const char *old, const char *new_name) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new_name, RENAME_NOREPLACE);
}

/// Opens a new file without a name on the disk of a folder; -1 where the file system knows none.
static inline int bb_open_unnamed(const char *folder) {
  return open(folder, __O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
}

/// The first place of some bytes among others; NULL where they are not.
void *memmem(const void *text, size_t text_size, const void *part, size_t part_size);
