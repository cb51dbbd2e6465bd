// Settings of an SQLite connection that Swift cannot reach, because sqlite3_db_config is variadic.
// Owns: making a connection safe for a file that somebody else wrote. Knows no schema.
#ifndef CROSSCOPE_CSQLITE_H
#define CROSSCOPE_CSQLITE_H

struct sqlite3;

/// Makes `connection` safe for an untrusted file (https://www.sqlite.org/security.html): defensive mode, no trusted
/// schema, no triggers, no views, values of at most 256 MiB. Returns an SQLite result code, 0 when all of it took.
int crosscope_sqlite_defend(struct sqlite3 *connection);

#endif
