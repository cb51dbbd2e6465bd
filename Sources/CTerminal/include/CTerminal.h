// A small facade over ncursesw for the TUI target, without curses types or macros, which Swift 6 rejects. It opens and
// closes the one terminal of the process (modes, alternate screen, colours), handles its signals and repairs it after a
// crash. It never exits the process; a terminal that cannot be drawn on is reported by ct_open. Input is passed on as
// raw bytes: Swift decodes the keys, where tests need no terminal. All functions belong to one thread, except ct_width,
// which any thread may call.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The results of ct_open.
enum {
  CT_OK = 0,
  CT_NOT_A_TERMINAL = 1,     // standard input or output is not a tty
  CT_UNKNOWN_TERMINAL = 2,   // TERM is empty, or neither it nor its stand-in has a terminfo entry
  CT_CANNOT_MOVE_CURSOR = 3, // a terminal such as TERM=dumb
  CT_NO_RESOURCES = 4        // the system refused a pipe or memory
};

// Text attributes; they can be combined with `|`.
enum { CT_BOLD = 1, CT_DIM = 2, CT_REVERSE = 4, CT_UNDERLINE = 8 };

// Takes over the terminal: raw mode, alternate screen, mouse and bracketed paste if terminfo promises them, and signal
// handlers that write to a pipe. Any other signal that ends the process repairs the tty first. While the terminal is
// taken, messages on standard error are held back (if it is a tty); they are shown when it is given back. With `mouse`
// false the terminal itself handles the mouse. Returns CT_OK or a reason.
int ct_open(bool mouse);

// Gives the terminal back exactly as it was and restores all signal handlers. Does nothing when the terminal is not open.
void ct_close(void);

// The terminfo entry that is used because TERM's own is missing; NULL if TERM is known.
const char *ct_stand_in(void);

// The current size; after a resize it is right once ct_resize was called.
int ct_columns(void);
int ct_rows(void);

// The number of colours that the terminal shows: 0, 8, 16, 256, or 1 << 24 for exact ones. A non-empty NO_COLOR makes it 0.
int ct_colours(void);

// Puts UTF-8 text at a cell and cuts it at the edge. Colours are palette indexes, or 0xRRGGBB on terminals with exact
// colours; -1 stands for the terminal's own colour.
void ct_put(int row, int column, const char *utf8, int foreground, int background, unsigned attributes);

// Shows the cursor at a cell after the next ct_flush; a negative row hides it.
void ct_cursor(int row, int column);

// Sends what changed since the last flush.
void ct_flush(void);

// Makes the next flush send every cell.
void ct_clear(void);

// Sends bytes that are not part of the screen, such as a clipboard sequence. Sending stops at the first error.
void ct_write(const void *bytes, size_t count);

// Adopts the size that the tty reports now.
void ct_resize(void);

// Reads the bytes typed since the last call, without blocking. Returns their count, 0 for none, -1 if the terminal is gone.
long ct_read(uint8_t *bytes, size_t capacity);

// A descriptor that is readable when a signal has arrived; ct_next_signal then returns the signal (0 if none is left).
int ct_signal_descriptor(void);
int ct_next_signal(void);

// Stops the process group as Ctrl-Z does in a shell. Returns after it was continued and has taken over the screen again.
void ct_suspend(void);

// Gives the terminal to a program and takes it over again when the program has ended. Returns its exit status, or -1 if
// it could not be started or was killed.
int ct_run(char *const arguments[]);

// Takes over the screen again after a SIGCONT that did not follow ct_suspend.
void ct_resume(void);

// The cells that a Unicode scalar covers: 0, 1 or 2, or -1 if it cannot be printed. ncurses uses the same widths.
int ct_width(uint32_t scalar);
