// Files mapped into memory may be shortened by another program; the kernel then answers a read beyond the new end with
// SIGBUS. For mappings guarded here such a read sees zeros instead, and the mapping is marked as cut, which its reader
// checks afterwards. This target installs the process's SIGBUS handler; a fault at any other address goes on to the
// handler that was installed before. The method is that of wl_shm in the Wayland project.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// The entry of one guarded mapping in the list.
typedef struct cm_guard cm_guard;

// Guards the bytes of a mapping from now on. Returns NULL if there is no memory; the mapping then works without a guard.
cm_guard *cm_guard_mapping(void *start, size_t length);

// Whether a read went beyond the end of a file that was shortened: bytes from there on are zeros that the file never held.
bool cm_is_cut(const cm_guard *guard);

// Ends the guard. Call it before unmapping; NULL is allowed.
void cm_unguard(cm_guard *guard);

// Puts zeros in place of a guarded mapping, from the page of `address` to its end, and marks the mapping as cut.
// Returns false and does nothing if no guard covers the address. It is async-signal-safe, for other handlers of SIGBUS.
bool cm_mend(void *address);

// Installs the handler once. Code that replaces the SIGBUS handler calls this first, and cm_mend in its own handler.
void cm_install(void);
