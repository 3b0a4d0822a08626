// The floor for `drover current`: a program that connects and asks one question.
//   floor_current postgresql URL | floor_current sqlite FILE

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static int
ask_postgresql(const char *url)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, "SELECT id FROM drover.revision WHERE tenant = '' AND is_head");
    int good = PQresultStatus(result) == PGRES_TUPLES_OK;
    for (int i = 0; i < PQntuples(result); i++) {
        puts(PQgetvalue(result, i, 0));
    }
    PQclear(result);
    PQfinish(conn);
    return good ? 0 : 1;
}

static int
ask_sqlite(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int good =
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT id FROM drover_revision WHERE tenant = '' AND is_head", -1,
                           &stmt, NULL) == SQLITE_OK;
    while (good && sqlite3_step(stmt) == SQLITE_ROW) {
        puts((const char *)sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: floor_current postgresql URL | sqlite FILE\n");
        return 2;
    }
    return strcmp(argv[1], "sqlite") == 0 ? ask_sqlite(argv[2]) : ask_postgresql(argv[2]);
}
