// What the statements of a way down say that they remove.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/loss_internal.h"

#include <stdio.h>
#include <string.h>

#define PG     DROVER__V1__ENGINE__POSTGRESQL
#define SQLITE DROVER__V1__ENGINE__SQLITE

static struct dr_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = dr_arena_new(64u * 1024 * 1024);
    return arena == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

static void
add(struct dr_loss_scan *scan, const char *const *texts)
{
    struct dr_statement list[16];
    struct dr_err err = {0};
    size_t n = 0;
    for (; texts[n] != NULL; n++) {
        assert_true(n < 16);
        list[n] = (struct dr_statement){.text = texts[n], .len = strlen(texts[n]), .line = 1};
    }
    assert_int_equal(dr_loss_scan_unit(scan, "r", list, n, &err), DR_OK);
}

// "rows users; column users.email; rebuild t without a b; schema s; unknown DO".
static const char *
told(const struct dr_loss_scan *scan)
{
    static char out[2048];
    size_t count = 0, used = 0;
    const struct dr_drop *drops = dr_loss_scan_drops(scan, &count);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct dr_drop *d = &drops[i];
        static const char *const words[] = {"", "rows", "column", "rebuild", "schema", "unknown"};
        const char *schema = d->schema != NULL ? d->schema : "";
        used += (size_t)snprintf(
            out + used, sizeof out - used, "%s%s %s%s%s%s%s%s", i ? "; " : "", words[d->kind],
            schema, schema[0] != '\0' && d->table != NULL ? "." : "", d->table ? d->table : "",
            d->column ? "." : "", d->column ? d->column : "", d->what ? d->what : "");
        for (size_t k = 0; k < d->kept_count; k++) {
            used += (size_t)snprintf(out + used, sizeof out - used, " %s", d->kept[k]);
        }
        assert_true(used < sizeof out);
    }
    return out;
}

#define SCAN(engine, ...) scan_once((engine), (const char *const[]){__VA_ARGS__, NULL})

static const char *
scan_once(Drover__V1__Engine engine, const char *const *texts)
{
    struct dr_loss_scan *scan = dr_loss_scan_new(engine, arena);
    assert_non_null(scan);
    add(scan, texts);
    return told(scan);
}

static void
dropped_tables_lose_their_rows(void **state)
{
    (void)state;
    assert_string_equal(SCAN(PG, "DROP TABLE users"), "rows users");
    assert_string_equal(SCAN(PG, "drop table IF EXISTS Shop.\"My \"\"Table\", b CASCADE"),
                        "rows shop.My \"Table; rows b");
    assert_string_equal(SCAN(SQLITE, "DROP TABLE main.[Old One]"), "rows Old One");
    assert_string_equal(SCAN(PG, "/* DROP TABLE x */ DROP INDEX a -- DROP TABLE y"), "");
    assert_string_equal(SCAN(PG, "TRUNCATE TABLE ONLY a, s.b RESTART IDENTITY"),
                        "rows a; rows s.b");
    assert_string_equal(SCAN(PG, "DELETE FROM a"), "rows a");
    assert_string_equal(SCAN(PG, "DROP SCHEMA app CASCADE"), "schema app");
    assert_string_equal(SCAN(PG, "DROP SCHEMA app"), "");
}

static void
dropped_columns_lose_their_values(void **state)
{
    (void)state;
    assert_string_equal(SCAN(PG, "ALTER TABLE IF EXISTS ONLY s.t DROP COLUMN IF EXISTS a CASCADE,"
                                 " ADD CHECK (x IN (1, 2)), DROP b, DROP CONSTRAINT c"),
                        "column s.t.a; column s.t.b");
    assert_string_equal(
        SCAN(PG, "ALTER TABLE t ALTER COLUMN a DROP NOT NULL, ALTER b DROP DEFAULT"), "");
    assert_string_equal(SCAN(SQLITE, "ALTER TABLE t DROP COLUMN a"), "column t.a");
    // A table that goes takes its columns along.
    assert_string_equal(SCAN(PG, "DROP TABLE t", "ALTER TABLE t DROP COLUMN a", "DROP TABLE t"),
                        "rows t");
}

static void
names_are_followed_back_through_renames(void **state)
{
    (void)state;
    struct dr_loss_scan *scan = dr_loss_scan_new(PG, arena);
    add(scan, (const char *const[]){"ALTER TABLE people RENAME TO users",
                                    "ALTER TABLE users RENAME COLUMN mail TO email", NULL});
    add(scan,
        (const char *const[]){"ALTER TABLE users DROP COLUMN email", "DROP TABLE users", NULL});
    assert_string_equal(told(scan), "column people.mail; rows people");
}

static void
what_the_way_down_made_itself_is_no_loss(void **state)
{
    (void)state;
    assert_string_equal(SCAN(PG, "CREATE TABLE t (a int)", "INSERT INTO t SELECT 1",
                             "ALTER TABLE t DROP COLUMN a", "DROP TABLE t"),
                        "");
}

static void
a_rebuilt_table_loses_only_the_columns_that_it_leaves_out(void **state)
{
    (void)state;
    const char *make =
        "CREATE TABLE t_new (id integer PRIMARY KEY, \"b c\" text CHECK (b IN (1,2)),"
        " UNIQUE (id), z int GENERATED ALWAYS AS (id) STORED)";
    assert_string_equal(SCAN(SQLITE, make, "INSERT INTO t_new SELECT id, b FROM t", "DROP TABLE t",
                             "ALTER TABLE t_new RENAME TO t"),
                        "rebuild t id b c z");
    assert_string_equal(SCAN(SQLITE, "ALTER TABLE t RENAME TO t_old", "CREATE TABLE t (id integer)",
                             "INSERT INTO t SELECT id FROM t_old", "DROP TABLE t_old"),
                        "rebuild t id");
    // Nothing was copied: the rows are gone.
    assert_string_equal(SCAN(SQLITE, make, "DROP TABLE t", "ALTER TABLE t_new RENAME TO t"),
                        "rows t");
    assert_string_equal(SCAN(SQLITE, "CREATE TABLE n AS SELECT * FROM t", "DROP TABLE t",
                             "ALTER TABLE n RENAME TO t"),
                        "unknown the rebuild of table t");
}

static void
what_only_the_database_knows_is_told_as_unknown(void **state)
{
    (void)state;
    assert_string_equal(SCAN(PG, "DO $$ BEGIN DROP TABLE x; END $$"), "unknown DO");
    assert_string_equal(SCAN(PG, "CALL tidy()"), "unknown CALL");
    assert_string_equal(SCAN(PG, "DROP TYPE mood"), "");
    assert_string_equal(SCAN(PG, "DROP TYPE mood CASCADE"), "unknown DROP TYPE ... CASCADE");
    assert_string_equal(SCAN(PG, "DELETE FROM t WHERE id > 3"),
                        "unknown DELETE FROM t with a condition");
    assert_string_equal(SCAN(PG, "WITH x AS (DELETE FROM t RETURNING 1) SELECT 1"),
                        "unknown WITH ... DELETE");
}

static void
more_than_can_be_listed_is_told(void **state)
{
    (void)state;
    struct dr_loss_scan *scan = dr_loss_scan_new(PG, arena);
    struct dr_err err = {0};
    for (size_t i = 0; i < DR_DROP_TABLES_MAX + 5; i++) {
        char text[40];
        int len = snprintf(text, sizeof text, "DROP TABLE t%zu", i);
        struct dr_statement s = {.text = text, .len = (size_t)len};
        assert_int_equal(dr_loss_scan_unit(scan, "r", &s, 1, &err), DR_OK);
    }
    size_t count = 0;
    const struct dr_drop *drops = dr_loss_scan_drops(scan, &count);
    assert_int_equal(drops[count - 1].kind, DR_DROP_UNKNOWN);
    assert_string_equal(drops[count - 1].what, "the rest of it");
}

static void
losses_are_told_in_words(void **state)
{
    (void)state;
    static const struct {
        struct dr_loss loss;
        const char *text;
    } rows[] = {
        {{"r", "t", "", 1, false, false, ""}, "1 row of t"},
        {{"r", "t", "c", 12, false, false, ""}, "12 values of t.c"},
        {{"r", "t", "", 5000000, true, false, "estimated: counting took too long"},
         "about 5000000 rows of t (estimated: counting took too long)"},
        {{"r", "t", "c", 0, false, true, "not counted"}, "the values of t.c (not counted)"},
        {{"r", "", "", 0, false, true, "DO"}, "what DO removes is not known"},
        {{"r", "t\x1b[2J", "", 2, false, false, ""}, "2 rows of t\\u{001B}[2J"},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_buf out = {0};
        dr_loss_text(&rows[i].loss, &out);
        assert_string_equal(out.data, rows[i].text);
        dr_buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dropped_tables_lose_their_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_columns_lose_their_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_followed_back_through_renames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_way_down_made_itself_is_no_loss, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_rebuilt_table_loses_only_the_columns_that_it_leaves_out,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_the_database_knows_is_told_as_unknown, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_than_can_be_listed_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(losses_are_told_in_words, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
