// Imports the system's OpenBLAS. Debian keeps its header in a per-architecture directory that the compiler searches.
#pragma once
#include <cblas.h>
#include <stdlib.h>

// Only builds with the kernels of several processors export these two, so they may be missing.
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

// Chooses the kernels of a processor by OpenBLAS's name for it, before anything is computed. Returns 0 if it cannot.
static inline int openblas_choose_core(const char *name) {
  if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit || setenv("OPENBLAS_CORETYPE", name, 1) != 0) return 0;
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  return 1;
}

// LAPACK's eigenvalues and eigenvectors of a symmetric matrix. OpenBLAS has it, and its header does not name it.
extern void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *lda, double *values,
                    double *work, const int *lwork, int *iwork, const int *liwork, int *info);
