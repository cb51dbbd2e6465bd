// Ends the threads that OpenBLAS starts when it is loaded. Crosscope calls OpenBLAS from its own threads, with one
// OpenBLAS thread each (Compute.swift), so those threads never get work; but they wait by spinning, for a tenth of a
// second on all cores, while the program starts. OpenBLAS itself makes this call before a fork and would start new
// threads if it needed them.

#define _GNU_SOURCE
#include <dlfcn.h>

__attribute__((constructor)) static void end_idle_threads(void) {
  // The function is looked up by name because builds of OpenBLAS without threads do not have it.
  int (*shutdown)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "blas_thread_shutdown_");
  if (shutdown) shutdown();
}
