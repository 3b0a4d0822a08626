// Between any two schemas of SQLite the writer's statements lead there and back, and rows stay.
#include "schema/diff.h"
#include "schema/write.h"

#include "base/str.h"
#include "db/sqlite.h"
#include "engine/fingerprint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct pair {
    const char *name, *before, *after;
    const char *expect; // a piece of the statements up; NULL: any
    const char *loss;   // what going up loses; NULL: nothing
};

#define USERS "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);"
#define ROW   "INSERT INTO users (id, email) VALUES (1, 'a@b');"

static const struct pair pairs[] = {
    {"a table", "",
     USERS "CREATE INDEX i ON users (email); CREATE VIEW v AS SELECT email FROM users; CREATE "
           "TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM users WHERE id = 7; SELECT 1; END",
     "CREATE TRIGGER", NULL},
    {"a table that goes", USERS ROW "CREATE INDEX i ON users (email)", "", "DROP TABLE",
     "table users"},
    {"a column", USERS ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, \"full, name\" TEXT NOT "
     "NULL DEFAULT 'x(', n INT)",
     "ADD COLUMN \"full, name\" TEXT", NULL},
    {"a column that goes", USERS "CREATE INDEX i ON users (email)",
     "CREATE TABLE users (id INTEGER PRIMARY KEY)", "DROP COLUMN \"email\"", "column users.email"},
    {"a type and a check",
     USERS ROW "CREATE INDEX i ON users (email); CREATE VIEW v AS SELECT * "
               "FROM users",
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(90) CHECK (length(email) > 1)); "
     "CREATE INDEX i ON users (email); CREATE VIEW v AS SELECT * FROM users",
     "users__new", NULL},
    {"a default that is computed", USERS ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, at TEXT NOT NULL DEFAULT "
     "CURRENT_TIMESTAMP)",
     "users__new", NULL},
    {"a default that a function computes", USERS ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, at TEXT DEFAULT "
     "(datetime('now')))",
     "users__new", NULL},
    {"a default that is a sum", USERS ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, n INT DEFAULT (1 + 1))",
     "users__new", NULL},
    {"defaults that stand as they are", USERS ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, a INT NOT NULL DEFAULT -1, "
     "b REAL DEFAULT .5, c TEXT DEFAULT 'it''s', d BLOB DEFAULT x'00', e INT DEFAULT TRUE)",
     "ADD COLUMN c TEXT DEFAULT 'it''s'", NULL},
    {"keys", USERS ROW "CREATE TABLE orders (id INTEGER PRIMARY KEY, u INT)",
     USERS "CREATE TABLE orders (id INTEGER PRIMARY KEY, u INT REFERENCES users (id) ON DELETE "
           "CASCADE, UNIQUE (u))",
     "orders__new", NULL},
    {"a key to itself", "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, p INT);" ROW,
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, p INT REFERENCES users (id))",
     "users__new", NULL},
    {"indexes and views",
     USERS ROW "CREATE INDEX i ON users (email); CREATE VIEW v AS SELECT 1 AS "
               "a; CREATE VIEW w AS SELECT a FROM v",
     USERS "CREATE UNIQUE INDEX i ON users (email DESC) WHERE id > 1; CREATE VIEW v AS SELECT 2 AS "
           "b",
     NULL, NULL},
    {"kinds of tables", "CREATE TABLE t (a TEXT PRIMARY KEY, b INT)",
     "CREATE TABLE t (a TEXT PRIMARY KEY, b INT, c INT GENERATED ALWAYS AS (b * 2) VIRTUAL) "
     "WITHOUT ROWID; CREATE TABLE s (a INT) STRICT; CREATE TABLE n (id INTEGER PRIMARY KEY "
     "AUTOINCREMENT)",
     NULL, NULL},
    {"a trigger on a table that is built anew",
     USERS ROW "CREATE TABLE log (x TEXT); CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM "
               "users WHERE email = NEW.x; END",
     "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT); CREATE TABLE log (x TEXT); CREATE "
     "TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM users WHERE email = NEW.x; END",
     "CREATE TRIGGER t", NULL},
    {"names that need quotes", "CREATE TABLE \"Order\" (\"select\" INT, [b c] TEXT)",
     "CREATE TABLE \"Order\" (\"select\" INT NOT NULL DEFAULT 3, [b c] TEXT, `d` INT)", NULL, NULL},
    {"the same in other words", "CREATE TABLE t (a integer, b text default 'x')",
     "CREATE TABLE  \"t\"( a INTEGER ,\n b TEXT DEFAULT 'x' )", NULL, NULL},
};

static struct dr_sqlite *
open_db(const char *script)
{
    const struct dr_sqlite_options options = {.create = true};
    struct dr_sqlite *db = NULL;
    struct dr_err err = {0};
    if (dr_sqlite_open(":memory:", &options, &db, &err) != DR_OK ||
        dr_sqlite_script(db, script, &err) != DR_OK) {
        fail_msg("%s: %s", script, err.message);
    }
    return db;
}

static struct dr_fingerprint
print(struct dr_sqlite *db)
{
    const struct dr_fingerprint_options options = {0};
    struct dr_fingerprint found = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_fingerprint_sqlite(db, &options, &found, &err), DR_OK);
    return found;
}

static struct dr_schema_script
compare(struct dr_sqlite *from, struct dr_sqlite *to, struct dr_arena *arena)
{
    static const struct dr_schema_write_options plain = {0};
    struct dr_catalog a = {0};
    struct dr_catalog b = {0};
    struct dr_schema_script script = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_catalog_sqlite(from, arena, &a, &err), DR_OK);
    assert_int_equal(dr_catalog_sqlite(to, arena, &b, &err), DR_OK);
    assert_int_equal(dr_schema_write(&a, &b, &plain, arena, &script, &err), DR_OK);
    return script;
}

static void
apply(struct dr_sqlite *db, const struct dr_schema_script *script, const char *want)
{
    struct dr_err err = {0};
    struct dr_buf all = {0};
    struct dr_buf diff = {0};
    for (size_t i = 0; i < script->count; i++) {
        dr_buf_printf(&all, "%s;\n", script->stmts[i].sql);
        if (dr_sqlite_exec(db, script->stmts[i].sql, strlen(script->stmts[i].sql), NULL, NULL,
                           &err) != DR_OK) {
            fail_msg("%s\n%s", err.message, all.data);
        }
    }
    struct dr_fingerprint is = print(db);
    if (dr_fingerprint_diff(is.text, want, 40, &diff) != 0) {
        fail_msg("%s--- by:\n%s", diff.data, all.data ? all.data : "nothing");
    }
    dr_fingerprint_fini(&is);
    dr_buf_fini(&all);
    dr_buf_fini(&diff);
}

static bool
has(const struct dr_schema_script *script, const char *piece)
{
    bool is = piece == NULL;
    for (size_t i = 0; i < script->count; i++) {
        is = is || strstr(script->stmts[i].sql, piece) != NULL;
    }
    return is;
}

static void
a_script_leads_there_and_back(void **state) // id: C11
{
    const struct pair *pair = *state;
    struct dr_arena *arena = dr_arena_new(64u * 1024 * 1024);
    struct dr_sqlite *a = open_db(pair->before);
    struct dr_sqlite *b = open_db(pair->after);
    struct dr_fingerprint before = print(a);
    struct dr_fingerprint after = print(b);
    struct dr_schema_script up = compare(a, b, arena);
    struct dr_schema_script down = compare(b, a, arena);
    assert_true(has(&up, pair->expect));
    assert_string_equal(up.losses_count ? up.losses[0] : "", pair->loss ? pair->loss : "");
    apply(a, &up, after.text);
    struct dr_schema_script again = compare(a, b, arena);
    assert_int_equal(again.count, 0);
    int64_t rows = 1;
    struct dr_err err = {0};
    if (strstr(pair->before, ROW) != NULL && pair->loss == NULL) {
        assert_int_equal(
            dr_sqlite_value_int(a, "SELECT count(*) FROM users WHERE email = 'a@b'", &rows, &err),
            DR_OK);
    }
    assert_int_equal(rows, 1);
    apply(a, &down, before.text);
    dr_fingerprint_fini(&before);
    dr_fingerprint_fini(&after);
    dr_sqlite_close(&a);
    dr_sqlite_close(&b);
    dr_arena_free(&arena);
}

int
main(void)
{
    struct CMUnitTest tests[DR_COUNT_OF(pairs)];
    for (size_t i = 0; i < DR_COUNT_OF(pairs); i++) {
        tests[i] = (struct CMUnitTest){.name = pairs[i].name,
                                       .test_func = a_script_leads_there_and_back,
                                       .initial_state = (void *)(uintptr_t)&pairs[i]};
    }
    return _cmocka_run_group_tests("schema/write_sqlite", tests, DR_COUNT_OF(pairs), NULL, NULL);
}
