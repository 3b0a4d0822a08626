// Fingerprints: what changes them, what does not, and what a difference says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/fingerprint.h"
#include "support/fingerprint_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ------------------------------------------------------------------------------------------------
// PostgreSQL

static const char *const everything[] = {
    "SET search_path = app",
    "CREATE TYPE lane AS ENUM ('open', 'closed')",
    "CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TYPE span AS RANGE (subtype = int4)",
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail email NOT NULL "
    "UNIQUE, "
    "lane lane DEFAULT 'open', made timestamptz DEFAULT now(), up text GENERATED ALWAYS AS "
    "(upper(mail)) STORED)",
    "CREATE TABLE orders (id serial PRIMARY KEY, who bigint REFERENCES users ON DELETE CASCADE, n "
    "numeric(10,4), "
    "CONSTRAINT n_positive CHECK (n > 0)) WITH (fillfactor = 80)",
    "CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day)",
    "CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE INDEX orders_who ON orders (who) WHERE n > 5",
    "CREATE VIEW big AS SELECT u.mail, o.n FROM users u JOIN orders o ON o.who = u.id",
    "CREATE MATERIALIZED VIEW mat AS SELECT count(*) FROM orders",
    "CREATE SEQUENCE ticket START 7 CYCLE",
    "CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2'",
    "CREATE FUNCTION thrice(i int) RETURNS int LANGUAGE sql IMMUTABLE RETURN i * 3",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN\n  RETURN NEW;\nEND'",
    "CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int, initcond = '0')",
    "CREATE TRIGGER noted BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note()",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON orders FOR SELECT USING (who = 1)",
    "CREATE RULE nothing AS ON DELETE TO parts DO INSTEAD NOTHING",
    "GRANT SELECT ON orders TO PUBLIC",
    "GRANT UPDATE (n) ON orders TO PUBLIC",
    "RESET search_path",
    NULL,
};

static void
every_kind_of_object_has_its_line(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE SCHEMA app");
    run(pg, everything);
    struct dr_fingerprint f = take(pg, "app");
    static const char *const lines[] = {
        "enum lane: 'open', 'closed'\n",
        "domain email: text",
        "type pair: a integer, b text\n",
        "range span: integer\n",
        "column users.id: bigint not null generated always as identity\n",
        "column users.mail: email not null\n",
        "column users.lane: lane default 'open'::lane\n",
        "column users.up: text generated always as upper((mail)::text)\n",
        "table orders: with (fillfactor=80) row security\n",
        "table parts: partition by RANGE (day)\n",
        "table parts_2026: partition of parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')\n",
        "constraint orders.n_positive: CHECK (n > 0::numeric)\n",
        "constraint orders.orders_who_fkey: FOREIGN KEY (who) REFERENCES users(id) ON DELETE "
        "CASCADE\n",
        "index orders.orders_who: CREATE INDEX orders_who ON orders USING btree (who) WHERE n > "
        "5::numeric\n",
        "view big:  SELECT u.mail,\\n",
        "materialized view mat:",
        "sequence ticket: bigint start 7 increment 1 min 1 max 9223372036854775807 cache 1 cycle\n",
        "sequence orders_id_seq: integer start 1 increment 1 min 1 max 2147483647 cache 1 owned by "
        "orders.id\n",
        "function twice(i integer): (i integer) returns integer language sql immutable as SELECT i "
        "* 2\n",
        "function thrice(i integer): (i integer) returns integer language sql immutable RETURN (i "
        "* 3)\n",
        "function note(): () returns trigger language plpgsql as BEGIN\\n  RETURN NEW;\\nEND\n",
        "aggregate total(integer): ",
        "trigger orders.noted: CREATE TRIGGER noted BEFORE UPDATE ON orders FOR EACH ROW EXECUTE "
        "FUNCTION note()\n",
        "policy orders.mine: permissive for r to public using (who = 1)\n",
        "rule parts.nothing: ",
        "grant table orders to public: SELECT\n",
        "grant column orders.n to public: UPDATE\n",
        "grant function twice(i integer) to public: EXECUTE\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strstr(f.text, lines[i]) == NULL) {
            fail_msg("no line '%s' in:\n%s", lines[i], f.text);
        }
    }
    dr_fingerprint_fini(&f);
    dr_pg_close(&pg);
}

// id: M2
static void
tenants_with_the_same_schema_are_equal(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE SCHEMA app");
    run(pg, everything);
    RUN(pg, "ALTER SCHEMA app RENAME TO \"tenant 1\"", "CREATE SCHEMA app");
    run(pg, everything);
    struct dr_fingerprint one = take(pg, "tenant 1");
    struct dr_fingerprint two = take(pg, "app");
    struct dr_buf diff = {0};
    if (dr_fingerprint_diff(one.text, two.text, 20, &diff) != 0) {
        fail_msg("%s", diff.data);
    }
    assert_memory_equal(one.sha256, two.sha256, 32);
    assert_true(one.text_len > 1000);
    dr_fingerprint_fini(&one);
    dr_fingerprint_fini(&two);
    dr_buf_fini(&diff);
    dr_pg_close(&pg);
}

// id: V6 V11
static void
down_leads_back_and_positions_do_not_count(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE TABLE public.t (a int, b text)");
    struct dr_fingerprint before = take(pg, NULL);
    RUN(pg, "ALTER TABLE public.t DROP a", "CREATE INDEX x ON public.t (b)");
    struct dr_fingerprint during = take(pg, NULL);
    RUN(pg, "DROP INDEX public.x", "ALTER TABLE public.t ADD a int",
        "INSERT INTO public.t VALUES ('x', 1)");
    struct dr_fingerprint after = take(pg, NULL);
    assert_memory_not_equal(before.sha256, during.sha256, 32);
    assert_memory_equal(before.sha256, after.sha256, 32);
    struct dr_buf diff = {0};
    assert_int_equal(dr_fingerprint_diff(before.text, during.text, 10, &diff), 2);
    assert_string_equal(diff.data,
                        "- column public.t.a: integer\n"
                        "+ index public.t.x: CREATE INDEX x ON public.t USING btree (b)\n");
    dr_buf_fini(&diff);
    dr_fingerprint_fini(&before);
    dr_fingerprint_fini(&during);
    dr_fingerprint_fini(&after);
    dr_pg_close(&pg);
}

static void
own_objects_and_values_do_not_count(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE SEQUENCE public.s");
    struct dr_fingerprint before = take(pg, NULL);
    RUN(pg, "CREATE SCHEMA drover", "CREATE TABLE drover.ledger (i int)",
        "CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY)",
        "CREATE TABLE public.drover_note (i int PRIMARY KEY)", "SELECT nextval('public.s')");
    struct dr_fingerprint after = take(pg, NULL);
    assert_string_equal(before.text, after.text);
    assert_string_equal(
        before.text,
        "grant schema public to public: USAGE\n"
        "sequence public.s: bigint start 1 increment 1 min 1 max 9223372036854775807 cache 1\n");
    dr_fingerprint_fini(&before);
    dr_fingerprint_fini(&after);
    dr_pg_close(&pg);
}

// id: S22
static void
invalid_index_is_another_schema(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    RUN(pg, "CREATE TABLE public.t (i int)", "INSERT INTO public.t VALUES (1), (1)");
    assert_int_equal(
        dr_pg_run(pg, "CREATE UNIQUE INDEX CONCURRENTLY x ON public.t (i)", &wait, NULL),
        DR_E_DB_STATEMENT);
    struct dr_fingerprint f = take(pg, "public");
    assert_non_null(
        strstr(f.text, "index t.x: CREATE UNIQUE INDEX x ON t USING btree (i) INVALID"));
    dr_fingerprint_fini(&f);
    dr_pg_close(&pg);
}

static void
transaction_of_the_caller_is_seen_and_kept(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    char path[64];
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    struct dr_pg_stmt ask = {.sql = "SELECT pg_catalog.current_setting('search_path')"};
    RUN(pg, "BEGIN", "SET LOCAL search_path = public, pg_temp", "CREATE TABLE t (i int)");
    struct dr_fingerprint f = take(pg, "public");
    assert_non_null(strstr(f.text, "column t.i: integer\n"));
    assert_int_equal(dr_pg_tx_status(pg), DR_PG_TX_OPEN);
    assert_int_equal(dr_pg_value(pg, &ask, &wait, path, sizeof path, &err), DR_OK);
    assert_string_equal(path, "public, pg_temp");
    RUN(pg, "ROLLBACK");
    dr_fingerprint_fini(&f);
    f = take(pg, "public");
    assert_null(strstr(f.text, "table t"));
    assert_int_equal(dr_pg_tx_status(pg), DR_PG_TX_IDLE);
    dr_fingerprint_fini(&f);
    dr_pg_close(&pg);
}

// id: S06
static void
operators_in_the_schema_are_not_called(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg,
        "CREATE FUNCTION public.trap(name, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE "
        "''trapped''; END'",
        "CREATE FUNCTION public.trap(name, name) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE "
        "''trapped''; END'",
        "CREATE FUNCTION public.trap(oid, int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE "
        "''trapped''; END'",
        "CREATE OPERATOR public.|| (leftarg = name, rightarg = text, function = public.trap)",
        "CREATE FUNCTION public.trap2(name, name) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE "
        "''trapped''; END'",
        "CREATE OPERATOR public.|| (leftarg = name, rightarg = name, function = public.trap2)",
        "CREATE OPERATOR public.!~~ (leftarg = name, rightarg = name, function = public.trap)",
        "CREATE OPERATOR public.!~ (leftarg = name, rightarg = name, function = public.trap)",
        "CREATE OPERATOR public.= (leftarg = oid, rightarg = int, function = public.trap)",
        "CREATE TABLE public.t (i serial PRIMARY KEY)", "GRANT SELECT ON public.t TO PUBLIC",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON public.t");
    struct dr_fingerprint f = take(pg, "public");
    assert_non_null(strstr(f.text, "grant table t to public: SELECT\n"));
    dr_fingerprint_fini(&f);
    dr_pg_close(&pg);
}

static void
missing_schema_is_named(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    struct dr_err err = {0};
    struct dr_fingerprint f = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    struct dr_fingerprint_options options = {.schema = "nowhere"};
    assert_int_equal(dr_fingerprint_pg(pg, &options, &wait, &f, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "there is no schema 'nowhere'"));
    dr_pg_close(&pg);
}

static void
tolerated_objects_are_left_out(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    struct dr_err err = {0};
    struct dr_fingerprint f = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    static const char *const patterns[] = {"grant *", "* tmp_*"};
    struct dr_fingerprint_options options = {
        .schema = "public", .tolerate = patterns, .tolerate_count = 2};
    RUN(pg, "CREATE TABLE public.tmp_a (i int)", "CREATE TABLE public.t ()",
        "GRANT SELECT ON public.t TO PUBLIC");
    assert_int_equal(dr_fingerprint_pg(pg, &options, &wait, &f, &err), DR_OK);
    struct dr_buf kept = {0};
    uint8_t sha256[32];
    assert_int_equal(dr_fingerprint_tolerate(f.text, patterns, 2, &kept, &err), DR_OK);
    assert_string_equal(kept.data, "table t\n");
    assert_int_equal(dr_fingerprint_sha256(kept.data, NULL, 0, sha256, &err), DR_OK);
    assert_memory_equal(sha256, f.sha256, 32);
    assert_non_null(strstr(f.text, "table tmp_a\n")); // kept: another day it may not be tolerated
    dr_buf_fini(&kept);
    dr_fingerprint_fini(&f);
    dr_pg_close(&pg);
}

// ------------------------------------------------------------------------------------------------
// SQLite

static struct dr_fingerprint
take_sqlite(const char *script)
{
    struct dr_err err = {0};
    struct dr_sqlite *db = NULL;
    struct dr_fingerprint out = {0};
    struct dr_sqlite_options open_options = {.create = true};
    struct dr_fingerprint_options options = {0};
    assert_int_equal(dr_sqlite_open(":memory:", &open_options, &db, &err), DR_OK);
    if (dr_sqlite_script(db, script, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    dr_sqlite_set_guard(db, DR_SQLITE_READ);
    if (dr_fingerprint_sqlite(db, &options, &out, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    dr_sqlite_close(&db);
    return out;
}

static void
sqlite_objects_have_their_lines(void **state)
{
    (void)state;
    struct dr_fingerprint f = take_sqlite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE "
        "UNIQUE);"
        "CREATE TABLE c (a INT DEFAULT 3 CHECK (a > 0), b INT, s TEXT AS (a || 'x') STORED, "
        "CONSTRAINT both CHECK(a<>b), UNIQUE (a, b), FOREIGN KEY (a) REFERENCES p (id) ON DELETE "
        "CASCADE) STRICT;"
        "CREATE INDEX c_b ON c (b) WHERE b > 5; CREATE VIEW v AS SELECT 'It''s' FROM p;"
        "CREATE TRIGGER t AFTER INSERT ON c BEGIN SELECT 1; END;"
        "CREATE TABLE drover_ledger (i); CREATE INDEX drover_i ON drover_ledger (i);"
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);");
    assert_string_equal(
        f.text, "column c.a: int default 3\n"
                "column c.b: int\n"
                "column c.s: text generated stored\n"
                "column p.id: integer primary key 1\n"
                "column p.name: text not null\n"
                "foreign key c (a): references p (id) on update no action on delete cascade\n"
                "index c_b: create index c_b on c ( b ) where b > 5\n"
                "rule c: a check ( a > 0 )\n"
                "rule c: check ( a <> b )\n"
                "rule c: s as ( a || 'x' )\n"
                "rule p: id autoincrement\n"
                "rule p: name collate nocase\n"
                "table c: strict\n"
                "table p\n"
                "trigger t: create trigger t after insert on c begin select 1 ; end\n"
                "unique c (a, b)\n"
                "unique p (name collate nocase)\n"
                "view v: create view v as select 'It''s' from p\n");
    dr_fingerprint_fini(&f);
}

static void
sqlite_spelling_and_order_do_not_count(void **state)
{
    (void)state;
    struct dr_fingerprint one =
        take_sqlite("CREATE TABLE t (a INT, b TEXT NOT NULL DEFAULT 'x', CHECK (a>1));"
                    "CREATE VIEW v AS SELECT a FROM t;");
    struct dr_fingerprint two = take_sqlite("create table \"t\" (a int -- first\n, check( a > 1 ));"
                                            "ALTER TABLE t ADD COLUMN b text DEFAULT 'x' NOT NULL;"
                                            "CREATE VIEW [v] AS\n  select  a /* all */ FROM `t` ;");
    assert_string_equal(one.text, two.text);
    struct dr_fingerprint three =
        take_sqlite("CREATE TABLE t (a INT, b TEXT NOT NULL DEFAULT 'X', CHECK (a>1));"
                    "CREATE VIEW v AS SELECT a FROM t;");
    struct dr_buf diff = {0};
    assert_int_equal(dr_fingerprint_diff(one.text, three.text, 10, &diff), 1);
    assert_string_equal(diff.data, "~ column t.b\n  - column t.b: text not null default 'x'\n"
                                   "  + column t.b: text not null default 'X'\n");
    dr_buf_fini(&diff);
    dr_fingerprint_fini(&one);
    dr_fingerprint_fini(&two);
    dr_fingerprint_fini(&three);
}

static void
empty_database_has_the_digest_of_nothing(void **state)
{
    (void)state;
    struct dr_fingerprint f = take_sqlite("");
    assert_string_equal(f.text, "");
    assert_int_equal(f.sha256[0], 0xe3);
    dr_fingerprint_fini(&f);
}

// ------------------------------------------------------------------------------------------------
// difference

static void
difference_is_bounded(void **state)
{
    (void)state;
    struct dr_buf diff = {0};
    assert_int_equal(dr_fingerprint_diff("a: 1\nb: 1\nc\n", "a: 2\nc\nd\ne\n", 2, &diff), 4);
    assert_string_equal(diff.data, "~ a\n  - a: 1\n... and 4 more lines\n");
    assert_int_equal(dr_fingerprint_diff("", "x\n", 2, NULL), 1);
    assert_int_equal(dr_fingerprint_diff("x\n", "x\n", 2, NULL), 0);
    dr_buf_fini(&diff);
}

static void
differing_objects_are_named_and_counted(void **state)
{
    (void)state;
    struct dr_err err = {0};
    struct dr_arena *arena = dr_arena_new(1u << 20);
    char **names = NULL;
    size_t n = 0;
    size_t count = 0;
    const char *before = "column t.a: int\nindex i: on a\ntable t\n";
    const char *after = "column t.a: text\ncolumn t.b: int\ntable t\n";
    assert_int_equal(dr_fingerprint_objects(arena, before, after, 200, &names, &n, &count, &err),
                     DR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "added column t.b");
    assert_string_equal(names[1], "changed column t.a");
    assert_string_equal(names[2], "removed index i");
    assert_int_equal(dr_fingerprint_objects(arena, before, after, 2, &names, &n, &count, &err),
                     DR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(count, 3);
    assert_int_equal(dr_fingerprint_objects(arena, after, after, 2, &names, &n, &count, &err),
                     DR_OK);
    assert_int_equal(n + count, 0);
    dr_arena_free(&arena);
}

static void
name_with_a_colon_is_no_way_into_a_tolerance(void **state)
{
    (void)state;
    struct dr_err err = {0};
    static const char *const patterns[] = {"table tmp"};
    struct dr_buf kept = {0};
    struct dr_fingerprint f =
        take_sqlite("CREATE TABLE \"tmp: x\" (i int); CREATE TABLE tmp (i int)");
    assert_int_equal(dr_fingerprint_tolerate(f.text, patterns, 1, &kept, &err), DR_OK);
    assert_non_null(strstr(kept.data, "table tmp\\x3a x"));
    assert_null(strstr(kept.data, "table tmp\n"));
    dr_buf_fini(&kept);
    dr_fingerprint_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_object_has_its_line),
        cmocka_unit_test(tenants_with_the_same_schema_are_equal),
        cmocka_unit_test(down_leads_back_and_positions_do_not_count),
        cmocka_unit_test(own_objects_and_values_do_not_count),
        cmocka_unit_test(invalid_index_is_another_schema),
        cmocka_unit_test(transaction_of_the_caller_is_seen_and_kept),
        cmocka_unit_test(operators_in_the_schema_are_not_called),
        cmocka_unit_test(missing_schema_is_named),
        cmocka_unit_test(tolerated_objects_are_left_out),
        cmocka_unit_test(differing_objects_are_named_and_counted),
        cmocka_unit_test(name_with_a_colon_is_no_way_into_a_tolerance),
        cmocka_unit_test(sqlite_objects_have_their_lines),
        cmocka_unit_test(sqlite_spelling_and_order_do_not_count),
        cmocka_unit_test(empty_database_has_the_digest_of_nothing),
        cmocka_unit_test(difference_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
