// Counts the calls with which a program touches files, and kills it or fails one of them.
//
// Preloaded into the program. FAULT_ROOTS lists the folders that count, separated by colons; FAULT_KIND is KILL or the
// name of an error; FAULT_AT is the number of the call that fails, from 1 on; FAULT_LOG is a file to which the number of
// calls that each kind could fail is written, a line for each. A full disk stays full; every other error comes once.
//
// FAULT_JOURNAL is a file to which every change is added as a line: what is done (create, write, sync, place, remove),
// the number of the file or folder that it is done to, and that of the folder whose entries change, or 0.
// FAULT_NO_RENAMEAT2 makes the file system one that can neither swap names nor rename without replacing.
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

static const struct {
  const char *name;
  int error;  // 0 for a kill.
  int mask;   // The calls that it fails.
  int is_lasting;
} kinds[] = {
    {"KILL", 0, CREATES | WRITES | SYNCS | RESERVES | NAMES | REMOVES, 0},
    {"ENOSPC", ENOSPC, CREATES | WRITES | RESERVES, 1},
    {"EIO", EIO, OPENS | CREATES | READS | WRITES | SYNCS | RESERVES | NAMES, 0},
    {"EINTR", EINTR, OPENS | CREATES | READS | WRITES | RESERVES | LOCKS, 0},
    {"EMFILE", EMFILE, OPENS | CREATES, 0},
    {"EACCES", EACCES, OPENS | CREATES | NAMES | REMOVES, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int chosen = -1;  // The kind that fails a call.
static int is_counting;
static long at;
static atomic_long counts_of[KINDS];
static atomic_char ours[4096];
static const char *roots, *log_path;
static int journal = -1, is_plain;

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
  is_plain = getenv("FAULT_NO_RENAMEAT2") != NULL;
  if (!roots) return;
  if (getenv("FAULT_JOURNAL"))
    journal = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULT_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (!kind && !log_path) return;
  // The program that was started counts, also where it starts itself anew, but none that it starts.
  char self[32];
  snprintf(self, sizeof self, "%d", (int)getpid());
  setenv("FAULT_PROCESS", self, 0);
  if (strcmp(getenv("FAULT_PROCESS"), self)) {
    log_path = NULL;
    return;
  }
  is_counting = 1;
  for (int k = 0; kind && k < KINDS; k++)
    if (!strcmp(kind, kinds[k].name)) chosen = k;
}

__attribute__((destructor)) static void end(void) {
  if (!log_path) return;
  char text[256];
  int length = 0;
  for (int k = 0; k < KINDS; k++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s %ld\n", kinds[k].name, (long)counts_of[k]);
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
  if (!is_counting) return 0;
  long number = 0;
  for (int k = 0; k < KINDS; k++)
    if (kinds[k].mask & call) {
      long counted = ++counts_of[k];
      if (k == chosen) number = counted;
    }
  if (!number || !at || number < at || (number > at && !kinds[chosen].is_lasting)) return 0;
  if (!kinds[chosen].error) kill(getpid(), SIGKILL);
  errno = kinds[chosen].error;
  return 1;
}

// The number by which a file is known whatever its name.
static unsigned long number(int folder, const char *path) {
  struct stat status;
  return fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? 0 : status.st_ino;
}

static unsigned long parent(int folder, const char *path) {
  char name[4096];
  const char *slash = strrchr(path, '/');
  if (!slash) return number(folder, folder == AT_FDCWD ? "." : "");
  snprintf(name, sizeof name, "%.*s", slash == path ? 1 : (int)(slash - path), path);
  return number(folder, name);
}

static void tell(const char *what, unsigned long file, unsigned long folder) {
  char line[96];
  if (journal < 0) return;
  int length = snprintf(line, sizeof line, "%s %lu %lu\n", what, file, folder);
  if (REAL(write)(journal, line, (size_t)length) < length) abort();
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
    int file = opened(REAL(name)(path, flags, mode), known);                                              \
    if (known && file >= 0 && flags & O_CREAT) tell("create", number(file, ""), parent(AT_FDCWD, path));  \
    return file;                                                                                          \
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
    int file = opened(REAL(name)(folder, path, flags, mode), known);                                      \
    if (known && file >= 0 && flags & O_CREAT) tell("create", number(file, ""), parent(folder, path));    \
    return file;                                                                                          \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
  opened(file, 0);
  return REAL(close)(file);
}

// What happens is told before it does, when the names are still those that it is asked for.
#define WRAP(type, name, call, ours, told, parameters, ...)                                               \
  type name parameters {                                                                                  \
    if (ours) {                                                                                           \
      if (fails(call)) return -1;                                                                         \
      told;                                                                                               \
    }                                                                                                     \
    return REAL(name)(__VA_ARGS__);                                                                       \
  }
#define OF_FILE(type, name, call, told, parameters, ...) WRAP(type, name, call, is_ours(file), told, parameters, __VA_ARGS__)
#define OF_PATH(name, call, told, path, parameters, ...) WRAP(int, name, call, counts(path), told, parameters, __VA_ARGS__)
#define WRITTEN tell("write", number(file, ""), 0)
#define PLACED(old, new) tell("place", number(AT_FDCWD, old), parent(AT_FDCWD, new))
#define REMOVED(folder, path) tell("remove", number(folder, path), parent(folder, path))
OF_FILE(ssize_t, read, READS, , (int file, void *bytes, size_t size), file, bytes, size)
OF_FILE(ssize_t, pread, READS, , (int file, void *bytes, size_t size, off_t offset), file, bytes, size, offset)
OF_FILE(ssize_t, pread64, READS, , (int file, void *bytes, size_t size, off64_t offset), file, bytes, size, offset)
OF_FILE(ssize_t, write, WRITES, WRITTEN, (int file, const void *bytes, size_t size), file, bytes, size)
OF_FILE(ssize_t, pwrite, WRITES, WRITTEN, (int file, const void *bytes, size_t size, off_t offset), file, bytes, size, offset)
OF_FILE(ssize_t, pwrite64, WRITES, WRITTEN, (int file, const void *bytes, size_t size, off64_t offset), file, bytes, size, offset)
OF_FILE(int, fsync, SYNCS, tell("sync", number(file, ""), 0), (int file), file)
OF_FILE(int, fdatasync, SYNCS, tell("sync", number(file, ""), 0), (int file), file)
OF_FILE(int, ftruncate, RESERVES, WRITTEN, (int file, off_t size), file, size)
OF_FILE(int, ftruncate64, RESERVES, WRITTEN, (int file, off64_t size), file, size)
OF_FILE(int, flock, LOCKS, , (int file, int operation), file, operation)
OF_PATH(rename, NAMES, PLACED(old, new), old, (const char *old, const char *new), old, new)
OF_PATH(link, NAMES, PLACED(old, new), old, (const char *old, const char *new), old, new)
OF_PATH(unlink, REMOVES, REMOVED(AT_FDCWD, path), path, (const char *path), path)
OF_PATH(rmdir, REMOVES, REMOVED(AT_FDCWD, path), path, (const char *path), path)
OF_PATH(unlinkat, REMOVES, REMOVED(folder, path), path, (int folder, const char *path, int flags), folder, path, flags)

int mkdir(const char *path, mode_t mode) {
  int known = counts(path);
  if (known && fails(CREATES)) return -1;
  int result = REAL(mkdir)(path, mode);
  if (known && !result) tell("create", number(AT_FDCWD, path), parent(AT_FDCWD, path));
  return result;
}

// These return the error instead of setting it.
int posix_fallocate(int file, off_t offset, off_t size) {
  if (is_ours(file)) {
    if (fails(RESERVES)) return errno;
    WRITTEN;
  }
  return REAL(posix_fallocate)(file, offset, size);
}
int posix_fallocate64(int file, off64_t offset, off64_t size) {
  if (is_ours(file)) {
    if (fails(RESERVES)) return errno;
    WRITTEN;
  }
  return REAL(posix_fallocate64)(file, offset, size);
}

long syscall(long call, ...) {
  va_list list;
  long a[6];
  va_start(list, call);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (call == SYS_renameat2 && counts((const char *)a[1])) {
    if (is_plain) {
      errno = EINVAL;
      return -1;
    }
    if (fails(NAMES)) return -1;
    PLACED((const char *)a[1], (const char *)a[3]);
  }
  return REAL(syscall)(call, a[0], a[1], a[2], a[3], a[4], a[5]);
}
