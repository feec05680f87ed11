// Counts the calls with which a program touches files, and kills it or fails one of them.
//
// Preloaded into the program. FAULT_ROOTS lists the folders that count, separated by colons; FAULT_KIND is KILL or the
// name of an error; FAULT_AT is the number of the call that fails, from 1 on, or 0 for none; FAULT_LOG is a file to which
// the number of calls is written. A full disk stays full; every other error comes once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPENS = 1, CREATES = 2, READS = 4, WRITES = 8, SYNCS = 16, RESERVES = 32, NAMES = 64, REMOVES = 128, LOCKS = 256 };

static int failing;   // The error, or 0 for a kill.
static int mask;      // The calls that count.
static int sticky;
static long at;
static atomic_long count;
static atomic_char ours[4096];
static const char *roots, *log_path;

#define REAL(name) ((typeof(&name))real(#name))

static void *real(const char *name) {
  // The few names are looked up again and again: speed does not matter here.
  return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void) {
  const char *kind = getenv("FAULT_KIND");
  roots = getenv("FAULT_ROOTS");
  log_path = getenv("FAULT_LOG");
  at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
  if (!kind || !roots) return;
  // The program that was started counts, also where it starts itself anew, but none that it starts.
  char self[32];
  snprintf(self, sizeof self, "%d", (int)getpid());
  setenv("FAULT_PROCESS", self, 0);
  if (strcmp(getenv("FAULT_PROCESS"), self)) {
    log_path = NULL;
    return;
  }
  if (!strcmp(kind, "KILL")) mask = CREATES | WRITES | SYNCS | RESERVES | NAMES | REMOVES;
  if (!strcmp(kind, "ENOSPC")) failing = ENOSPC, mask = CREATES | WRITES | RESERVES, sticky = 1;
  if (!strcmp(kind, "EIO")) failing = EIO, mask = OPENS | CREATES | READS | WRITES | SYNCS | RESERVES | NAMES;
  if (!strcmp(kind, "EINTR")) failing = EINTR, mask = OPENS | CREATES | READS | WRITES | RESERVES | LOCKS;
  if (!strcmp(kind, "EMFILE")) failing = EMFILE, mask = OPENS | CREATES;
  if (!strcmp(kind, "EACCES")) failing = EACCES, mask = OPENS | CREATES | NAMES | REMOVES;
}

__attribute__((destructor)) static void end(void) {
  if (!log_path) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld", (long)count);
  int file = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file >= 0 && write(file, text, length) < length) abort();
}

static int counts(const char *path) {
  if (!path || !roots) return 0;
  if (path[0] != '/') return 1;
  for (const char *root = roots; *root;) {
    const char *next = strchrnul(root, ':');
    size_t length = (size_t)(next - root);
    if (length && !strncmp(path, root, length)) return 1;
    root = *next ? next + 1 : next;
  }
  return 0;
}

// Returns whether the call fails; the error is then set.
static int fails(int call) {
  if (!(mask & call)) return 0;
  long number = ++count;
  if (!at || number < at || (number > at && !sticky)) return 0;
  if (!failing) kill(getpid(), SIGKILL);
  errno = failing;
  return 1;
}

static int is_ours(int file) { return file >= 0 && file < 4096 && ours[file]; }

static int opened(int file, int known) {
  if (file >= 0 && file < 4096) ours[file] = (char)known;
  return file;
}

#define OPEN(name)                                                                                        \
  int name(const char *path, int flags, ...) {                                                            \
    va_list list;                                                                                         \
    va_start(list, flags);                                                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                               \
    va_end(list);                                                                                         \
    int known = counts(path);                                                                             \
    if (known && fails(flags & (O_CREAT | O_WRONLY | O_RDWR) ? CREATES : OPENS)) return -1;               \
    return opened(REAL(name)(path, flags, mode), known);                                                  \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                      \
  int name(int folder, const char *path, int flags, ...) {                                                \
    va_list list;                                                                                         \
    va_start(list, flags);                                                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                               \
    va_end(list);                                                                                         \
    int known = counts(path);                                                                             \
    if (known && fails(flags & (O_CREAT | O_WRONLY | O_RDWR) ? CREATES : OPENS)) return -1;               \
    return opened(REAL(name)(folder, path, flags, mode), known);                                          \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
  opened(file, 0);
  return REAL(close)(file);
}

#define WRAP(type, name, call, ours, parameters, ...)                                                     \
  type name parameters {                                                                                  \
    if (ours && fails(call)) return -1;                                                                   \
    return REAL(name)(__VA_ARGS__);                                                                       \
  }
WRAP(ssize_t, read, READS, is_ours(file), (int file, void *bytes, size_t size), file, bytes, size)
WRAP(ssize_t, pread, READS, is_ours(file), (int file, void *bytes, size_t size, off_t offset), file, bytes, size, offset)
WRAP(ssize_t, pread64, READS, is_ours(file), (int file, void *bytes, size_t size, off64_t offset), file, bytes, size, offset)
WRAP(ssize_t, write, WRITES, is_ours(file), (int file, const void *bytes, size_t size), file, bytes, size)
WRAP(ssize_t, pwrite, WRITES, is_ours(file), (int file, const void *bytes, size_t size, off_t offset), file, bytes, size, offset)
WRAP(ssize_t, pwrite64, WRITES, is_ours(file), (int file, const void *bytes, size_t size, off64_t offset), file, bytes, size, offset)
WRAP(int, fsync, SYNCS, is_ours(file), (int file), file)
WRAP(int, fdatasync, SYNCS, is_ours(file), (int file), file)
WRAP(int, ftruncate, RESERVES, is_ours(file), (int file, off_t size), file, size)
WRAP(int, ftruncate64, RESERVES, is_ours(file), (int file, off64_t size), file, size)
WRAP(int, flock, LOCKS, is_ours(file), (int file, int operation), file, operation)
WRAP(int, rename, NAMES, counts(old), (const char *old, const char *new), old, new)
WRAP(int, link, NAMES, counts(old), (const char *old, const char *new), old, new)
WRAP(int, mkdir, CREATES, counts(path), (const char *path, mode_t mode), path, mode)
WRAP(int, unlink, REMOVES, counts(path), (const char *path), path)
WRAP(int, rmdir, REMOVES, counts(path), (const char *path), path)
WRAP(int, unlinkat, REMOVES, counts(path), (int folder, const char *path, int flags), folder, path, flags)

// These return the error instead of setting it.
int posix_fallocate(int file, off_t offset, off_t size) {
  if (is_ours(file) && fails(RESERVES)) return errno;
  return REAL(posix_fallocate)(file, offset, size);
}
int posix_fallocate64(int file, off64_t offset, off64_t size) {
  if (is_ours(file) && fails(RESERVES)) return errno;
  return REAL(posix_fallocate64)(file, offset, size);
}

long syscall(long number, ...) {
  va_list list;
  long a[6];
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_renameat2 && counts((const char *)a[1]) && fails(NAMES)) return -1;
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
