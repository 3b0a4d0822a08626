// Which INSERTs are alike but for their literals, and what is said of them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "sql/check.h"
#include "sql/twin.h"

#include <stdlib.h>
#include <string.h>

static size_t
head_of(const char *text)
{
    return dr_sql_insert_head(text, strlen(text));
}

static void
head_of_plain_inserts_ends_behind_values(void **state)
{
    (void)state;
    assert_int_equal(head_of("INSERT INTO a VALUES (1)"), 20);
    assert_int_equal(head_of("insert into a.b (c, \"d e\") values ('x''y', -1.5, NULL)"), 33);
    assert_int_equal(head_of("INSERT INTO a (b) VALUES (DEFAULT),\n (true), ('2')"), 24);
}

static void
whatever_is_more_than_literals_has_no_head(void **state)
{
    static const char *const texts[] = {
        "INSERT INTO a VALUES (now())",
        "INSERT INTO a VALUES (1) RETURNING b",
        "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO a VALUES ()",
        "INSERT INTO a VALUES (1",
        "INSERT INTO a VALUES (1,)",
        "INSERT INTO a VALUES (1)x",
        "INSERT INTO a VALUES ('a' 'b')",
        "INSERT INTO a VALUES ('a\\b')",
        "INSERT INTO a VALUES (E'a')",
        "INSERT INTO a VALUES (1x)",
        "INSERT INTO a VALUES (1.)",
        "INSERT INTO a VALUES (--1\n2)",
        "INSERT INTO a VALUES (1 /* b */)",
        "INSERT INTO a /* b */ VALUES (1)",
        "INSERT INTO a VALUES ($1)",
        "INSERT INTO a VALUES ('1'::text)",
        "INSERT INTO a VALUES ('1)",
        "INSERT INTO a SELECT 1",
        "INSERT INTO \xC3\xA4 VALUES (1)",
        "UPDATE a SET b = 1",
        "INSERT",
        "",
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        if (head_of(texts[i]) != 0) {
            fail_msg("%s", texts[i]);
        }
    }
}

static struct dr_sql_result *
check_pg(struct dr_arena *arena, const char *sql)
{
    struct dr_sql_text text = {sql, strlen(sql)};
    struct dr_sql_result *out = NULL;
    struct dr_err err = {0};
    if (dr_sql_check(DR_SQL_POSTGRESQL, &text, 1, arena, &out, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return out;
}

static void
twins_are_told_what_the_first_is_told(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    (void)state;
    const struct dr_sql_result *r = check_pg(
        arena, "CREATE TABLE a (b int);\nINSERT INTO a VALUES (1);\n  INSERT INTO a VALUES "
               "(2);\nSELECT 1;\nINSERT INTO a VALUES (3);\nINSERT INTO a VALUES (now())");
    assert_int_equal(r->count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_null(r->stmts[i].problem);
        assert_int_equal(r->stmts[i].line, i + 1);
    }
    assert_int_equal(r->stmts[2].column, 3);
    assert_int_equal(r->stmts[2].offset, 52);
    assert_int_equal(r->stmts[1].class_, r->stmts[2].class_);
    assert_int_equal(r->stmts[1].class_, r->stmts[4].class_);
    assert_int_equal(r->stmts[5].class_, r->stmts[4].class_);
    assert_string_equal(r->stmts[2].what, r->stmts[1].what);
    dr_arena_free(&arena);
}

static void
twins_of_a_bad_statement_are_bad_at_the_same_place(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    (void)state;
    const struct dr_sql_result *r =
        check_pg(arena, "INSERT INTO a (b,) VALUES (1);\nINSERT INTO a (b,) VALUES (2)");
    assert_non_null(r->stmts[0].problem);
    assert_non_null(r->stmts[1].problem);
    assert_int_equal(r->stmts[0].problem->offset, 17);
    assert_int_equal(r->stmts[1].problem->offset, 31 + 17);
    assert_string_equal(r->stmts[0].problem->message, r->stmts[1].problem->message);
    assert_int_equal(r->problem.offset, 17);
    dr_arena_free(&arena);
}

int
main(void)
{
    const char *build = getenv("DROVER_BUILD");
    setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_of_plain_inserts_ends_behind_values),
        cmocka_unit_test(whatever_is_more_than_literals_has_no_head),
        cmocka_unit_test(twins_are_told_what_the_first_is_told),
        cmocka_unit_test(twins_of_a_bad_statement_are_bad_at_the_same_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
