// What a tool's table says of an imported chain: a stamp, or what is in its way.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/import/applied.h"

#include <stdio.h>
#include <string.h>

// A chain of versions "1", "1.10", "2", "3"; the last is not recorded by the tool.
static void
make(struct dr_import *import)
{
    static const char *const versions[] = {"001", "1.10", "2", "R__x.sql", "after"};
    struct dr_err err = {0};
    *import = (struct dr_import){.arena = dr_arena_new(1u << 20), .folder = "sql"};
    for (size_t i = 0; i < DR_COUNT_OF(versions); i++) {
        struct dr_import_revision *r = NULL;
        assert_int_equal(dr_import_follow(import, &r, &err), DR_OK);
        r->id = versions[i];
        r->version = versions[i];
        r->checksum = "7";
        r->is_unrecorded = i == 4;
    }
}

// Judges rows; gives "count heads|problems|warnings".
static void
judge(struct dr_applied_row *rows, size_t count, char *out, size_t size)
{
    struct dr_import import;
    struct dr_applied applied = {.rows = rows, .rows_count = count};
    struct dr_err err = {0};
    make(&import);
    assert_int_equal(dr_applied_judge(&import, &applied, &err), DR_OK);
    size_t n = (size_t)snprintf(out, size, "%zu", applied.count);
    for (size_t i = 0; i < applied.heads.count; i++) {
        n += (size_t)snprintf(out + n, size - n, " %s", applied.heads.items[i]);
    }
    for (size_t i = 0; i < applied.problems_count; i++) {
        n += (size_t)snprintf(out + n, size - n, "|%s", applied.problems[i]);
    }
    for (size_t i = 0; i < applied.warnings_count; i++) {
        n += (size_t)snprintf(out + n, size - n, "?%s", applied.warnings[i]);
    }
    dr_arena_free(&import.arena);
}

static void
rows_become_the_heads_that_are_applied(void **state)
{
    char out[512];
    (void)state;
    judge(NULL, 0, out, sizeof out);
    assert_string_equal(out, "0");
    struct dr_applied_row zeros[] = {{"one", "1", "", ""}, {"one", "1.10.0", "", ""}};
    judge(zeros, 2, out, sizeof out);
    assert_string_equal(out, "2 1.10");
    struct dr_applied_row upto[] = {{"upto", "2", "", ""}};
    judge(upto, 1, out, sizeof out);
    assert_string_equal(out, "3 2");
    struct dr_applied_row head[] = {{"head", "R__x.sql", "", ""}};
    judge(head, 1, out, sizeof out);
    assert_string_equal(out, "5 after");
    struct dr_applied_row undone[] = {
        {"one", "1", "", ""}, {"one", "1.10", "", ""}, {"undone", "1.10", "", ""}};
    judge(undone, 3, out, sizeof out);
    assert_string_equal(out, "1 001");
}

// Each dot without a number becomes two characters.
static void
a_version_of_dots_alone_is_only_unknown(void **state)
{
    char out[1024], dots[255];
    (void)state;
    memset(dots, '.', sizeof dots);
    dots[sizeof dots - 1] = '\0';
    struct dr_applied_row rows[] = {{"one", dots, "", ""}};
    judge(rows, 1, out, sizeof out);
    assert_non_null(strstr(out, "is applied, but its file is not in 'sql'"));
}

static void
what_is_half_way_unknown_or_out_of_order_is_a_problem(void **state)
{
    char out[512];
    (void)state;
    struct dr_applied_row dirty[] = {{"upto", "2", "", "dirty"}};
    judge(dirty, 1, out, sizeof out);
    assert_string_equal(out, "0|'2' is half-way: dirty");
    struct dr_applied_row unknown[] = {{"one", "1", "", ""}, {"one", "99", "", ""}};
    judge(unknown, 2, out, sizeof out);
    assert_string_equal(out, "1 001|'99' is applied, but its file is not in 'sql'");
    struct dr_applied_row hole[] = {{"one", "1", "", ""}, {"one", "2", "", ""}};
    judge(hole, 2, out, sizeof out);
    assert_string_equal(out, "2 001 2|'2' is applied, but '1.10' before it is not");
    struct dr_applied_row changed[] = {{"one", "1", "8", ""}};
    judge(changed, 1, out, sizeof out);
    assert_string_equal(
        out, "1 001?'001' is another file now than when it was applied (checksum 7, then 8)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_the_heads_that_are_applied),
        cmocka_unit_test(a_version_of_dots_alone_is_only_unknown),
        cmocka_unit_test(what_is_half_way_unknown_or_out_of_order_is_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
