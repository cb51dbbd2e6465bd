// The widths of Unicode scalars in cells. They come from wcwidth of the C library, as those of ncurses do, so the two agree.
// The table is filled once, under a UTF-8 locale that only the filling thread sees; planes above 3 have nothing printable.
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <wchar.h>
#include "CTerminal.h"

enum { PLANES_END = 0x40000 };
static signed char widths[PLANES_END];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill(void) {
  locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  locale_t former = utf8 ? uselocale(utf8) : (locale_t)0;
  for (uint32_t scalar = 0; scalar < PLANES_END; scalar++) {
    int width = wcwidth((wchar_t)scalar);
    widths[scalar] = (signed char)(scalar == 0 ? -1 : width > 2 ? 2 : width);
  }
  if (utf8) {
    uselocale(former);
    freelocale(utf8);
  }
}

int ct_width(uint32_t scalar) {
  if (scalar >= 0x20 && scalar < 0x7f) return 1;
  if (scalar >= PLANES_END) return -1;
  pthread_once(&filled, fill);
  return widths[scalar];
}
