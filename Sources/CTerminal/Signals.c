// The terminal's signals. Those that are handled later go through a pipe; those of a crash repair the tty at once.
// Handlers call only async-signal-safe functions: write, tcsetattr, lseek, read, dup2, sigaction, raise. A stack
// overflow outside the main thread cannot be repaired, because only the main thread has an alternate signal stack.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "CMapping.h"
#include "CTerminal.h"
#include "Internal.h"

char ct_leave_sequence[CT_LEAVE_SIZE];

static const int reported[] = {SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT};
// All other signals that end a process by default, from outside or from the system. They end this one after repairing the tty.
static const int crashes[] = {SIGSEGV, SIGABRT, SIGILL,  SIGTRAP, SIGBUS,  SIGFPE,  SIGQUIT,
                              SIGSYS,  SIGXCPU, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE};
static const int endings[] = {SIGTERM, SIGHUP}; // these end a stopped job
enum {
  REPORTED = sizeof reported / sizeof *reported,
  CRASHES = sizeof crashes / sizeof *crashes,
  ENDINGS = sizeof endings / sizeof *endings
};

static struct sigaction former_reported[REPORTED], former_crashes[CRASHES];
static struct termios saved;
static bool have_saved;
static volatile sig_atomic_t armed, ending;
static int signal_pipe[2] = {-1, -1};
static int held = -1, real_stderr = -1; // the file that collects messages, and where they belong
static char alternate_stack[64 * 1024];

static void show_held_messages(void) {
  char block[1024];
  ssize_t count;
  if (held < 0 || real_stderr < 0) return;
  dup2(real_stderr, STDERR_FILENO);
  lseek(held, 0, SEEK_SET);
  while ((count = read(held, block, sizeof block)) > 0)
    if (write(STDERR_FILENO, block, (size_t)count) < 0) break;
}

static void repair(void) {
  if (!armed) return;
  armed = 0;
  (void)!write(STDOUT_FILENO, ct_leave_sequence, strlen(ct_leave_sequence));
  if (have_saved) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  show_held_messages();
}

static void end_with(int number) {
  struct sigaction fall_back = {.sa_handler = SIG_DFL};
  sigaction(number, &fall_back, NULL);
  raise(number);
}

static void on_crash(int number) {
  repair();
  end_with(number);
}

// If the fault lies in a mapped file that was shortened, zeros take its place and the reader of the file reports it.
static void on_bus_error(int number, siginfo_t *info, void *context) {
  int error = errno;
  (void)context;
  if (info->si_code <= 0 || !cm_mend(info->si_addr)) on_crash(number);
  errno = error;
}

static void on_report(int number) {
  int error = errno;
  unsigned char byte = (unsigned char)number;
  bool ends = number == SIGTERM || number == SIGINT || number == SIGHUP;
  if (ends && ending) { // a second request, the first one unanswered: the program hangs
    repair();
    end_with(number);
  }
  if (ends) ending = 1;
  (void)!write(signal_pipe[1], &byte, 1);
  errno = error;
}

bool ct_signals_install(void) {
  have_saved = tcgetattr(STDIN_FILENO, &saved) == 0;
  ending = 0;
  if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  for (int i = 0; i < REPORTED; i++) sigaction(reported[i], NULL, &former_reported[i]);
  cm_install(); // first, because ours replaces it and later gives way to it again
  for (int i = 0; i < CRASHES; i++) sigaction(crashes[i], NULL, &former_crashes[i]);
  return true;
}

void ct_signals_arm(void) {
  struct sigaction report = {.sa_handler = on_report, .sa_flags = SA_RESTART};
  struct sigaction crash = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
  struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  sigaltstack(&stack, NULL);
  for (int i = 0; i < REPORTED; i++) sigaction(reported[i], &report, NULL);
  for (int i = 0; i < CRASHES; i++) // signals that the parent ignores (nohup, a pipe) stay ignored
    if (former_crashes[i].sa_handler != SIG_IGN) sigaction(crashes[i], crashes[i] == SIGBUS ? &bus : &crash, NULL);
  armed = 1;
}

void ct_signals_disarm(void) { armed = 0; }

void ct_signals_remove(void) {
  for (int i = 0; i < REPORTED; i++) sigaction(reported[i], &former_reported[i], NULL);
  for (int i = 0; i < CRASHES; i++) sigaction(crashes[i], &former_crashes[i], NULL);
  for (int i = 0; i < 2; i++) {
    if (signal_pipe[i] >= 0) close(signal_pipe[i]);
    signal_pipe[i] = -1;
  }
}

// The whole process group is stopped, as the tty would do it, so that a `make` around this program stops too. Then this
// process stops itself with a signal to this thread, so that no code runs before the stop takes effect. The thread may be one
// of Dispatch's workers, which block most signals. During the stop the shell has the tty and nobody reads the pipe, but a
// `kill` of the stopped job must end it: the ending signals have their default action meanwhile, and this thread takes them
// before it goes on. Otherwise its first access to the tty from the background could stop the process again with the signal
// still pending. That access happens here, so that a job that was continued in the background only can still be ended.
void ct_signals_stop(void) {
  struct sigaction former, former_endings[ENDINGS], ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
  sigset_t taken, mask;
  sigemptyset(&taken);
  sigaddset(&taken, SIGTSTP);
  sigaddset(&taken, SIGTTOU);
  armed = 0;
  for (int i = 0; i < ENDINGS; i++) {
    sigaddset(&taken, endings[i]);
    sigaction(endings[i], &usual, &former_endings[i]);
  }
  sigaction(SIGTSTP, &ignore, &former);
  kill(0, SIGTSTP);
  sigaction(SIGTSTP, &usual, NULL);
  pthread_sigmask(SIG_UNBLOCK, &taken, &mask);
  raise(SIGTSTP);
  if (have_saved) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  sigaction(SIGTSTP, &former, NULL);
  for (int i = 0; i < ENDINGS; i++) sigaction(endings[i], &former_endings[i], NULL);
  armed = 1;
}

// While another program has the tty, keys that send signals are meant for that program. It alone gets interrupt and
// quit; a stop key stops both, as the shell expects of a job. If the other program stops by itself, it is continued at
// once, because nobody else would do so.
int ct_signals_wait_for(char *const arguments[]) {
  struct sigaction former[3], ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
  static const int keys[] = {SIGINT, SIGQUIT, SIGTSTP};
  posix_spawnattr_t attributes;
  sigset_t none, all;
  pid_t child;
  int status = 0;
  sigemptyset(&none);
  sigfillset(&all);
  if (posix_spawnattr_init(&attributes) != 0) return -1;
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  for (int i = 0; i < 3; i++) sigaction(keys[i], keys[i] == SIGTSTP ? &usual : &ignore, &former[i]);
  armed = 0;
  int failure = posix_spawn(&child, arguments[0], NULL, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  while (failure == 0 && (waitpid(child, &status, WUNTRACED) < 0 ? errno == EINTR : WIFSTOPPED(status)))
    if (WIFSTOPPED(status)) kill(child, SIGCONT);
  for (int i = 0; i < 3; i++) sigaction(keys[i], &former[i], NULL);
  armed = 1;
  return failure == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void ct_termios_restore(void) {
  if (have_saved) tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

int ct_signal_descriptor(void) { return signal_pipe[0]; }

int ct_next_signal(void) {
  unsigned char byte = 0;
  if (signal_pipe[0] < 0 || read(signal_pipe[0], &byte, 1) != 1) return 0;
  if (byte == SIGINT) ending = 0; // the program may decide to go on after an interrupt
  return byte;
}

void ct_stderr_hold(void) {
  if (held >= 0 || !isatty(STDERR_FILENO)) return;
  char path[] = "/tmp/crosscope-messages-XXXXXX";
  int file = mkostemp(path, O_CLOEXEC);
  if (file < 0) return;
  unlink(path);
  real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (real_stderr < 0) {
    close(file);
    return;
  }
  held = file;
  dup2(held, STDERR_FILENO);
}

void ct_stderr_release(void) {
  show_held_messages();
  if (held >= 0) close(held);
  if (real_stderr >= 0) close(real_stderr);
  held = real_stderr = -1;
}
