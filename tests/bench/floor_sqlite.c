// The floor for SQLite: reads a folder of revisions and the version table of a file, and applies
// what is missing, a transaction and a version row per revision, journal and flushes as SQLite has
// them by default.
//
//   floor_sqlite apply|down|status FILE FOLDER

#define _GNU_SOURCE
#include "chain.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAKE_TABLE                                                                                 \
    "CREATE TABLE IF NOT EXISTS floor_version (name text PRIMARY KEY, at text NOT NULL DEFAULT "   \
    "CURRENT_TIMESTAMP)"

static void
run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        die(sql, sqlite3_errmsg(db));
    }
}

static void
run_revision(sqlite3 *db, const char *folder, const char *name, int is_up)
{
    struct text text = text_load(folder, name, is_up ? "up" : "down");
    run(db, "BEGIN IMMEDIATE");
    for (char *sql; (sql = next_statement(&text));) {
        run(db, sql);
    }
    char *row = sqlite3_mprintf(is_up ? "INSERT INTO floor_version (name) VALUES (%Q)"
                                      : "DELETE FROM floor_version WHERE name = %Q",
                                name);
    run(db, row);
    sqlite3_free(row);
    run(db, "COMMIT");
    free(text.bytes);
}

// Marks in applied[] which of the chain's names the table holds; both are sorted.
static size_t
read_applied(sqlite3 *db, const struct chain *chain, char *applied)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, "SELECT name FROM floor_version ORDER BY name", -1, &stmt, NULL) !=
        SQLITE_OK) {
        die("version table", sqlite3_errmsg(db));
    }
    size_t at = 0;
    size_t count = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        while (at < chain->count && strcmp(chain->names[at], name) < 0) {
            at++;
        }
        if (at < chain->count && strcmp(chain->names[at], name) == 0) {
            applied[at] = 1;
            count++;
        }
    }
    sqlite3_finalize(stmt);
    return count;
}

int
main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor_sqlite apply|down|status FILE FOLDER\n");
        return 2;
    }
    struct chain chain = chain_read(argv[3]);
    sqlite3 *db = NULL;
    if (sqlite3_open(argv[2], &db) != SQLITE_OK) {
        die(argv[2], sqlite3_errmsg(db));
    }
    char *applied = calloc(chain.count + 1, 1);
    if (strcmp(argv[1], "status") == 0) {
        printf("%zu of %zu applied\n", read_applied(db, &chain, applied), chain.count);
    } else {
        int is_up = strcmp(argv[1], "apply") == 0;
        run(db, MAKE_TABLE);
        read_applied(db, &chain, applied);
        for (size_t i = 0; i < chain.count; i++) {
            size_t at = is_up ? i : chain.count - 1 - i;
            if (applied[at] != is_up) {
                run_revision(db, argv[3], chain.names[at], is_up);
            }
        }
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
