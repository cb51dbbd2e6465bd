// The system's OpenBLAS. Debian keeps the header in a per-architecture directory that the compiler searches.
#pragma once
#include <cblas.h>
