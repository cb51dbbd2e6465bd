// CLONES marks plain C functions that the compiler vectorises once for each processor level; the loader picks one.
// ThreadSanitizer builds have one version only, because the loader picks before the sanitizer is ready.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLONES
#endif
#endif
#if !defined(CLONES) && defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif !defined(CLONES)
#define CLONES
#endif
