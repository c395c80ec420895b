// Every sync to the disk takes SLOW_SYNC_MS longer, as on worn-out flash.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
static void wait_long(void) {
  const char* text = getenv("SLOW_SYNC_MS");
  const long ms = text ? atol(text) : 0;
  const struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};
  nanosleep(&pause, 0);
}
int fsync(int fd) {
  wait_long();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
  wait_long();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
