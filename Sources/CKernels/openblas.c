// Ends the threads that OpenBLAS begins when it is loaded.
// Crosscope calls it from threads of its own, one OpenBLAS thread each (Compute.swift), so those never work; but they
// wait by spinning, for a tenth of a second on as many cores as there are, while the program starts.
// Owns: that one call. OpenBLAS makes the same one before a fork; begins new threads should they be needed.

#define _GNU_SOURCE
#include <dlfcn.h>

__attribute__((constructor)) static void end_idle_threads(void) {
  // Looked up by name: builds of OpenBLAS without threads do not have it.
  int (*shutdown)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "blas_thread_shutdown_");
  if (shutdown) shutdown();
}
