// Copies one database over another by SQLite's backup (https://www.sqlite.org/backup.html).
#include "CSQLite.h"

#include <sqlite3.h>

int crosscope_sqlite_copy(
    sqlite3 *source, sqlite3 *destination, int (*whenLocked)(void *context), void *context) {
  sqlite3_backup *backup = sqlite3_backup_init(destination, "main", source, "main");
  if (!backup) return sqlite3_extended_errcode(destination);
  // The first step takes the destination's write lock, which is held until the end.
  int code = sqlite3_backup_step(backup, 1);
  if (code == SQLITE_OK && whenLocked(context)) code = SQLITE_ABORT;
  if (code == SQLITE_OK) code = sqlite3_backup_step(backup, -1);
  const int end = sqlite3_backup_finish(backup);
  return code == SQLITE_DONE ? end : code;
}
