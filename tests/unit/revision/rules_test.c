// Every rule of lint by its row: SQL that it speaks about, at which place, and the like of it that
// it lets pass.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dr_arena *arena;
static char folder[64];

static int
set_up(void **state)
{
    (void)state;
    const char *build = getenv("DROVER_BUILD");
    setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    snprintf(folder, sizeof folder, "/tmp/drover-rules-XXXXXX");
    arena = dr_arena_new(256u << 20);
    return arena == NULL || mkdtemp(folder) == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    struct dr_err err = {0};
    dr_arena_free(&arena);
    return dr_dir_remove(folder, &err) != DR_OK;
}

// The first revision makes OLD; the second is the case. In `bad` an @ stands before the place.
// `bad` and `good` are sections from `-- drover:up` on, or the SQL of one. `header` are lines for
// both, `excuse` one for the good case only.
struct row {
    const char *rule, *bad, *good, *header, *excuse;
};

#define OLD                                                                                        \
    "CREATE TYPE mood AS ENUM ('a', 'b');\nCREATE DOMAIN digits AS text;\n"                        \
    "CREATE TABLE t (id bigint PRIMARY KEY, n int, v varchar(20), d numeric(10,2), u_id "          \
    "bigint);\n"                                                                                   \
    "CREATE TABLE u (id bigint PRIMARY KEY);\nCREATE INDEX ix_u ON t (u_id);\n"                    \
    "CREATE TABLE p (id int) PARTITION BY RANGE (id);\n"                                           \
    "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS x;\n"
#define OLD_LITE                                                                                   \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, u_id INTEGER REFERENCES u (id));\n"        \
    "CREATE TABLE u (id INTEGER PRIMARY KEY);\nCREATE INDEX ix_u ON t (u_id);\n"
#define LONG "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_0123456789"
#define NEW  "CREATE TABLE w (id bigint PRIMARY KEY, n int);\n"

static const struct row rows[] = {
    {"syntax-error", "CREATE @TABEL x (id int);", "CREATE TABLE x (id int);", "", ""},
    {"unquoted-reserved-word", "CREATE TABLE x (a int, CHECK (@order > 1));",
     "CREATE TABLE x (\"order\" int, CHECK (\"order\" > 1));", "", ""},
    {"forbidden-statement", "SELECT 1;\n@COMMIT;", "SELECT 1;", "", ""},
    {"ban-drop-database", "SELECT 1;\n@DROP DATABASE x;", "SELECT 1;", "", ""},
    {"concurrent-index-in-transaction", "@CREATE INDEX CONCURRENTLY i ON t (n);",
     "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY i ON t (n);", "", ""},
    {"mixed-transaction-step", "SELECT 1;\n@VACUUM t;", "-- drover:up transaction=off\nVACUUM t;",
     "", ""},
    {"transaction-off-without-probe", "-- drover:up transaction=off\n@ALTER TABLE t ADD x int;",
     "-- drover:up transaction=off probe=\"SELECT true\"\nALTER TABLE t ADD x int;", "", ""},
    {"if-not-exists-concurrent",
     "-- drover:up transaction=off\n@CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (n);",
     "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY i ON t (n);", "", ""},
    {"unnamed-concurrent-index",
     "-- drover:up transaction=off\n@CREATE INDEX CONCURRENTLY ON t (n);",
     "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY i ON t (n);", "", ""},
    {"writes-in-preflight",
     "-- drover:preflight \"p\"\n@DELETE FROM t WHERE id = 1;\n-- drover:up\nSELECT 1;",
     "-- drover:preflight \"p\"\nSELECT true;\n-- drover:up\nSELECT 1;", "", ""},
    {"preflight-function",
     "-- drover:preflight \"p\"\nSELECT @pg_sleep(1) IS NULL;\n-- "
     "drover:up\nSELECT 1;",
     "-- drover:preflight \"p\"\nSELECT now() IS NOT NULL;\n-- drover:up\nSELECT 1;", "", ""},
    {"duplicate-object", "SELECT 1;\n@CREATE TYPE mood AS ENUM ('x');",
     "DROP TYPE mood;\nCREATE TYPE mood AS ENUM ('x');", "", ""},
    {"duplicate-object", "@CREATE TABLE t (id int);", "CREATE TABLE IF NOT EXISTS t (id int);", "",
     ""},
    {"identifier-too-long", "CREATE INDEX\n @" LONG " ON t (n);", "CREATE INDEX i ON t (n);", "",
     ""},
    {"identifier-too-long", "ALTER TABLE t ADD @\"" LONG "\" int;",
     "COMMENT ON TABLE t IS '" LONG "';", "", ""},
    {"destructive-undeclared", "ALTER TABLE t DROP COLUMN @n;", "ALTER TABLE t DROP COLUMN n;", "",
     "-- Destructive: column n\n"},
    {"destructive-undeclared", "DROP TABLE IF EXISTS @t;",
     NEW "ALTER TABLE w DROP COLUMN n;\nDROP TABLE w;", "", ""},
    {"destructive-undeclared", "TRUNCATE @t;", "TRUNCATE t;", "", "-- Destructive: all of t\n"},
    {"destructive-undeclared", "DELETE FROM @t;", "DELETE FROM t WHERE id = 1;", "", ""},
    {"destructive-undeclared", "DROP SCHEMA @s CASCADE;", "DROP SCHEMA s;", "", ""},
    {"destructive-undeclared", "CREATE TABLE w (id int);\nDROP TABLE @t;\n",
     "CREATE TABLE w (id int);\nINSERT INTO w SELECT id FROM t;\nDROP TABLE t;\n"
     "ALTER TABLE w RENAME TO t;",
     "", ""},
    {"adding-foreign-key-constraint",
     "ALTER TABLE t ADD @CONSTRAINT f FOREIGN KEY (u_id) REFERENCES u (id);",
     "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (u_id) REFERENCES u (id) NOT VALID;", "", ""},
    {"adding-foreign-key-constraint", "ALTER TABLE t ADD x bigint DEFAULT 1 @REFERENCES u (id);",
     "ALTER TABLE t ADD x bigint REFERENCES u (id);", "", ""},
    {"adding-foreign-key-constraint", "ALTER TABLE t ADD @FOREIGN KEY (u_id) REFERENCES u;",
     NEW "ALTER TABLE w ADD FOREIGN KEY (n) REFERENCES u;", "", ""},
    {"constraint-missing-not-valid", "ALTER TABLE t ADD @CONSTRAINT c CHECK (n > 0);",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;", "", ""},
    {"constraint-missing-not-valid",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT "
     "@c;",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;\n-- drover:up\nALTER TABLE t "
     "VALIDATE CONSTRAINT c;",
     "", ""},
    {"disallowed-unique-constraint", "ALTER TABLE t ADD @CONSTRAINT q UNIQUE (n);",
     "-- drover:up transaction=off\nCREATE UNIQUE INDEX CONCURRENTLY q ON t (n);\n-- drover:up\n"
     "ALTER TABLE t ADD CONSTRAINT q UNIQUE USING INDEX q;",
     "", ""},
    {"adding-serial-primary-key-field", "ALTER TABLE p ADD @PRIMARY KEY (id);",
     NEW "ALTER TABLE w DROP CONSTRAINT w_pkey;\nALTER TABLE w ADD PRIMARY KEY (n);", "", ""},
    {"changing-column-type", "ALTER TABLE t ALTER COLUMN @v TYPE varchar(10);",
     "ALTER TABLE t ALTER COLUMN v TYPE varchar(30);\nALTER TABLE t ALTER COLUMN v TYPE text;\n"
     "ALTER TABLE t ALTER d TYPE numeric(12,2);",
     "", ""},
    {"changing-column-type", "ALTER TABLE t ALTER @n TYPE bigint;",
     NEW "ALTER TABLE w ALTER n TYPE bigint;", "", ""},
    {"adding-not-nullable-field", "ALTER TABLE t ALTER COLUMN @n SET NOT NULL;",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID;\n-- drover:up\n"
     "ALTER TABLE t VALIDATE CONSTRAINT c;\n-- drover:up\nALTER TABLE t ALTER n SET NOT NULL;",
     "", ""},
    {"adding-not-nullable-field",
     "ALTER TABLE t ADD CHECK (d IS NOT NULL), ADD CHECK (n IS NOT NULL) NOT VALID;\n"
     "ALTER TABLE t ALTER @n SET NOT NULL;",
     "ALTER TABLE t ADD CHECK (n IS NOT NULL);\nALTER TABLE t ALTER n SET NOT NULL;", "", ""},
    {"adding-required-field", "ALTER TABLE t ADD COLUMN @x int NOT NULL;",
     "ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 0;", "", ""},
    {"adding-field-with-default", "ALTER TABLE t ADD @x int GENERATED ALWAYS AS (n * 2) STORED;",
     "ALTER TABLE t ADD x timestamptz DEFAULT now();", "", ""},
    {"adding-required-field", "ALTER TABLE a.t ADD @x int NOT NULL;",
     "CREATE TABLE app.w (id int);\nALTER TABLE w ADD x int NOT NULL;\nDO $$ BEGIN EXECUTE 'CREATE "
     "TABLE k (id int)'; END $$;\nALTER TABLE k ADD x int NOT NULL;\n"
     "ALTER FOREIGN TABLE far ADD x int NOT NULL;",
     "", ""},
    {"adding-field-with-default", "ALTER TABLE t ADD @x serial;", NEW "ALTER TABLE w ADD x serial;",
     "", ""},
    {"volatile-default", "ALTER TABLE t ADD @x text DEFAULT 'k-' || gen_random_uuid()::text;",
     "ALTER TABLE t ADD x text DEFAULT upper('k');", "", ""},
    {"ban-drop-column", "ALTER TABLE t DROP @n;", "ALTER TABLE t DROP n;", "-- Destructive: n\n",
     "-- Phase: contract\n"},
    {"ban-drop-table", "DROP TABLE @u;", "DROP TABLE u;", "-- Destructive: u\n",
     "-- Breaking: u goes\n"},
    {"ban-truncate-cascade", "TRUNCATE @t CASCADE;", "TRUNCATE t;", "-- Destructive: t\n", ""},
    {"renaming-column", "ALTER TABLE t RENAME COLUMN @n TO m;", "ALTER TABLE t RENAME n TO m;", "",
     "-- Breaking: n is called m\n"},
    {"renaming-table", "ALTER TABLE @t RENAME TO t2;", NEW "ALTER TABLE w RENAME TO w2;", "", ""},
    {"unique-and-index-duplicate",
     "CREATE TABLE x (a int UNIQUE);\nCREATE UNIQUE INDEX @i ON x (a);",
     "CREATE TABLE x (a int UNIQUE, b int);\nCREATE INDEX i ON x (a, b);\n"
     "CREATE INDEX j ON x (a) WHERE b = 1;\nCREATE INDEX k ON x (a DESC);\n"
     "CREATE INDEX l ON x USING hash (a);",
     "", ""},
    {"missing-fk-index", "CREATE TABLE x (a bigint, b bigint @REFERENCES u (id));",
     "CREATE TABLE x (a bigint REFERENCES u (id) UNIQUE, b bigint, c bigint, "
     "FOREIGN KEY (c, b) REFERENCES t (id, n));\nCREATE INDEX i ON x (b, c, a);",
     "", ""},
    {"missing-fk-index",
     "CREATE TABLE x (a int, b int, @FOREIGN KEY (a, b) REFERENCES y);\n"
     "CREATE INDEX i ON x (a);",
     "CREATE TABLE x (a bigint REFERENCES u (id));\nDROP TABLE x;", "", ""},
    {"enum-value-in-transaction",
     "ALTER TYPE mood ADD VALUE 'new';\nUPDATE t SET v = @'new' WHERE id = 1;",
     "ALTER TYPE mood ADD VALUE 'new';\n-- drover:up\nUPDATE t SET v = 'new' WHERE id = 1;", "",
     ""},
    {"table-rewrite", "ALTER TABLE @t SET UNLOGGED;", "ALTER TABLE t SET (fillfactor = 90);", "",
     ""},
    {"table-rewrite", "-- drover:up transaction=off\nVACUUM FULL @t;",
     "-- drover:up transaction=off\nVACUUM t;", "", ""},
    {"require-concurrent-index-creation", "SELECT 1;\n@CREATE INDEX i ON t (n);",
     NEW "CREATE INDEX i ON w (n);\nCREATE INDEX j ON p (id);", "", ""},
    {"require-concurrent-reindex", "REINDEX TABLE @t;",
     "-- drover:up transaction=off\nREINDEX TABLE CONCURRENTLY t;", "", ""},
    {"require-concurrent-refresh", "REFRESH MATERIALIZED VIEW @mv;",
     "REFRESH MATERIALIZED VIEW CONCURRENTLY mv;", "", ""},
    {"ban-alter-domain-with-add-constraint",
     "ALTER DOMAIN @digits ADD CONSTRAINT c CHECK (VALUE ~ '1');",
     "ALTER DOMAIN digits ADD CONSTRAINT c CHECK (VALUE ~ '1') NOT VALID;", "", ""},
    {"ban-char-field", "CREATE TABLE x (@a char(10));", "CREATE TABLE x (a text, b char);", "", ""},
    {"reference-without-foreign-key", "CREATE TABLE x (id bigint PRIMARY KEY, @u_id bigint);",
     "CREATE TABLE x (id bigint PRIMARY KEY, u_id bigint REFERENCES u (id), external_id bigint, "
     "owner_type text, owner_id bigint, code_id numeric);",
     "", ""},
    {"reference-without-foreign-key", // id: T5
     "CREATE TABLE task_versions (id bigint PRIMARY KEY);\n"
     "CREATE TABLE x (id bigint PRIMARY KEY, @active_version_id bigint);",
     "CREATE TABLE task_versions (id bigint PRIMARY KEY);\n"
     "CREATE TABLE x (id bigint PRIMARY KEY, active_version_id bigint);\n-- drover:up\n"
     "ALTER TABLE x ADD FOREIGN KEY (active_version_id) REFERENCES task_versions;",
     "", ""},
    {"missing-filter-index", "CREATE TABLE x (id bigint PRIMARY KEY, @status text);", // id: T6
     "CREATE TABLE x (id bigint PRIMARY KEY, status text, is_status boolean);\n"
     "CREATE INDEX i ON x (id, status);",
     "", ""},
    {"unused-nolint", "@-- drover:nolint ban-drop-table reason=\"x\"\nSELECT 1;",
     "-- drover:nolint missing-filter-index reason=\"x\"\nCREATE TABLE x (status text);", "", ""},
    {"unknown-rule", "@-- drover:nolint no-such-rule reason=\"x\"\nSELECT 1;",
     "-- drover:nolint missing-filter-index reason=\"x\"\nCREATE TABLE x (status text);", "", ""},
    {"prefer-text-field", "CREATE TABLE x (@a varchar(10));", "CREATE TABLE x (a varchar, b text);",
     "", ""},
    {"prefer-identity", "CREATE TABLE x (@a serial);",
     "CREATE TABLE x (a int GENERATED BY DEFAULT AS IDENTITY);", "", ""},
    {"prefer-bigint-over-int", "CREATE TABLE x (@a int PRIMARY KEY);",
     "CREATE TABLE x (a bigint PRIMARY KEY, b int);", "", ""},
    {"prefer-timestamp-tz", "CREATE TABLE x (@a timestamp);", "CREATE TABLE x (a timestamptz);", "",
     ""},
    {"ban-drop-not-null", "ALTER TABLE t ALTER @id DROP NOT NULL;",
     NEW "ALTER TABLE w ALTER id DROP NOT NULL;", "", ""},
    {"require-concurrent-index-deletion", "DROP INDEX @ix_u;",
     "-- drover:up transaction=off\nDROP INDEX CONCURRENTLY ix_u;", "", ""},
};

static const struct row lite_rows[] = {
    {"statement-error", "@INSERT INTO nope VALUES (1);", "INSERT INTO t (id) VALUES (1);", "", ""},
    {"probe-not-asked", "-- drover:up transaction=off probe=\"SELECT true\"\n@VACUUM;",
     "-- drover:up transaction=off\nVACUUM;", "", ""},
    {"sqlite-alter-limits", "ALTER TABLE t ADD COLUMN @x TEXT DEFAULT CURRENT_TIMESTAMP;",
     "ALTER TABLE t ADD COLUMN x TEXT DEFAULT 'now';", "", ""},
    {"sqlite-alter-limits", "ALTER TABLE \"t\" ADD @x TEXT DEFAULT (1 + 1);",
     "CREATE TABLE w (id INTEGER);\nALTER TABLE w ADD x TEXT DEFAULT (1 + 1);", "", ""},
    {"destructive-undeclared", "ALTER TABLE t DROP COLUMN @n;", "ALTER TABLE t DROP COLUMN n;", "",
     "-- Destructive: n\n"},
    {"destructive-undeclared", "DROP TABLE @t;",
     "CREATE TABLE t_new (id INTEGER PRIMARY KEY, u_id INTEGER REFERENCES u (id));\n"
     "INSERT INTO t_new SELECT id, u_id FROM t;\nDROP TABLE t;\nALTER TABLE t_new RENAME TO t;\n"
     "CREATE INDEX ix_u ON t (u_id);",
     "", ""},
    {"missing-fk-index",
     "CREATE TABLE x (a INTEGER, b VARCHAR(9) NOT NULL CHECK (b IN ('c', 'd')), "
     "CONSTRAINT f @FOREIGN KEY (a) REFERENCES u (id));",
     "CREATE TABLE x (a INTEGER REFERENCES u (id));\nCREATE INDEX i ON x (a);", "", ""},
    {"reference-without-foreign-key",
     "CREATE TABLE x (id INTEGER NOT NULL, a TEXT DEFAULT 'x', @u_id INTEGER, PRIMARY KEY (id));",
     "CREATE TABLE x (id INTEGER PRIMARY KEY AUTOINCREMENT, u_id INTEGER UNIQUE REFERENCES u);", "",
     ""},
    {"missing-filter-index", "CREATE TABLE x (id INTEGER PRIMARY KEY, @\"status\" TEXT);",
     "CREATE TABLE x (id INTEGER PRIMARY KEY, status TEXT);\nCREATE INDEX i ON x (status);", "",
     ""},
    {"renaming-column", "ALTER TABLE t RENAME COLUMN @n TO m;", "ALTER TABLE t RENAME n TO m;", "",
     "-- Breaking: n is called m\n"},
    {"unique-and-index-duplicate", "CREATE TABLE x (a TEXT UNIQUE);\nCREATE INDEX @i ON x (a);",
     "CREATE TABLE x (a TEXT, b TEXT, UNIQUE (a, b));\nCREATE INDEX i ON x (a);", "", ""},
};

// Rules about files: the second one as a whole, or both.
struct file_row {
    const char *rule, *first, *second;
};

#define FIRST "-- drover:revision 1\n-- x\n-- Revision ID: a\n"
#define NEXT  "-- drover:revision 1\n-- x\n-- Revision ID: b\n-- Revises: a\n"
#define UP    "-- drover:up\nSELECT 1;\n"
#define REST  "-- drover:verify \"v\"\nSELECT true;\n-- drover:down\nSELECT 1;\n"

static const struct file_row file_rows[] = {
    {"missing-down", FIRST UP REST, NEXT UP},
    {"empty-revision", FIRST UP REST, NEXT "-- drover:up\n" REST},
    {"transaction-off-statements", FIRST UP REST,
     NEXT "-- drover:up transaction=off\nVACUUM;\nVACUUM;\n" REST},
    {"file-bytes", FIRST UP REST, NEXT UP "\r\n" REST},
    {"header", FIRST UP REST, "SELECT 1;\n"},
    {"revision-id", FIRST UP REST, "-- drover:revision 1\n-- x\n-- Revision ID: a-b\n" UP REST},
    {"directive", FIRST UP REST, NEXT "-- drover:upp\nSELECT 1;\n" REST},
    {"duplicate-revision", FIRST UP REST, FIRST UP REST},
    {"missing-parent", FIRST UP REST,
     "-- drover:revision 1\n-- x\n-- Revision ID: b\n-- Revises: c\n" UP REST},
    {"cycle", FIRST "-- Revises: b\n" UP REST, NEXT UP REST},
    {"branch-label", FIRST "-- Branch labels: l\n" UP REST, NEXT "-- Branch labels: l\n" UP REST},
    {"second-head", FIRST UP REST, "-- drover:revision 1\n-- x\n-- Revision ID: b\n" UP REST},
    {"id-too-long", FIRST UP REST,
     "-- drover:revision 1\n-- x\n-- Revision ID: a23456789_123456789_123456789_123\n-- Revises: "
     "a\n" UP REST},
    {"no-verify", FIRST UP REST, NEXT UP "-- drover:down\nSELECT 1;\n"},
    {"unchecked-grammar", FIRST UP REST, NEXT "-- Engine: postgresql >= 16\n" UP REST},
};

// Those that other tests of the checker reach: a file of 33 MB, depth, and a parser that dies.
static const char *const elsewhere[] = {"file-size", "too-complex", "check-died", "sum-differs",
                                        "approved-revision-changed"};

static void
put_file(const char *name, const char *text)
{
    char path[128];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0600, &err), DR_OK);
}

static void
put(const char *name, const char *id, const char *header, const char *sql)
{
    struct dr_buf file = {0};
    bool is_first = strcmp(id, "a") == 0;
    dr_buf_printf(&file, "-- drover:revision 1\n-- x\n-- Revision ID: %s\n%s%s\n%s%s\n", id,
                  is_first ? "" : "-- Revises: a\n", header,
                  strstr(sql, "-- drover:up") == NULL ? "-- drover:up\n" : "", sql);
    dr_buf_str(&file, "-- drover:verify \"v\"\nSELECT true;\n-- drover:down\nSELECT 1;\n");
    put_file(name, file.data);
    dr_buf_fini(&file);
}

// Line and column of the @, and the text without it.
static char *
take_mark(const char *sql, size_t *out_at)
{
    char *text = dr_arena_str(arena, sql);
    char *mark = text == NULL ? NULL : strchr(text, '@');
    assert_non_null(mark);
    *out_at = (size_t)(mark - text);
    memmove(mark, mark + 1, strlen(mark));
    return text;
}

static struct dr_findings
lint(void)
{
    static const char *const all[] = {"all", NULL};
    struct dr_findings out = {.arena = arena, .only = all};
    struct dr_err err = {0};
    enum dr_rc rc = dr_review_folder(folder, NULL, &out, &err);
    if (rc != DR_OK) {
        print_error("%d: %s\n", (int)rc, err.message);
        fail();
    }
    dr_findings_sort(&out);
    return out;
}

static const struct dr_finding *
find(const struct dr_findings *list, const char *rule)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].rule, rule) == 0 && strstr(list->items[i].file, "/2.sql")) {
            return &list->items[i];
        }
    }
    return NULL;
}

static void
show(const struct dr_findings *list)
{
    struct dr_buf text = {0};
    for (size_t i = 0; i < list->count; i++) {
        dr_finding_text(&text, &list->items[i]);
    }
    print_error("%s\n", text.data == NULL ? "nothing is said" : text.data);
    dr_buf_fini(&text);
}

static void
check_row(const struct row *r, const char *engine, const char *old)
{
    size_t at = 0;
    char header[300], *sql = take_mark(r->bad, &at);
    snprintf(header, sizeof header, "%s%s", engine, r->header);
    put("1.sql", "a", engine, old);
    put("2.sql", "b", header, sql);
    struct dr_findings out = lint();
    const struct dr_finding *f = find(&out, r->rule);
    bool is_there = f != NULL && f->source_line != NULL;
    size_t rest = strcspn(sql + at, "\n"), line_start = at;
    while (line_start > 0 && sql[line_start - 1] != '\n') {
        line_start--;
    }
    is_there = is_there && f->column == at - line_start + 1 &&
               strncmp(f->source_line + f->column - 1, sql + at, rest) == 0;
    if (!is_there) {
        print_error("%s is not found where it should be in:\n%s\n", r->rule, r->bad);
        show(&out);
        fail();
    }
    assert_non_null(dr_lint_rule_named(f->rule));
    assert_int_equal(f->severity, dr_lint_rule_named(f->rule)->severity);
    assert_true(f->message[0] != '\0');
    snprintf(header, sizeof header, "%s%s%s", engine, r->header, r->excuse);
    put("2.sql", "b", header, r->good);
    out = lint();
    f = find(&out, r->rule);
    if (f != NULL) {
        print_error("%s is found in:\n%s\n", r->rule, r->good);
        show(&out);
        fail();
    }
}

static void
each_rule_speaks_of_the_bad_and_lets_the_good_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], "", OLD);
    }
}

static void
each_rule_for_sqlite_speaks_of_the_bad_and_lets_the_good_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lite_rows / sizeof lite_rows[0]; i++) {
        check_row(&lite_rows[i], "-- Engine: sqlite\n", OLD_LITE);
    }
}

static void
nothing_is_said_of_the_tables_that_the_rows_stand_on(void **state)
{
    (void)state;
    struct dr_findings out = {.arena = arena};
    struct dr_err err = {0};
    put("1.sql", "a", "", OLD);
    assert_int_equal(dr_review_folder(folder, NULL, &out, &err), DR_OK);
    for (size_t i = 0; i < out.count; i++) {
        assert_string_equal(out.items[i].rule, "reference-without-foreign-key"); // t.u_id
    }
    assert_int_equal(out.count, 1);
}

static bool
is_told(const struct dr_findings *list, const char *rule)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].rule, rule) == 0) {
            return true;
        }
    }
    return false;
}

static void
each_rule_about_files_speaks_of_the_bad_and_lets_the_good_pass(void **state) // id: V23
{
    (void)state;
    put_file("1.sql", FIRST UP REST);
    put_file("2.sql", NEXT UP REST);
    struct dr_findings good = lint();
    for (size_t i = 0; i < sizeof file_rows / sizeof file_rows[0]; i++) {
        put_file("1.sql", file_rows[i].first);
        put_file("2.sql", file_rows[i].second);
        struct dr_findings out = lint();
        if (!is_told(&out, file_rows[i].rule)) {
            print_error("%s is not told\n", file_rows[i].rule);
            show(&out);
            fail();
        }
        assert_false(is_told(&good, file_rows[i].rule));
    }
}

static void
every_rule_has_a_row_in_a_test(void **state)
{
    (void)state;
    for (const struct dr_lint_rule *r = dr_lint_rules(); r->name != NULL; r++) {
        bool has = false;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            has = has || strcmp(rows[i].rule, r->name) == 0;
        }
        for (size_t i = 0; i < sizeof lite_rows / sizeof lite_rows[0]; i++) {
            has = has || strcmp(lite_rows[i].rule, r->name) == 0;
        }
        for (size_t i = 0; i < sizeof file_rows / sizeof file_rows[0]; i++) {
            has = has || strcmp(file_rows[i].rule, r->name) == 0;
        }
        for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
            has = has || strcmp(elsewhere[i], r->name) == 0;
        }
        if (!has) {
            print_error("no row for rule %s\n", r->name);
        }
        assert_true(has);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_rule_speaks_of_the_bad_and_lets_the_good_pass),
        TEST(each_rule_for_sqlite_speaks_of_the_bad_and_lets_the_good_pass),
        TEST(each_rule_about_files_speaks_of_the_bad_and_lets_the_good_pass),
        TEST(every_rule_has_a_row_in_a_test),
        TEST(nothing_is_said_of_the_tables_that_the_rows_stand_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
