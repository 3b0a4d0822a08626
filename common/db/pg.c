// Connections: made without blocking, closed without waiting.
#include "db/pg_internal.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Variables that count where the URL is silent; all others of libpq (PGOPTIONS, PGSERVICE,
// PGSSLMODE, ...) do not.
static const char *const kept_variables[] = {"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD",
                                             "PGPASSFILE"};

// libpq reads its variables itself and has no switch for it, so they are taken out of the
// environment. A process that has threads connects once before it starts them, or is started
// without such variables.
static void
clear_environment(void)
{
    for (size_t i = 0; environ != NULL && environ[i] != NULL;) {
        char name[64];
        size_t len = strcspn(environ[i], "=");
        bool is_kept = strncmp(environ[i], "PG", 2) != 0 || len >= sizeof name;
        snprintf(name, sizeof name, "%.*s", (int)(len % sizeof name), environ[i]);
        for (size_t k = 0; k < DR_COUNT_OF(kept_variables); k++) {
            is_kept = is_kept || strcmp(name, kept_variables[k]) == 0;
        }
        if (is_kept || unsetenv(name) != 0) {
            i++;
        } // otherwise the next one has moved to this place
    }
}

static void
add_session(struct dr_pg_settings *settings)
{
    dr_pg_settings_add(settings, "client_encoding", "UTF8");
    // Start-up settings beat those of ALTER DATABASE and ALTER ROLE, and cost no round trip.
    dr_pg_settings_add(
        settings, "options",
        "-csearch_path=pg_catalog,pg_temp -cstandard_conforming_strings=on -cDateStyle=ISO "
        "-cIntervalStyle=postgres -cbytea_output=hex "
        // So that the server too notices a client that is gone (no effect on a Unix socket).
        "-ctcp_keepalives_idle=30 -ctcp_keepalives_interval=10 -ctcp_keepalives_count=3");
}

static bool
is_connecting(const struct dr_pg *pg)
{
    return pg->connecting != PGRES_POLLING_OK && pg->connecting != PGRES_POLLING_FAILED;
}

// Drives the connection to its end. DR_OK: connected or failed, as PQstatus says.
static enum dr_rc
drive(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_err *err)
{
    int64_t deadline =
        wait->deadline_ms != 0 ? wait->deadline_ms : dr_monotonic_ms() + DR_DB_WAIT_DEFAULT_MS;
    while (is_connecting(pg)) {
        struct pollfd fds[2] = {
            {.fd = PQsocket(pg->conn),
             .events = pg->connecting == PGRES_POLLING_READING ? POLLIN : POLLOUT},
            {.fd = wait->cancel_fd > 0 ? wait->cancel_fd : -1, .events = POLLIN},
        };
        int64_t left = deadline - dr_monotonic_ms();
        if (left <= 0) {
            return dr_err_set(err, DR_E_DB_UNREACHABLE, "cannot connect: no answer in time");
        }
        int n = poll(fds, 2, left > 1000 ? 1000 : (int)left);
        if (n > 0 && fds[1].revents != 0) {
            return dr_err_set(err, DR_E_INTERRUPTED, "interrupted while connecting");
        }
        if (n > 0) {
            pg->connecting = PQconnectPoll(pg->conn);
        }
    }
    return DR_OK;
}

// Sends what can be sent without waiting: on a Unix socket, all that the server needs to begin.
static void
send_first(struct dr_pg *pg)
{
    struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLOUT};
    while (pg->connecting == PGRES_POLLING_WRITING && fd.fd >= 0 && poll(&fd, 1, 0) > 0) {
        pg->connecting = PQconnectPoll(pg->conn);
        fd.fd = PQsocket(pg->conn);
    }
}

static enum dr_rc
start(struct dr_pg *pg, const struct dr_pg_options *options, struct dr_err *err)
{
    struct dr_pg_settings settings;
    enum dr_rc rc = dr_pg_settings_parse(&settings, options->url, err);
    if (rc != DR_OK) {
        return rc;
    }
    snprintf(pg->application, sizeof pg->application, "drover%s%.50s",
             options->target == NULL ? "" : "/", options->target == NULL ? "" : options->target);
    dr_pg_settings_defaults(&settings);
    add_session(&settings);
    dr_pg_settings_add(&settings, "application_name", pg->application);
    if (options->password != NULL) {
        // libpq takes the last one of a key
        dr_pg_settings_add(&settings, "password", options->password);
    }
    clear_environment();
    pg->conn = PQconnectStartParams(settings.keys, settings.values, 0);
    dr_pg_settings_fini(&settings);
    return pg->conn == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory for a connection") : DR_OK;
}

enum dr_rc
dr_pg_connect_begin(const struct dr_pg_options *options, struct dr_pg **out, struct dr_err *err)
{
    struct dr_pg *pg = calloc(1, sizeof *pg);
    if (pg == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a connection");
    }
    pg->magic = DR_PG_MAGIC;
    enum dr_rc rc = start(pg, options, err);
    if (rc != DR_OK) {
        dr_pg_close(&pg);
        return rc;
    }
    // The verbose form is the only one that tells the SQLSTATE of a refused start-up.
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg->conn, dr_pg_notice_keep, pg);
    pg->connecting =
        PQstatus(pg->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    send_first(pg);
    *out = pg;
    return DR_OK;
}

enum dr_rc
dr_pg_connect_end(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_err *err)
{
    enum dr_rc rc = drive(pg, wait, err);
    if (rc == DR_OK && PQstatus(pg->conn) != CONNECTION_OK) {
        rc = dr_pg_error_connect(pg->conn, err);
    }
    if (rc == DR_OK && PQsetnonblocking(pg->conn, 1) != 0) {
        rc = dr_err_set(err, DR_E_INTERNAL, "the connection does not take non-blocking mode");
    }
    pg->lost = rc != DR_OK;
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    return rc;
}

enum dr_rc
dr_pg_connect(const struct dr_pg_options *options, const struct dr_db_wait *wait,
              struct dr_pg **out, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    enum dr_rc rc = dr_pg_connect_begin(options, &pg, err);
    if (rc == DR_OK) {
        rc = dr_pg_connect_end(pg, wait, err);
    }
    if (rc != DR_OK) {
        dr_pg_close(&pg);
        return rc;
    }
    *out = pg;
    return DR_OK;
}

void
dr_pg_close(struct dr_pg **pg)
{
    if (*pg != NULL) {
        PQfinish((*pg)->conn);
        (*pg)->magic = 0;
        free(*pg);
        *pg = NULL;
    }
}

bool
dr_pg_is_alive(const struct dr_pg *pg)
{
    return !pg->lost && PQstatus(pg->conn) == CONNECTION_OK;
}

bool
dr_pg_still_there(struct dr_pg *pg)
{
    // The server's last words come before the end, so one look is not enough.
    for (int looks = 0; looks < 8 && dr_pg_is_alive(pg); looks++) {
        struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLIN};
        if (poll(&fd, 1, 0) <= 0) {
            break;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            dr_pg_set_lost(pg, NULL);
        }
    }
    return dr_pg_is_alive(pg);
}

enum dr_pg_tx
dr_pg_tx_status(const struct dr_pg *pg)
{
    if (pg->lost || pg->pipeline.is_on) {
        return DR_PG_TX_UNKNOWN;
    }
    switch (PQtransactionStatus(pg->conn)) {
    case PQTRANS_IDLE:
        return DR_PG_TX_IDLE;
    case PQTRANS_INTRANS:
        return DR_PG_TX_OPEN;
    case PQTRANS_INERROR:
        return DR_PG_TX_FAILED;
    default:
        return DR_PG_TX_UNKNOWN;
    }
}
