// The screen: opening, closing, drawing, sizes, input bytes. Signals and crashes are in Signals.c, widths in Width.c.
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <ncursesw/curses.h>
#include <ncursesw/term.h>
#include "CTerminal.h"
#include "Internal.h"

static SCREEN *screen;
static bool in_colour;
static int cursor_row = -1, cursor_column = -1;
static char modes_on[64]; // mouse and bracketed paste, where supported and wanted
static bool wants_mouse;
static const char *entry; // the terminfo entry in use; NULL means TERM's own
// Some entries, such as ansi's, say that the cursor goes to the next row as soon as the last column is written. Hardly any
// terminal does so before the next character, and rows would be drawn one off; so the last column then stays unwritten.
static bool spares_last_column;

// Appends a terminfo string without its padding marks.
static void append_capability(char *into, size_t size, const char *name) {
  const char *text = tigetstr(name);
  if (text == NULL || text == (char *)-1) return;
  size_t length = strlen(into);
  while (*text && length + 1 < size) {
    if (text[0] == '$' && text[1] == '<') {
      const char *end = strchr(text, '>');
      if (end) { text = end + 1; continue; }
    }
    into[length++] = *text++;
  }
  into[length] = 0;
}

static void append_text(char *into, size_t size, const char *text) { strncat(into, text, size - strlen(into) - 1); }

static bool has_capability(const char *name) {
  const char *text = tigetstr(name);
  return text != NULL && text != (char *)-1;
}

// Composes the bytes that leave the screen. This happens once, in advance, so that a crash handler only has to write them.
static void compose_sequences(void) {
  char *leave = ct_leave_sequence;
  leave[0] = 0;
  modes_on[0] = 0;
  if (has_capability("kmous")) {
    if (wants_mouse) append_text(modes_on, sizeof modes_on, "\033[?1000h\033[?1006h");
    append_text(modes_on, sizeof modes_on, "\033[?2004h");
    append_text(leave, CT_LEAVE_SIZE, "\033[?1006l\033[?1000l\033[?2004l");
  }
  append_capability(leave, CT_LEAVE_SIZE, "sgr0");
  append_capability(leave, CT_LEAVE_SIZE, "cnorm");
  append_capability(leave, CT_LEAVE_SIZE, "rmkx");
  append_capability(leave, CT_LEAVE_SIZE, "rmcup");
  append_text(leave, CT_LEAVE_SIZE, "\r\n");
}

static void use_utf8_locale(void) {
  const char *name = setlocale(LC_CTYPE, "");
  if (name == NULL || strcasestr(name, "utf") == NULL) setlocale(LC_CTYPE, "C.UTF-8");
}

static bool is_known(const char *term) {
  int found = 0;
  return setupterm(term, STDOUT_FILENO, &found) == OK && found == 1;
}

// The entry used for a terminal that has none of its own: nearly all of today's terminals obey it.
static const char stand_in[] = "xterm-256color";

static int check_terminal(void) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return CT_NOT_A_TERMINAL;
  const char *term = getenv("TERM");
  if (term == NULL || *term == 0) return CT_UNKNOWN_TERMINAL;
  entry = is_known(term) ? NULL : stand_in;
  if (entry != NULL && !is_known(entry)) return CT_UNKNOWN_TERMINAL;
  bool moves = has_capability("cup");
  if (moves) compose_sequences();
  del_curterm(cur_term);
  return moves ? CT_OK : CT_CANNOT_MOVE_CURSOR;
}

static void modes(const char *sequence) {
  size_t length = strlen(sequence);
  if (length) (void)!write(STDOUT_FILENO, sequence, length);
}

// Returns the terminfo entry of this terminal's variant with exact colours, if COLORTERM says that the terminal shows
// them and such an entry exists; otherwise NULL, which stands for TERM itself.
static const char *exact_twin(void) {
  static char name[80];
  const char *says = getenv("COLORTERM"), *term = entry != NULL ? entry : getenv("TERM"), *end;
  if (says == NULL || (strcmp(says, "truecolor") != 0 && strcmp(says, "24bit") != 0)) return NULL;
  if (term == NULL || (end = strstr(term, "-256color")) == NULL || strlen(term) >= sizeof name - 8) return NULL;
  memcpy(name, term, (size_t)(end - term));
  strcpy(name + (end - term), "-direct");
  if (!is_known(name)) return NULL;
  del_curterm(cur_term);
  return name;
}

int ct_open(bool mouse) {
  wants_mouse = mouse;
  use_utf8_locale();
  int found = check_terminal();
  if (found != CT_OK) return found;
  if (!ct_signals_install()) return CT_NO_RESOURCES;
  const char *twin = exact_twin();
  screen = newterm(twin != NULL ? twin : entry, stdout, stdin);
  if (screen == NULL) {
    ct_signals_remove();
    return CT_UNKNOWN_TERMINAL;
  }
  set_term(screen);
  spares_last_column = tigetflag("am") == 1 && tigetflag("xenl") != 1;
  raw();
  noecho();
  nonl();
  typeahead(-1); // input is read by ct_read, curses must not wait for it
  leaveok(stdscr, FALSE);
  curs_set(0);
  const char *no_colour = getenv("NO_COLOR");
  in_colour = (no_colour == NULL || *no_colour == 0) && has_colors() && start_color() == OK;
  if (in_colour) use_default_colors();
  ct_signals_arm();
  ct_stderr_hold();
  refresh();
  def_prog_mode();
  modes(modes_on);
  return CT_OK;
}

void ct_close(void) {
  if (screen == NULL) return;
  ct_signals_disarm();
  modes(modes_on[0] ? "\033[?1006l\033[?1000l\033[?2004l" : "");
  curs_set(1);
  endwin();
  ct_termios_restore();
  delscreen(screen);
  screen = NULL;
  ct_signals_remove();
  ct_stderr_release();
}

// Gives the terminal back for a while: to the shell, or to another program.
static void leave(void) {
  modes(modes_on[0] ? "\033[?1006l\033[?1000l\033[?2004l" : "");
  curs_set(1);
  endwin();
  ct_termios_restore();
  ct_stderr_release();
}

void ct_suspend(void) {
  if (screen == NULL) return;
  leave();
  ct_signals_stop();
  ct_resume();
}

int ct_run(char *const arguments[]) {
  if (screen == NULL) return -1;
  leave();
  int status = ct_signals_wait_for(arguments);
  ct_termios_restore();
  ct_resume();
  return status;
}

void ct_resume(void) {
  if (screen == NULL) return;
  ct_stderr_hold();
  ct_resize();
  reset_prog_mode();
  clearok(curscr, TRUE);
  ct_flush();
  modes(modes_on);
}

const char *ct_stand_in(void) { return screen != NULL ? entry : NULL; }

int ct_columns(void) { return screen ? COLS - spares_last_column : 0; }
int ct_rows(void) { return screen ? LINES : 0; }

void ct_clear(void) {
  if (screen != NULL) clearok(curscr, TRUE);
}

void ct_write(const void *bytes, size_t count) {
  const char *rest = bytes;
  while (screen != NULL && count > 0) {
    ssize_t written = write(STDOUT_FILENO, rest, count);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written <= 0) return;
    rest += written;
    count -= (size_t)written;
  }
}

int ct_colours(void) {
  if (!in_colour) return 0;
  if (COLORS >= 1 << 24) return 1 << 24;
  return COLORS >= 256 ? 256 : COLORS >= 16 ? 16 : 8;
}

void ct_put(int row, int column, const char *utf8, int foreground, int background, unsigned attributes) {
  attr_t flags = A_NORMAL;
  if (attributes & CT_BOLD) flags |= A_BOLD;
  if (attributes & CT_DIM) flags |= A_DIM;
  if (attributes & CT_REVERSE) flags |= A_REVERSE;
  if (attributes & CT_UNDERLINE) flags |= A_UNDERLINE;
  int pair = in_colour && (foreground >= 0 || background >= 0) ? alloc_pair(foreground, background) : 0;
  if (pair < 0) pair = 0;
  attr_set(flags, 0, &pair);
  mvaddstr(row, column, utf8); // an error only says that the cursor stands behind the last cell
  pair = 0;
  attr_set(A_NORMAL, 0, &pair);
}

void ct_cursor(int row, int column) {
  cursor_row = row;
  cursor_column = column;
}

void ct_flush(void) {
  if (screen == NULL) return;
  curs_set(cursor_row >= 0 ? 1 : 0);
  if (cursor_row >= 0) move(cursor_row, cursor_column);
  refresh();
}

void ct_resize(void) {
  struct winsize size;
  if (screen == NULL || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  if (size.ws_row > 0 && size.ws_col > 0) resizeterm(size.ws_row, size.ws_col);
  erase();
  clearok(curscr, TRUE);
}

long ct_read(uint8_t *bytes, size_t capacity) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  int ready = poll(&input, 1, 0);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return 0;
  if (ready < 0 || !(input.revents & POLLIN)) return -1;
  ssize_t count = read(STDIN_FILENO, bytes, capacity);
  if (count > 0) return count;
  return count < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
}
