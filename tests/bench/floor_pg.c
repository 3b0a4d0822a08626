// The floor for PostgreSQL: the least that a program must do to migrate with one version row per
// revision. It reads a folder of revisions and the version table, and applies what is missing: a
// transaction per revision, every statement its own call of the protocol, pipelined with one flush
// per revision, every status checked.
//
//   floor_pg apply|down|status URL FOLDER [--late-flush] [--count]
//
// --late-flush commits all but the last revision with synchronous_commit=off; --count prints the
// round trips.

#define _GNU_SOURCE
#include "chain.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAKE_TABLE                                                                                 \
    "CREATE TABLE IF NOT EXISTS floor_version (name text PRIMARY KEY, at timestamptz NOT NULL "    \
    "DEFAULT now())"
#define READ_TABLE "SELECT name FROM floor_version ORDER BY name"

struct floor {
    PGconn *conn;
    const char *folder;
    int round_trips;
    int is_late_flush;
    int pending; // results and the sync that the server still owes
};

static void
ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static PGresult *
ask(struct floor *floor, const char *sql, ExecStatusType wanted)
{
    floor->round_trips++;
    PGresult *result = PQexec(floor->conn, sql);
    if (PQresultStatus(result) != wanted) {
        die(sql, PQerrorMessage(floor->conn));
    }
    return result;
}

// Takes what has arrived; every statement answers with one result and a NULL, the sync with one
// result.
static void
take_results(struct floor *floor)
{
    while (floor->pending > 0 && !PQisBusy(floor->conn)) {
        PGresult *result = PQgetResult(floor->conn);
        if (!result) {
            continue;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
            status != PGRES_PIPELINE_SYNC) {
            die("statement", PQresultErrorMessage(result));
        }
        floor->pending--;
        PQclear(result);
    }
}

// Sends what is queued as far as the socket takes it, and reads meanwhile; with all != 0 until
// nothing is owed.
static void
pump(struct floor *floor, int all)
{
    for (;;) {
        int unsent = PQflush(floor->conn);
        if (unsent < 0) {
            die("send", PQerrorMessage(floor->conn));
        }
        if (!unsent && !all) {
            return;
        }
        take_results(floor);
        if (all && floor->pending == 0) {
            return;
        }
        struct pollfd wait = {PQsocket(floor->conn), (short)(unsent ? POLLIN | POLLOUT : POLLIN),
                              0};
        poll(&wait, 1, -1);
        if ((wait.revents & POLLIN) && !PQconsumeInput(floor->conn)) {
            die("receive", PQerrorMessage(floor->conn));
        }
    }
}

static void
send_statement(struct floor *floor, const char *sql, const char *value)
{
    if (!PQsendQueryParams(floor->conn, sql, value ? 1 : 0, NULL, value ? &value : NULL, NULL, NULL,
                           0)) {
        die(sql, PQerrorMessage(floor->conn));
    }
    floor->pending++;
    if (floor->pending % 256 == 0) {
        pump(floor, 0);
    }
}

static void
run_revision(struct floor *floor, const char *name, int is_up, int is_last)
{
    struct text text = text_load(floor->folder, name, is_up ? "up" : "down");
    send_statement(floor, "BEGIN", NULL);
    if (floor->is_late_flush && !is_last) {
        send_statement(floor, "SET LOCAL synchronous_commit = off", NULL);
    }
    for (char *sql; (sql = next_statement(&text));) {
        send_statement(floor, sql, NULL);
    }
    send_statement(floor,
                   is_up ? "INSERT INTO floor_version (name) VALUES ($1)"
                         : "DELETE FROM floor_version WHERE name = $1",
                   name);
    send_statement(floor, "COMMIT", NULL);
    if (!PQpipelineSync(floor->conn)) {
        die("sync", PQerrorMessage(floor->conn));
    }
    floor->pending++;
    floor->round_trips++;
    pump(floor, 1);
    free(text.bytes);
}

// Whether the sorted list of applied names has name.
static int
is_applied(const PGresult *applied, const char *name)
{
    int low = 0;
    int high = PQntuples(applied);
    while (low < high) {
        int middle = (low + high) / 2;
        int order = strcmp(PQgetvalue(applied, middle, 0), name);
        if (order == 0) {
            return 1;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return 0;
}

static void
migrate(struct floor *floor, int is_up)
{
    struct chain chain = chain_read(floor->folder);
    PQclear(ask(floor, MAKE_TABLE, PGRES_COMMAND_OK));
    PGresult *applied = ask(floor, READ_TABLE, PGRES_TUPLES_OK);
    char **todo = calloc(chain.count + 1, sizeof *todo);
    size_t count = 0;
    for (size_t i = 0; i < chain.count; i++) {
        char *name = chain.names[is_up ? i : chain.count - 1 - i];
        if (is_applied(applied, name) != is_up) {
            todo[count++] = name;
        }
    }
    if (PQenterPipelineMode(floor->conn) != 1 || PQsetnonblocking(floor->conn, 1) != 0) {
        die("pipeline", PQerrorMessage(floor->conn));
    }
    for (size_t i = 0; i < count; i++) {
        run_revision(floor, todo[i], is_up, i + 1 == count);
    }
    PQclear(applied);
}

int
main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: floor_pg apply|down|status URL FOLDER [--late-flush] [--count]\n");
        return 2;
    }
    struct floor floor = {.folder = argv[3], .round_trips = 1};
    int is_counted = 0;
    for (int i = 4; i < argc; i++) {
        floor.is_late_flush |= strcmp(argv[i], "--late-flush") == 0;
        is_counted |= strcmp(argv[i], "--count") == 0;
    }
    floor.conn = PQconnectdb(argv[2]);
    if (PQstatus(floor.conn) != CONNECTION_OK) {
        die("connect", PQerrorMessage(floor.conn));
    }
    PQsetNoticeReceiver(floor.conn, ignore_notice, NULL);
    if (strcmp(argv[1], "status") == 0) {
        PGresult *applied = ask(&floor, READ_TABLE, PGRES_TUPLES_OK);
        struct chain chain = chain_read(floor.folder);
        int count = PQntuples(applied);
        printf("%d of %zu applied, head %s\n", count, chain.count,
               count ? PQgetvalue(applied, count - 1, 0) : "none");
        PQclear(applied);
    } else {
        migrate(&floor, strcmp(argv[1], "apply") == 0);
    }
    PQfinish(floor.conn);
    if (is_counted) {
        fprintf(stderr, "round trips: %d\n", floor.round_trips);
    }
    return 0;
}
