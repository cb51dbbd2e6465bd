// What the files of CTerminal share and nobody else sees.
#pragma once
#include <stdbool.h>

enum { CT_LEAVE_SIZE = 256 };
extern char ct_leave_sequence[CT_LEAVE_SIZE]; // leaves the screen; written by a crash handler

bool ct_signals_install(void); // pipe and saved termios; handlers come with ct_signals_arm
void ct_signals_arm(void);     // handlers, after curses has set its own
void ct_signals_disarm(void);  // crash handlers no longer touch the tty
void ct_signals_remove(void);  // former handlers back, pipe closed
void ct_signals_stop(void);    // stops the process group, returns when continued
int ct_signals_wait_for(char *const arguments[]); // runs a program to its end; its status, or -1
void ct_termios_restore(void);

void ct_stderr_hold(void);    // keeps stray messages off the screen
void ct_stderr_release(void); // shows them
