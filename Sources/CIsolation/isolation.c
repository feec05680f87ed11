#define _GNU_SOURCE
#include "CIsolation.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int resource, rlim_t value) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < value) value = now.rlim_max;
  struct rlimit wanted = {value, value};
  setrlimit(resource, &wanted);
}

// Landlock, by numbers: the headers of the distributions are of different ages. The numbers of calls are the same on all
// architectures.
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, VERSION_FLAG = 1, RULE_PATH = 1 };
enum { READ_FILE = 1 << 2, READ_DIR = 1 << 3 };

static int confine_files(const char *path) {
  long version = syscall(CREATE_RULESET, NULL, 0, VERSION_FLAG);
  if (version < 1) return 0;
  // All rights of the first version; later versions added moving, truncating, device controls, the network and signals.
  struct {
    uint64_t files, network, scope;
  } handled = {(1ull << 13) - 1, 0, 0};
  if (version >= 2) handled.files |= 1ull << 13;
  if (version >= 3) handled.files |= 1ull << 14;
  if (version >= 4) handled.network = 3;
  if (version >= 5) handled.files |= 1ull << 15;
  if (version >= 6) handled.scope = 3;
  size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  int rules = (int)syscall(CREATE_RULESET, &handled, size, 0);
  if (rules < 0) return 0;
  int place = open(path, O_PATH | O_CLOEXEC);
  struct stat status;
  int done = 0;
  if (place >= 0 && fstat(place, &status) == 0) {
    struct __attribute__((packed)) {
      uint64_t allowed;
      int32_t place;
    } rule = {S_ISDIR(status.st_mode) ? READ_FILE | READ_DIR : READ_FILE, place};
    done = syscall(ADD_RULE, rules, RULE_PATH, &rule, 0) == 0 && syscall(RESTRICT_SELF, rules, 0) == 0;
  }
  if (place >= 0) close(place);
  close(rules);
  return done;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(index) \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (index))
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define REFUSE_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), REFUSE(EPERM)

static int confine_calls(void) {
#ifdef ARCHITECTURE
  enum { WRITING = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND };
  struct sock_filter filter[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
#ifdef __x86_64__
      // The calls of the x32 interface have other numbers.
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
      REFUSE(EPERM),
      REFUSE_CALL(open),
      REFUSE_CALL(creat),
      REFUSE_CALL(fork),
      REFUSE_CALL(vfork),
      REFUSE_CALL(unlink),
      REFUSE_CALL(rename),
      REFUSE_CALL(mkdir),
      REFUSE_CALL(rmdir),
      REFUSE_CALL(link),
      REFUSE_CALL(symlink),
      REFUSE_CALL(chmod),
      REFUSE_CALL(chown),
      REFUSE_CALL(mknod),
      REFUSE_CALL(lchown),
      REFUSE_CALL(utime),
      REFUSE_CALL(utimes),
      REFUSE_CALL(futimesat),
#endif
      REFUSE_CALL(execve),
      REFUSE_CALL(execveat),
      REFUSE_CALL(socket),
      REFUSE_CALL(socketpair),
      REFUSE_CALL(connect),
      REFUSE_CALL(bind),
      REFUSE_CALL(listen),
      REFUSE_CALL(accept),
      REFUSE_CALL(accept4),
      REFUSE_CALL(sendto),
      REFUSE_CALL(ptrace),
      REFUSE_CALL(process_vm_readv),
      REFUSE_CALL(process_vm_writev),
      REFUSE_CALL(kill),
      REFUSE_CALL(mount),
      REFUSE_CALL(umount2),
      REFUSE_CALL(unlinkat),
      REFUSE_CALL(renameat),
      REFUSE_CALL(renameat2),
      REFUSE_CALL(mkdirat),
      REFUSE_CALL(linkat),
      REFUSE_CALL(symlinkat),
      REFUSE_CALL(mknodat),
      REFUSE_CALL(fchmod),
      REFUSE_CALL(fchmodat),
      REFUSE_CALL(fchown),
      REFUSE_CALL(fchownat),
      REFUSE_CALL(utimensat),
      REFUSE_CALL(setxattr),
      REFUSE_CALL(lsetxattr),
      REFUSE_CALL(fsetxattr),
      REFUSE_CALL(removexattr),
      REFUSE_CALL(lremovexattr),
      REFUSE_CALL(fremovexattr),
      REFUSE_CALL(truncate),
      REFUSE_CALL(ftruncate),
      REFUSE_CALL(memfd_create),
      REFUSE_CALL(bpf),
      REFUSE_CALL(perf_event_open),
      REFUSE_CALL(userfaultfd),
      REFUSE_CALL(keyctl),
      REFUSE_CALL(io_uring_setup),
      REFUSE_CALL(setuid),
      REFUSE_CALL(setgid),
      REFUSE_CALL(unshare),
      REFUSE_CALL(setns),
      REFUSE_CALL(pidfd_open),
      REFUSE_CALL(shmget),
      REFUSE_CALL(msgget),
      REFUSE_CALL(semget),
      REFUSE_CALL(setpriority),
      REFUSE_CALL(ioprio_set),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 452 /* fchmodat2 */, 0, 1),
      REFUSE(EPERM),
      // Its own limits, and not those of another process.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prlimit64, 0, 4),
      LOAD_ARGUMENT(0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Their arguments are in memory, where a filter does not see them; the C library does without.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437 /* openat2 */, 0, 1),
      REFUSE(ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 435 /* clone3 */, 0, 1),
      REFUSE(ENOSYS),
      // A new thread, but no new process.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4),
      LOAD_ARGUMENT(0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Opening for reading.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3),
      LOAD_ARGUMENT(2),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WRITING, 0, 1),
      REFUSE(EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
  return 0;
#endif
}

int bb_isolate(const char *path, size_t memory, unsigned seconds) {
  // It ends with the process that it reads for, whose end of the channel is then closed. A signal at the parent's death would
  // come when the thread that started this process ends, which may be long before.
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NOFILE, 64);
  limit(RLIMIT_CPU, seconds);
  limit(RLIMIT_AS, memory);
  int taken = BB_ISOLATION_LIMITS;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return taken;
  if (confine_files(path)) taken |= BB_ISOLATION_FILES;
  if (confine_calls()) taken |= BB_ISOLATION_CALLS;
  return taken;
}
#else
int bb_isolate(const char *path, size_t memory, unsigned seconds) {
  (void)path;
  (void)memory;
  (void)seconds;
  return 0;
}
#endif
