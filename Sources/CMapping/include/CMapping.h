// Files mapped into memory that another program may shorten: the kernel then answers a read beyond the new end with
// SIGBUS. Here such a read sees zeros instead, and the mapping is marked, for whoever reads it to look at afterwards.
// Owns: the list of guarded mappings and the process's SIGBUS handler; a fault anywhere else goes to the handler that
// was there before. Source of the method: wl_shm of the Wayland project.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// A guarded mapping's place in the list.
typedef struct cm_guard cm_guard;

// Guards the bytes of a mapping from now on. NULL without memory: the mapping is then as it was, unguarded.
cm_guard *cm_guard_mapping(void *start, size_t length);

// Whether a read met the end of a file that was shortened: bytes from there on are zeros that the file never held.
bool cm_is_cut(const cm_guard *guard);

// Ends the guard; to be called before the mapping is given back. NULL is allowed.
void cm_unguard(cm_guard *guard);

// Puts zeros in place of a guarded mapping from the page of `address` to its end and marks it. False, and nothing
// done, for an address that is not guarded. Async-signal-safe: for the SIGBUS handlers of others who take the signal.
bool cm_mend(void *address);

// Installs the handler, once a process: whoever takes SIGBUS over calls this first and asks cm_mend in its own handler.
void cm_install(void);
