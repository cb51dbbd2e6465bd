// Plain texts that ship inside the program, for comparisons of models to which no texts are given.
#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin
// JSON lines {"source", "text"}, not terminated by a zero; stores their number of bytes.
const void *crosscope_texts(size_t *size);
#pragma clang assume_nonnull end
