// Reads the beginning of a file by SQLite's own means.
#include "CSQLite.h"

#include <sqlite3.h>

int crosscope_sqlite_read_head(const char *path, unsigned char *bytes, int count, long long *size) {
  sqlite3 *connection = 0;
  sqlite3_file *file = 0;
  sqlite3_int64 length = 0;
  int code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, 0);
  if (code == SQLITE_OK) code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK && !file->pMethods) code = SQLITE_CANTOPEN;
  if (code == SQLITE_OK) code = file->pMethods->xFileSize(file, &length);
  if (code == SQLITE_OK) code = file->pMethods->xRead(file, bytes, count, 0);
  if (code == SQLITE_IOERR_SHORT_READ) code = SQLITE_OK;
  *size = length;
  sqlite3_close(connection);
  return code;
}
