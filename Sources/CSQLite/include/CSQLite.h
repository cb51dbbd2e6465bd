// The parts of SQLite that Swift cannot reach: sqlite3_db_config is variadic, and GRDB exports no SQLite. They make a
// connection safe for a file that somebody else wrote, end statements, read a file's first bytes, and copy one database
// over another. They know no schema.
#ifndef CROSSCOPE_CSQLITE_H
#define CROSSCOPE_CSQLITE_H

struct sqlite3;

/// Makes `connection` safe for an untrusted file (https://www.sqlite.org/security.html): defensive mode, no trusted
/// schema, no triggers, no views, values of at most 256 MiB. Returns an SQLite result code; 0 means that all settings
/// hold.
int crosscope_sqlite_defend(struct sqlite3 *connection);

/// Makes `connection` call `isUnwanted` every 10,000 instructions of a statement, and end the statement with
/// SQLITE_INTERRUPT if the result is not 0. The call is on the thread that runs the statement.
void crosscope_sqlite_ask(struct sqlite3 *connection, int (*isUnwanted)(void *));

/// Reads the first `count` bytes of the file at `path` into `bytes` and its size into `size`. If the file is shorter,
/// the rest of `bytes` is 0. Returns an SQLite result code.
///
/// SQLite itself opens and closes the file. If this process used open and close, it would lose the locks of all its
/// connections to the file (https://www.sqlite.org/howtocorrupt.html, section 2.2).
int crosscope_sqlite_read_head(const char *path, unsigned char *bytes, int count, long long *size);

/// Replaces all of `destination` by `source` in one transaction of `destination`, which must have no transaction open.
///
/// Once no other connection can write to `destination`, `whenLocked` is called with `context`. It may read the
/// destination through another connection, and write to `source` through this one. If it does not return 0, the
/// destination stays as it is and the result is SQLITE_ABORT. Returns an SQLite result code; 0 means success.
int crosscope_sqlite_copy(
    struct sqlite3 *source, struct sqlite3 *destination, int (*whenLocked)(void *context), void *context);

#endif
