// Opaque facade over ncursesw: no curses type or macro appears here, because Swift 6 rejects them.
#pragma once
int ct_placeholder(void);
