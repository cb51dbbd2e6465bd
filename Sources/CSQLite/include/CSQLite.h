// Settings of an SQLite connection that Swift cannot reach: sqlite3_db_config is variadic, and GRDB exports no SQLite.
// Owns: making a connection safe for a file that somebody else wrote, ending statements. Knows no schema.
#ifndef CROSSCOPE_CSQLITE_H
#define CROSSCOPE_CSQLITE_H

struct sqlite3;

/// Makes `connection` safe for an untrusted file (https://www.sqlite.org/security.html): defensive mode, no trusted
/// schema, no triggers, no views, values of at most 256 MiB. Returns an SQLite result code, 0 when all of it took.
int crosscope_sqlite_defend(struct sqlite3 *connection);

/// Has `connection` ask `isUnwanted` every 10,000 instructions of a statement, and end the statement with SQLITE_INTERRUPT
/// where that is not 0. Asked on the thread that runs the statement.
void crosscope_sqlite_ask(struct sqlite3 *connection, int (*isUnwanted)(void *));

#endif
