// The handler may interrupt any code, so it takes no lock: guards live in blocks that are never freed, and each is read
// under a version number that is odd while the guard is being changed.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "CMapping.h"

struct cm_guard {
  atomic_uint version;
  atomic_uintptr_t start; // 0: free
  atomic_size_t length;
  atomic_bool is_cut;
};

enum { BLOCK = 64 };
typedef struct block {
  struct cm_guard guards[BLOCK];
  struct block *next; // set before the block is seen, never changed
} block;

static _Atomic(block *) blocks;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t installed = PTHREAD_ONCE_INIT;
static struct sigaction former;
static size_t page_size;

static void set(struct cm_guard *guard, uintptr_t start, size_t length) {
  atomic_fetch_add(&guard->version, 1);
  atomic_store(&guard->start, start);
  atomic_store(&guard->length, length);
  atomic_store(&guard->is_cut, false);
  atomic_fetch_add(&guard->version, 1);
}

static struct cm_guard *free_guard(void) {
  for (block *in = atomic_load(&blocks); in; in = in->next)
    for (int i = 0; i < BLOCK; i++)
      if (atomic_load(&in->guards[i].start) == 0) return &in->guards[i];
  block *more = calloc(1, sizeof *more);
  if (more == NULL) return NULL;
  more->next = atomic_load(&blocks);
  atomic_store(&blocks, more);
  return &more->guards[0];
}

cm_guard *cm_guard_mapping(void *start, size_t length) {
  cm_install();
  pthread_mutex_lock(&changing);
  struct cm_guard *guard = free_guard();
  if (guard) set(guard, (uintptr_t)start, length);
  pthread_mutex_unlock(&changing);
  return guard;
}

bool cm_is_cut(const cm_guard *guard) { return guard != NULL && atomic_load(&guard->is_cut); }

void cm_unguard(cm_guard *guard) {
  if (guard == NULL) return;
  pthread_mutex_lock(&changing);
  set(guard, 0, 0);
  pthread_mutex_unlock(&changing);
}

// Reads start and length of a guard as they were at one moment.
static void bounds(struct cm_guard *guard, uintptr_t *start, size_t *length) {
  unsigned before;
  do {
    before = atomic_load(&guard->version);
    *start = atomic_load(&guard->start);
    *length = atomic_load(&guard->length);
  } while (before % 2 != 0 || atomic_load(&guard->version) != before);
}

bool cm_mend(void *address) {
  uintptr_t at = (uintptr_t)address;
  for (block *in = atomic_load(&blocks); in; in = in->next) {
    for (int i = 0; i < BLOCK; i++) {
      uintptr_t start;
      size_t length;
      bounds(&in->guards[i], &start, &length);
      if (start == 0 || at < start || at - start >= length) continue;
      uintptr_t page = at / page_size * page_size;
      // The mark comes before the zeros, so that whoever sees the zeros sees the mark too.
      atomic_store(&in->guards[i].is_cut, true);
      return mmap((void *)page, start + length - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
        != MAP_FAILED;
    }
  }
  return false;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  int error = errno;
  // A SIGBUS sent by kill has no address.
  if (info->si_code > 0 && cm_mend(info->si_addr)) {
    errno = error;
    return;
  }
  if (former.sa_flags & SA_SIGINFO) {
    former.sa_sigaction(number, info, context);
  } else if (former.sa_handler == SIG_DFL || former.sa_handler == SIG_IGN) {
    // When this returns, the instruction runs again and ends the process as it would have done without a handler.
    sigaction(number, &former, NULL);
    if (info->si_code <= 0) raise(number);
  } else {
    former.sa_handler(number);
  }
}

static void install(void) {
  page_size = (size_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigaction(SIGBUS, &action, &former);
}

void cm_install(void) { pthread_once(&installed, install); }
