// A small facade over ncursesw for the TUI target; no curses type or macro appears here, because Swift 6 rejects them.
// Owns: the one terminal of the process (modes, alternate screen, colours), its signals and its repair after a crash.
// Refuses: anything that is not a tty, an unknown TERM, a terminal that cannot move its cursor; it never exits the process.
// Input is handed over as raw bytes: decoding keys is Swift's work, where it can be tested without a terminal.
// All functions belong to one thread, except ct_width, which any thread may call.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What ct_open found.
enum {
  CT_OK = 0,
  CT_NOT_A_TERMINAL = 1,     // standard input or output is not a tty
  CT_UNKNOWN_TERMINAL = 2,   // TERM is empty, or neither it nor its stand-in has a terminfo entry
  CT_CANNOT_MOVE_CURSOR = 3, // TERM=dumb and its like
  CT_NO_RESOURCES = 4        // pipe or memory refused by the system
};

// Text attributes, to be or-ed.
enum { CT_BOLD = 1, CT_DIM = 2, CT_REVERSE = 4, CT_UNDERLINE = 8 };

// Takes over the terminal: raw mode, alternate screen, mouse and bracketed paste where terminfo promises them,
// signal handlers that write to a pipe; any other signal that ends the process repairs the tty first. Standard error is
// held back while the terminal is taken (if it is a tty) and shown when it is given back. Returns CT_OK or a reason.
// Without the mouse, the terminal keeps it for itself.
int ct_open(bool mouse);

// Gives the terminal back exactly as found and restores all signal handlers. Harmless when not open.
void ct_close(void);

// The terminfo entry that stands in for TERM's own, which is missing; NULL where TERM is known.
const char *ct_stand_in(void);

// Current size; also right after a resize, once ct_resize was called.
int ct_columns(void);
int ct_rows(void);

// Colours that the terminal shows: 0, 8, 16, 256, or 1 << 24 for exact ones. A non-empty NO_COLOR makes it 0.
int ct_colours(void);

// Puts UTF-8 text at a cell. Colours are palette indexes, or 0xRRGGBB where they are exact; -1 is the terminal's own.
// Text beyond the edge is cut.
void ct_put(int row, int column, const char *utf8, int foreground, int background, unsigned attributes);

// Shows the cursor at a cell after the next ct_flush; a negative row hides it.
void ct_cursor(int row, int column);

// Sends what was put since the last flush.
void ct_flush(void);

// Sends every cell anew with the next flush.
void ct_clear(void);

// Sends bytes past the screen's cells, such as a sequence for the clipboard; all of them, or none after an error.
void ct_write(const void *bytes, size_t count);

// Takes over the size that the tty reports now.
void ct_resize(void);

// Bytes typed since the last call, without blocking: their count, 0 for none, -1 when the terminal is gone.
long ct_read(uint8_t *bytes, size_t capacity);

// Readable when a signal has arrived; ct_next_signal then names it (0: none left).
int ct_signal_descriptor(void);
int ct_next_signal(void);

// Stops the process group as Ctrl-Z does in a shell and returns after it was continued, screen taken over again.
void ct_suspend(void);

// Gives the terminal to a program and takes it over again when that has ended. Returns its exit status; -1 if it could not
// be started or was killed.
int ct_run(char *const arguments[]);

// Takes the screen over again after a SIGCONT that did not follow ct_suspend.
void ct_resume(void);

// Cells that a Unicode scalar covers: 0, 1 or 2; -1 for what cannot be printed. Agrees with ncurses by construction.
int ct_width(uint32_t scalar);
