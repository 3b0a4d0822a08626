// Inside the SQLite door only.
#ifndef DR_DB_SQLITE_INTERNAL_H
#define DR_DB_SQLITE_INTERNAL_H

#include "db/sqlite.h"

#include <sqlite3.h>

#define DR_SQLITE_MAGIC        0x6472736cu
#define DR_SQLITE_BUSY_MS      5000
#define DR_SQLITE_PROGRESS_OPS 10000 // virtual machine steps between looks at the deadline

struct dr_sqlite {
    uint32_t magic;
    sqlite3 *handle;
    enum dr_sqlite_guard guard;
    bool has_wait;
    struct dr_db_wait wait;
    int64_t busy_since_ms; // start of the present wait for a lock
    int64_t next_tick_ms;
    enum dr_rc stop_rc; // why the progress handler stopped a statement
    struct dr_err stop_err;
    char denied[160]; // what the authorizer refused last; "": nothing
    bool hides_names; // the statement has names that the authorizer is not shown: a trigger's body,
                      // a new name
    struct dr_sqlite_error error;
    char path[4096]; // absolute; "" for :memory:
    uint64_t device, inode;
};

struct dr_sqlite_stmt {
    struct dr_sqlite *db;
    sqlite3_stmt *handle;
    int bind_code; // first failed bind
};

// sqlite_guard.c: the authorizer; ctx is the connection.
int dr_sqlite_authorize(void *ctx, int action, const char *first, const char *second,
                        const char *database, const char *trigger);

// sqlite.c
// Keeps and maps the connection's last error. `stmt_text` is shown in no message.
enum dr_rc dr_sqlite_fail(struct dr_sqlite *db, int code, struct dr_err *err);
// Starts a new call: forgets what stopped or refused the last one.
void dr_sqlite_call_init(struct dr_sqlite *db);

#endif
