// The process-wide worker pool: persistent threads that spin briefly for the next task, then sleep on a futex.
// A dispatch costs well under a microsecond while workers spin, which a token's few hundred small products need.
#define _GNU_SOURCE
#include "CKernels.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { max_threads = 64, spins_before_sleep = 4000 };

static struct {
  int threads;
  ck_task task;
  void *context;
  _Alignas(64) _Atomic int generation;
  _Alignas(64) _Atomic int sleepers;
  _Alignas(64) _Atomic int pending;
} pool;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int inside;

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void *work(void *argument) {
  int thread = (int)(intptr_t)argument;
  int seen = 0;
  inside = 1;
  for (;;) {
    int spins = 0;
    while (atomic_load_explicit(&pool.generation, memory_order_acquire) == seen) {
      if (++spins < spins_before_sleep) {
        relax();
      } else {
        atomic_fetch_add(&pool.sleepers, 1);
        while (atomic_load(&pool.generation) == seen)
          syscall(SYS_futex, &pool.generation, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        atomic_fetch_sub(&pool.sleepers, 1);
      }
    }
    seen = atomic_load_explicit(&pool.generation, memory_order_acquire);
    pool.task(pool.context, thread, pool.threads);
    atomic_fetch_sub_explicit(&pool.pending, 1, memory_order_release);
  }
  return NULL;
}

static void start(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const char *asked = getenv("CROSSCOPE_THREADS");
  if (asked && atoi(asked) > 0) count = atoi(asked);
  if (count > max_threads) count = max_threads;
  pool.threads = 1;
  // Workers must never take the signals that the terminal's owner waits for.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (int i = 1; i < count; i++) {
    pthread_t id;
    if (pthread_create(&id, NULL, work, (void *)(intptr_t)i) != 0) break;
    pthread_detach(id);
    pool.threads = i + 1;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int ck_pool_threads(void) {
  pthread_once(&once, start);
  return pool.threads;
}

void ck_pool_run(ck_task task, void *context) {
  pthread_once(&once, start);
  if (inside || pool.threads == 1) {
    for (int i = 0; i < pool.threads; i++) task(context, i, pool.threads);
    return;
  }
  pthread_mutex_lock(&turn);
  pool.task = task;
  pool.context = context;
  atomic_store_explicit(&pool.pending, pool.threads - 1, memory_order_relaxed);
  atomic_fetch_add(&pool.generation, 1);
  if (atomic_load(&pool.sleepers))
    syscall(SYS_futex, &pool.generation, FUTEX_WAKE_PRIVATE, pool.threads, NULL, NULL, 0);
  inside = 1;
  task(context, 0, pool.threads);
  inside = 0;
  // With fewer free cores than threads a worker may be off the processor: give way instead of burning its time.
  for (int spins = 0; atomic_load_explicit(&pool.pending, memory_order_acquire); spins++) {
    relax();
    if (spins > 20000) sched_yield();
  }
  pthread_mutex_unlock(&turn);
}
