// The process-wide worker pool: its threads live as long as the process, spin briefly for the next task, then sleep on a
// futex. Starting a task takes well under a microsecond while workers spin; a token has hundreds of small products.
#define _GNU_SOURCE
#include "CKernels.h"
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { max_threads = 64, spins_before_sleep = 4000 };

// `open` holds the generation (high half) and the number of parts that no thread has claimed yet (low half). Threads
// claim a part by compare-and-swap, so a successful claim proves that the run still waits for this part, and that task
// and context are those of this run.
static struct {
  int threads;
  ck_task task;
  void *context;
  _Alignas(64) _Atomic uint64_t open;
  _Alignas(64) _Atomic uint32_t generation;
  _Alignas(64) _Atomic int sleepers;
  _Alignas(64) _Atomic int unfinished;
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

// Runs parts until none is left to claim. A worker that comes late finds none, and no thread waits for it.
static void run_parts(void) {
  uint64_t open = atomic_load_explicit(&pool.open, memory_order_acquire);
  while ((uint32_t)open) {
    if (!atomic_compare_exchange_weak_explicit(&pool.open, &open, open - 1, memory_order_acq_rel, memory_order_acquire))
      continue;
    pool.task(pool.context, pool.threads - (int)(uint32_t)open, pool.threads);
    atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
    open = atomic_load_explicit(&pool.open, memory_order_acquire);
  }
}

static void *work(void *argument) {
  (void)argument;
  uint32_t seen = 0;
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
    run_parts();
  }
  return NULL;
}

static _Atomic int wanted = 0;
void ck_pool_limit(int threads) { atomic_store(&wanted, threads); }

static void start(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const char *asked = getenv("CROSSCOPE_THREADS");
  if (asked && atoi(asked) > 0) count = atoi(asked);
  if (atomic_load(&wanted) > 0) count = atomic_load(&wanted);
  if (count > max_threads) count = max_threads;
  pool.threads = 1;
#if defined(__GLIBC__)
  // A pass frees memory that the next one asks for again; if it went back to the system, it would return as page faults.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
  // Workers must not take the signals that the terminal code waits for. They must take those that they cause
  // themselves, or the system ends the process without calling a handler.
  static const int own[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
  sigset_t all, before;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
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
  atomic_store_explicit(&pool.unfinished, pool.threads, memory_order_relaxed);
  uint32_t generation = atomic_load_explicit(&pool.generation, memory_order_relaxed) + 1;
  atomic_store_explicit(&pool.open, (uint64_t)generation << 32 | (uint32_t)pool.threads, memory_order_release);
  atomic_store(&pool.generation, generation);
  if (atomic_load(&pool.sleepers))
    syscall(SYS_futex, &pool.generation, FUTEX_WAKE_PRIVATE, pool.threads, NULL, NULL, 0);
  inside = 1;
  run_parts();
  inside = 0;
  // With fewer free cores than threads a worker may be descheduled: yield instead of burning the time that it needs.
  for (int spins = 0; atomic_load_explicit(&pool.unfinished, memory_order_acquire); spins++) {
    relax();
    if (spins > 2000) sched_yield();
  }
  pthread_mutex_unlock(&turn);
}
