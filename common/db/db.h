// What both database doors share: how long to wait and who may interrupt, and what kind of database
// a URL names.
#ifndef DR_DB_DB_H
#define DR_DB_DB_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DR_DB_URL_MAX 4096u // bytes of a URL or connection string

enum dr_db_kind { DR_DB_UNKNOWN = 0, DR_DB_POSTGRES = 1, DR_DB_SQLITE = 2 };

// How long a call may take and who may interrupt it. Plain data, borrowed for the call; NULL is not
// allowed.
struct dr_db_wait {
    int64_t
        deadline_ms;  // on dr_monotonic_ms(); 0: DR_DB_WAIT_DEFAULT_MS from the start of the call
    int cancel_fd;    // readable: the running statement is cancelled, DR_E_INTERRUPTED; <= 0: none
    uint32_t tick_ms; // call `on_tick` this often while the server works; 0: never
    // Runs while this connection waits; may use another connection. Anything but DR_OK cancels the
    // running statement and becomes the result of the call (with what it wrote to `err`).
    enum dr_rc (*on_tick)(void *ctx, struct dr_err *err);
    void *ctx;
};
#define DR_DB_WAIT_DEFAULT_MS 30000

// A wait of `timeout_ms` from now without cancel or tick.
struct dr_db_wait dr_db_wait_ms(int64_t timeout_ms);

// The kind that `url` names: "postgresql://", "postgres://" and their "+driver" forms of other
// tools
// ("postgresql+asyncpg://"), or a connection string with dbname=: POSTGRES; "sqlite:": SQLITE; else
// UNKNOWN.
enum dr_db_kind dr_db_kind_of(const char *url);

// A copy of `url` that may be shown: the password is replaced by "***". Never fails; `out_size`
// >= 16.
void dr_db_url_show(const char *url, char *out, size_t out_size);

// The path that a SQLite URL names: "sqlite:app.db", "sqlite:/srv/app.db", and as other tools write
// it "sqlite:///app.db" (relative) and "sqlite:////srv/app.db". DR_E_DB_URL when it is none.
DR_MUST_CHECK enum dr_rc
dr_db_sqlite_path(const char *url, char *out, size_t out_size, struct dr_err *err);

#endif
