#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/testing_rows.h"

#include "db/sqlite.h"
#include "support/pgcluster.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_testing_rows *rows;
    struct dr_sqlite *db;
    const char *url;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    dr_tmp_init(&w->tmp);
    w->arena = dr_arena_new(64u << 20);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    dr_testing_rows_close(&w->rows);
    dr_sqlite_close(&w->db);
    dr_arena_free(&w->arena);
    dr_tmp_fini(&w->tmp);
    free(w);
    return 0;
}

static void
open_sqlite(struct world *w)
{
    char path[PATH_MAX], url[PATH_MAX + 16];
    struct dr_err err = {0};
    const struct dr_sqlite_options options = {.create = true};
    dr_tmp_path(&w->tmp, "a.db", path);
    assert_int_equal(dr_sqlite_open(path, &options, &w->db, &err), DR_OK);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    assert_int_equal(dr_testing_rows_open(url, &w->rows, &err), DR_OK);
}

static void
open_pg(struct world *w)
{
    struct dr_err err = {0};
    w->url = dr_pgcluster_new_database(dr_pgcluster_shared());
    assert_int_equal(dr_testing_rows_open(w->url, &w->rows, &err), DR_OK);
}

static void
sql(struct world *w, const char *text)
{
    struct dr_err err = {0};
    if (w->url != NULL) {
        struct dr_buf in_public = {0};
        dr_buf_printf(&in_public,
                      "DO $wrap$ BEGIN SET LOCAL search_path TO public; EXECUTE $one$%s$one$; END "
                      "$wrap$",
                      text);
        dr_pgcluster_sql(dr_pgcluster_shared(), w->url, in_public.data);
        dr_buf_fini(&in_public);
    } else {
        assert_int_equal(dr_sqlite_script(w->db, text, &err), DR_OK);
    }
}

static struct dr_testing_seen
look(struct world *w)
{
    struct dr_testing_seen seen = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_testing_rows_look(w->rows, w->arena, &seen, &err), DR_OK);
    return seen;
}

static uint64_t
fill(struct world *w, const struct dr_testing_seen *before)
{
    struct dr_testing_seen now = look(w);
    uint64_t added = 0;
    struct dr_err err = {0};
    assert_int_equal(dr_testing_rows_fill(w->rows, &now, before, w->arena, &added, &err), DR_OK);
    return added;
}

static void
assert_all_have_rows(struct world *w, size_t tables)
{
    struct dr_testing_seen seen = look(w);
    assert_int_equal(seen.count, tables);
    for (size_t i = 0; i < seen.count; i++) {
        if (seen.tables[i].count == 0) {
            fail_msg("no row in %s", seen.tables[i].name);
        }
    }
}

// Constraints of both engines that a row made up at random would break.
static const char *const common[] = {
    "CREATE TABLE b_children (id integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES "
    "z_parents (id), UNIQUE (parent_id))",
    "CREATE TABLE c_kinds (id integer PRIMARY KEY, kind varchar(9) NOT NULL CHECK (kind IN "
    "('it''s', 'RUNNING', 'DONE')), place integer NOT NULL CHECK (place BETWEEN 40 AND 42))",
    "CREATE TABLE d_attached (id integer PRIMARY KEY, child_id integer REFERENCES b_children (id), "
    "kind_id integer REFERENCES c_kinds (id), CHECK ((child_id IS NULL) <> (kind_id IS NULL)))",
    "CREATE TABLE e_short (code varchar(3) PRIMARY KEY, made date NOT NULL, ends timestamp NOT "
    "NULL, CHECK (made < ends))",
    "CREATE TABLE f_pairs (a integer NOT NULL, b integer NOT NULL, note text NOT NULL, PRIMARY KEY "
    "(a, b))",
    "CREATE TABLE g_refers (a integer NOT NULL, b integer NOT NULL, FOREIGN KEY (a, b) REFERENCES "
    "f_pairs (a, b))",
};

static void
rows_get_in_through_awkward_constraints_of_sqlite(void **state)
{
    struct world *w = *state;
    open_sqlite(w);
    sql(w, "CREATE TABLE z_parents (id integer PRIMARY KEY, name text NOT NULL UNIQUE)");
    for (size_t i = 0; i < DR_COUNT_OF(common); i++) {
        sql(w, common[i]);
    }
    sql(w, "CREATE TABLE \"odd \"\"name\" (\"the column\" text NOT NULL, twice integer GENERATED "
           "ALWAYS AS (2) STORED)");
    assert_true(fill(w, NULL) >= 8);
    assert_all_have_rows(w, 8);
    assert_int_equal(fill(w, NULL), 0);
}

static void
rows_get_in_through_awkward_constraints_of_postgresql(void **state)
{
    struct world *w = *state;
    open_pg(w);
    sql(w, "CREATE TABLE z_parents (id serial PRIMARY KEY, name text NOT NULL UNIQUE)");
    for (size_t i = 0; i < DR_COUNT_OF(common); i++) {
        sql(w, common[i]);
    }
    sql(w, "CREATE TYPE mood AS ENUM ('it''s fine', 'bad')");
    sql(w, "CREATE DOMAIN positive AS integer CHECK (value > 0)");
    sql(w, "CREATE SCHEMA \"Other\"");
    sql(w,
        "CREATE TABLE \"Other\".types (a bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b mood "
        "NOT NULL, c positive NOT NULL, d uuid NOT NULL, e jsonb NOT NULL, f inet NOT NULL, g "
        "interval NOT NULL, h int4range NOT NULL, i text[] NOT NULL, j bytea NOT NULL, k "
        "numeric(10,4) NOT NULL, l boolean NOT NULL, m integer GENERATED ALWAYS AS (k * 2) "
        "STORED, n time NOT NULL, o char(2) NOT NULL)");
    sql(w, "CREATE TABLE parts (id integer NOT NULL, day date NOT NULL) PARTITION BY RANGE (day)");
    sql(w, "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO "
           "('2030-01-01')");
    sql(w, "CREATE TABLE seen (n bigint)");
    sql(w, "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
           "VALUES (1); RETURN NEW; END $$");
    sql(w, "CREATE TRIGGER t BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION see()");
    assert_true(fill(w, NULL) >= 10);
    assert_all_have_rows(w, 10);
}

static void
a_table_that_takes_no_row_stays_empty(void **state)
{
    struct world *w = *state;
    open_sqlite(w);
    sql(w, "CREATE TABLE never (id integer PRIMARY KEY CHECK (id > id))");
    assert_int_equal(fill(w, NULL), 0);
    struct dr_testing_seen seen = look(w);
    assert_int_equal(seen.tables[0].count, 0);
}

static void
a_changed_table_gets_one_row_more(void **state)
{
    struct world *w = *state;
    open_sqlite(w);
    sql(w, "CREATE TABLE t (id integer PRIMARY KEY, a text)");
    sql(w, "CREATE TABLE u (id integer PRIMARY KEY)");
    assert_int_equal(fill(w, NULL), 6);
    struct dr_testing_seen before = look(w);
    sql(w, "ALTER TABLE t ADD COLUMN b text");
    assert_int_equal(fill(w, &before), 1);
    struct dr_testing_seen now = look(w);
    assert_int_equal(now.tables[0].count, 4);
    assert_int_equal(now.tables[1].count, 3);
}

static void
what_is_gone_or_changed_is_told_by_table(void **state)
{
    struct world *w = *state;
    struct dr_buf out = {0};
    open_sqlite(w);
    sql(w, "CREATE TABLE a (id integer PRIMARY KEY, v text)");
    sql(w, "CREATE TABLE b (id integer PRIMARY KEY)");
    sql(w, "CREATE TABLE c (id integer PRIMARY KEY)");
    sql(w, "INSERT INTO a VALUES (1, 'x'), (2, 'y'), (3, 'z')");
    sql(w, "INSERT INTO b VALUES (1), (2)");
    sql(w, "INSERT INTO c VALUES (1)");
    struct dr_testing_seen before = look(w), same = look(w);
    assert_int_equal(dr_testing_rows_lost(&before, &same, &out), 0);
    assert_int_equal(out.len, 0);
    sql(w, "UPDATE a SET v = 'other' WHERE id = 2");
    sql(w, "DELETE FROM b WHERE id = 1");
    sql(w, "DROP TABLE c");
    struct dr_testing_seen after = look(w);
    assert_int_equal(dr_testing_rows_lost(&before, &after, &out), 3);
    assert_string_equal(out.data, "1 of 3 rows of \"a\" is changed, e.g. 2, 'y'\n"
                                  "1 of 2 rows of \"b\" is gone, e.g. 1\n"
                                  "1 of 1 row of \"c\" is gone");
    dr_buf_fini(&out);
}

static void
many_rows_are_compared_by_their_number(void **state)
{
    struct world *w = *state;
    struct dr_buf out = {0};
    open_sqlite(w);
    sql(w, "CREATE TABLE a (id integer PRIMARY KEY)");
    sql(w, "INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
           "< 1500) SELECT i FROM n");
    struct dr_testing_seen before = look(w);
    assert_int_equal(before.tables[0].count, 1500);
    assert_null(before.tables[0].rows);
    assert_int_equal(dr_testing_rows_total(&before), 1500);
    sql(w, "DELETE FROM a WHERE id <= 700");
    struct dr_testing_seen after = look(w);
    assert_int_equal(dr_testing_rows_lost(&before, &after, &out), 1);
    assert_string_equal(out.data, "700 of 1500 rows of \"a\" are gone");
    dr_buf_fini(&out);
}

static void
what_the_way_up_put_in_may_go_again(void **state)
{
    struct world *w = *state;
    struct dr_buf out = {0};
    open_sqlite(w);
    sql(w, "CREATE TABLE a (id integer PRIMARY KEY)");
    sql(w, "INSERT INTO a VALUES (1)");
    struct dr_testing_seen before = look(w);
    sql(w, "INSERT INTO a VALUES (2), (3)");
    struct dr_testing_seen up = look(w);
    sql(w, "INSERT INTO a VALUES (4)");
    struct dr_testing_seen filled = look(w);
    sql(w, "DELETE FROM a WHERE id IN (2, 3)");
    struct dr_testing_seen after = look(w);
    assert_int_equal(dr_testing_rows_fewer(&before, &up, &filled, &after, &out), 0);
    sql(w, "DELETE FROM a WHERE id = 4");
    after = look(w);
    assert_int_equal(dr_testing_rows_fewer(&before, &up, &filled, &after, &out), 1);
    assert_string_equal(out.data, "1 of 2 rows of \"a\" is gone");
    dr_buf_fini(&out);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rows_get_in_through_awkward_constraints_of_sqlite),
        T(rows_get_in_through_awkward_constraints_of_postgresql),
        T(a_table_that_takes_no_row_stays_empty),
        T(a_changed_table_gets_one_row_more),
        T(what_is_gone_or_changed_is_told_by_table),
        T(many_rows_are_compared_by_their_number),
        T(what_the_way_up_put_in_may_go_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
