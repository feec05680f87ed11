#pragma once
#include <stddef.h>

/// What keeps a process from doing harm, as bits.
enum { BB_ISOLATION_LIMITS = 1, BB_ISOLATION_FILES = 2, BB_ISOLATION_CALLS = 4 };

/// Takes from the process, for good, all that reading one file or folder does not need, as far as the system can: other files
/// and the network (Landlock), system calls that start programs, open sockets or write (seccomp), memory and time. Returns
/// what was taken.
///
/// Afterwards the process can read `path`, compute, and use the descriptors that it has.
int bb_isolate(const char *path, size_t memory, unsigned seconds);
