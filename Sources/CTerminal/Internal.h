// Declarations that the files of CTerminal share with each other and with nobody else.
#pragma once
#include <stdbool.h>

enum { CT_LEAVE_SIZE = 256 };
extern char ct_leave_sequence[CT_LEAVE_SIZE]; // the bytes that leave the screen; a crash handler writes them

bool ct_signals_install(void); // opens the pipe and saves termios; ct_signals_arm sets the handlers
void ct_signals_arm(void);     // sets the handlers; it comes after curses, which sets its own
void ct_signals_disarm(void);  // from now on crash handlers do not touch the tty
void ct_signals_remove(void);  // restores the former handlers and closes the pipe
void ct_signals_stop(void);    // stops the process group and returns when it is continued
int ct_signals_wait_for(char *const arguments[]); // runs a program to its end; returns its status, or -1
void ct_termios_restore(void);

void ct_stderr_hold(void);    // keeps stray messages off the screen
void ct_stderr_release(void); // shows the messages that were held
