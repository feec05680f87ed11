// Isolates itself as a reader of a file does, tries what a reader must not, and prints what it was still able to do.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "CIsolation.h"

#define TRY(what, worked) \
  if (worked) puts(what)

int main(int count, char **arguments) {
  if (count != 3) return 64;
  const char *own = arguments[1], *other = arguments[2];
  int taken = bb_isolate(own, (size_t)4 << 30, 8);
  int file = open(own, O_RDONLY);
  if (file < 0) return 1;
  char name[4096];
  snprintf(name, sizeof name, "%s.new", own);
  struct rlimit limit = {1000, 1000};
  // Only with all of Linux's means are other files out of reach.
  if (taken & BB_ISOLATION_FILES) TRY("read another file", open(other, O_RDONLY) >= 0);
  if (!(taken & BB_ISOLATION_CALLS)) return 2;
  TRY("write the file", open(own, O_WRONLY) >= 0);
  TRY("create a file", open(name, O_RDWR | O_CREAT, 0600) >= 0);
  TRY("remove", unlink(own) == 0);
  TRY("rename", rename(own, name) == 0);
  TRY("link", link(own, name) == 0);
  TRY("make a folder", mkdir(name, 0700) == 0);
  TRY("truncate", truncate(own, 0) == 0);
  TRY("change rights", chmod(own, 0777) == 0 || fchmod(file, 0777) == 0);
  TRY("change the owner", lchown(own, 1, 1) == 0);
  TRY("change times", utimensat(AT_FDCWD, own, NULL, 0) == 0);
  TRY("set an attribute", setxattr(own, "user.benben", "x", 1, 0) == 0);
  TRY("open a socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  TRY("share memory", shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0 || memfd_create("x", 0) >= 0);
  TRY("start a program", execl("/bin/true", "true", NULL) == 0);
  TRY("start a process", fork() > 0);
  TRY("signal its parent", kill(getppid(), 0) == 0);
  TRY("limit its parent", prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0);
  TRY("change priorities", setpriority(PRIO_PROCESS, (id_t)getppid(), 1) == 0);
  TRY("map 5 GB", mmap(NULL, (size_t)5 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  // Its own file stays readable, and its own limits are its own.
  if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) != 0 || open(own, O_RDONLY) < 0) puts("cannot read its file");
  return 0;
}
