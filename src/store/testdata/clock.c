// Moves the clock of a process by the seconds that the file $CLOCK_FILE holds, read again now and then. Preloaded by the tests of clocks:
//   cc -shared -fPIC -o clock.so clock.c -ldl && LD_PRELOAD=./clock.so CLOCK_FILE=offset node …
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static atomic_long offset;
static atomic_uint calls;

static long moved(void) {
  if (atomic_fetch_add(&calls, 1) % 64 == 0) {
    const char *path = getenv("CLOCK_FILE");
    FILE *file = path ? fopen(path, "r") : NULL;
    long seconds;
    if (file) {
      if (fscanf(file, "%ld", &seconds) == 1) atomic_store(&offset, seconds);
      fclose(file);
    }
  }
  return atomic_load(&offset);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, out);
  // Time since the start of the machine goes on as it did: nobody can set it.
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) out->tv_sec += moved();
  return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
