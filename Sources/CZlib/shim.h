// Imports the system's zlib, which inflates members of zip archives and gzip files. Swift does not see the macros with
// which a stream is opened, so they are functions here.
#pragma once
#include <zlib.h>

// Opens a stream for raw deflate data (window_bits -15) or gzip (15 + 16).
static inline int zlib_open(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }

// Opens a stream that writes gzip. `level` is 1 to 9.
static inline int zlib_open_gzip_writer(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
