// Sets the options of a connection.
#include "CSQLite.h"

#include <sqlite3.h>

int crosscope_sqlite_defend(struct sqlite3 *connection) {
  static const struct {
    int option, value;
  } settings[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
      {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
  };
  for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
    int now = -1;
    const int code = sqlite3_db_config(connection, settings[i].option, settings[i].value, &now);
    if (code != SQLITE_OK) return code;
    if (now != settings[i].value) return SQLITE_ERROR;
  }
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 256 << 20);
  return SQLITE_OK;
}

void crosscope_sqlite_ask(struct sqlite3 *connection, int (*isUnwanted)(void *)) {
  sqlite3_progress_handler(connection, 10000, isUnwanted, 0);
}
