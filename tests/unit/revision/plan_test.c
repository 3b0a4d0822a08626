// Plans: the same bytes each time, what goes into a unit, and what is refused on either side.
#include "plan_world.h"

static void
compile_gives_the_same_bytes_each_time(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan one = must_compile(&nodes, PG);
    struct dr_nodes again = chain();
    struct dr_plan two = must_compile(&again, PG);
    assert_int_equal(one.packed.len, two.packed.len);
    assert_memory_equal(one.packed.data, two.packed.data, one.packed.len);
    assert_memory_equal(one.digest, two.digest, DR_DIGEST_SIZE);
    struct dr_err err = {0};
    assert_int_equal(dr_plan_compare(&one, two.message, &err), DR_OK);
}

static void
the_way_down_names_the_same_plan(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain(), down = {0};
    const char *const head[] = {"20251022_1350"};
    struct dr_names current = {head, 1};
    struct dr_err err = {0};
    assert_int_equal(dr_graph_downgrade(graph, "base", &current, arena, &down, &err), DR_OK);
    assert_string_equal(down.items[0]->revision->id, "20251022_1350");
    struct dr_plan one = must_compile(&nodes, PG), two = must_compile(&down, PG);
    assert_memory_equal(one.digest, two.digest, DR_DIGEST_SIZE);
}

// These digests are what people sign. When one changes without a change of the fixtures, every plan
// that was approved before would no longer be found: then DR_PLAN_COMPILER must change too.
static void
digests_are_those_of_every_release(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan plan = must_compile(&nodes, PG);
    char hex[2 * DR_DIGEST_SIZE + 1];
    dr_hex(hex, plan.message->revisions[2]->digest.data, DR_DIGEST_SIZE);
    assert_string_equal(hex, "475085866766fb9ce8e5239f23afd118c4a7e235d9f8f9a36a611532f79a4ba7");
    dr_hex(hex, plan.message->revisions[2]->units[4]->digest.data, DR_DIGEST_SIZE);
    assert_string_equal(hex, "ebe1e6ee74d6665031041833b152e813f0e365e4c9c314b27640bcfc3e6e9d33");
    dr_hex(hex, plan.digest, DR_DIGEST_SIZE);
    assert_string_equal(hex, "ad2fff1c6377efb92e27e4924b923d7161ac96c2124b6c00842737ef3c924361");
}

static void
units_carry_options_statements_and_probes(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan plan = must_compile(&nodes, PG);
    assert_string_equal(plan.message->compiler, DR_PLAN_COMPILER);
    assert_int_equal(plan.message->n_revisions, 3);
    assert_true(plan.message->revisions[0]->no_down);
    const Drover__V1__PlanRevision *r = plan.message->revisions[2];
    assert_string_equal(r->id, "20251022_1350");
    assert_string_equal(r->parent_ids[0], "004_reviews");
    assert_memory_equal(r->parents[0].data, plan.message->revisions[1]->digest.data,
                        DR_DIGEST_SIZE);
    assert_int_equal(r->n_units, 8);
    assert_int_equal(r->units[0]->kind, DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT);
    assert_int_equal(r->units[0]->expect, DROVER__V1__EXPECT__EXPECT_EMPTY);
    assert_int_equal(r->units[0]->sample, 5);
    assert_int_equal(r->units[1]->kind, DROVER__V1__UNIT_KIND__UNIT_REMEDY);
    assert_int_equal(r->units[2]->lock_timeout_ms, 3000);
    assert_int_equal(r->units[2]->retry, 4);
    assert_int_equal(r->units[2]->n_statements, 3);
    assert_int_equal(r->units[2]->statements[2]->class_, DROVER__V1__STATEMENT_CLASS__CLASS_SHARE);
    const Drover__V1__Unit *index = r->units[4];
    assert_true(index->outside_transaction);
    assert_int_equal(index->probe, DROVER__V1__PROBE__PROBE_INDEX_CREATED);
    assert_string_equal(index->probe_object, "ix_plans_user");
    assert_int_equal(r->units[5]->max_ms, 50);
    assert_int_equal(r->units[6]->probe, DROVER__V1__PROBE__PROBE_INDEX_DROPPED);
    const Drover__V1__PlanRevision *reviews = plan.message->revisions[1];
    assert_int_equal(reviews->units[1]->lock_timeout_ms, 5000);
    assert_int_equal(reviews->units[5]->kind, DROVER__V1__UNIT_KIND__UNIT_VERIFY_DOWN);
}

static void
unit_sql_is_the_files_bytes(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan plan = must_compile(&nodes, PG);
    const struct dr_revision *r = nodes.items[2]->revision;
    struct dr_buf out = {0};
    struct dr_err err = {0};
    assert_int_equal(
        dr_plan_unit_sql(&out, plan.message->revisions[2]->units[4], r->bytes, r->size, &err),
        DR_OK);
    assert_string_equal(out.data, "CREATE INDEX CONCURRENTLY ix_plans_user ON plans (user_id);\n");
    dr_buf_fini(&out);
}

static void
sections_of_the_other_engine_are_left_out(void **state)
{
    (void)state;
    const struct dr_revision *revisions[] = {fixture("control.sql")};
    struct dr_nodes nodes = build(revisions, 1);
    struct dr_plan pg = must_compile(&nodes, PG), lite = must_compile(&nodes, LITE);
    assert_int_equal(pg.message->revisions[0]->n_units, 5);
    assert_int_equal(lite.message->revisions[0]->n_units, 3);
    assert_int_equal(lite.message->revisions[0]->units[0]->n_statements, 4);
    assert_memory_equal(pg.message->revisions[0]->digest.data,
                        lite.message->revisions[0]->digest.data, DR_DIGEST_SIZE);
    assert_memory_not_equal(pg.digest, lite.digest, DR_DIGEST_SIZE);
}

static void
compile_refuses_a_revision_of_another_engine(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_err err = {0};
    struct dr_plan plan = {0};
    assert_int_equal(dr_plan_compile("shop", LITE, &nodes, arena, &plan, &err),
                     DR_E_REVISION_ENGINE);
    assert_string_equal(err.message, "revision '004_reviews' is not for engine 'sqlite'");
    assert_non_null(strstr(err.hint, "add 'sqlite'"));
    assert_int_equal(err.line, 9);
}

struct refusal {
    const char *up;
    enum dr_rc rc;
    uint32_t line, column;
    const char *message, *hint;
};

static void
compile_refuses_what_lint_calls_an_error(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"-- drover:up\nSELECT 1;\nCREATE TABEL t (id int);\n", DR_E_SQL_SYNTAX, 7, 8,
         "syntax error at or near \"TABEL\"", ""},
        {"-- drover:up\nCREATE TABLE t (\n  a int CHECK (order >= 1)\n);\n", DR_E_SQL_RESERVED, 7,
         16, "syntax error at or near \"order\"", "write \"order\" in double quotes"},
        {"-- drover:up\nCREATE INDEX CONCURRENTLY i ON t (a);\n", DR_E_SQL_TRANSACTION, 6, 1,
         "CREATE INDEX CONCURRENTLY cannot run in a transaction", "-- drover:up transaction=off"},
        {"-- drover:up\nVACUUM t;\n", DR_E_SQL_TRANSACTION, 6, 1,
         "VACUUM cannot run in a transaction", "section of its own"},
        {"-- drover:up transaction=off\nCREATE TABLE t (id int);\n", DR_E_SQL_PROBE, 6, 1,
         "could not be proved done", "remove"},
        {"-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);\n",
         DR_E_SQL_CONCURRENT, 6, 1, "invalid index", "remove IF NOT EXISTS"},
        {"-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY ON t (a);\n", DR_E_SQL_CONCURRENT,
         6, 1, "needs a name", "ix_"},
        {"-- drover:up\nLOAD 'x';\n", DR_E_SQL_FORBIDDEN, 6, 1, "LOAD cannot stand in a revision",
         "remove"},
        {"-- drover:preflight \"p\"\nDELETE FROM t;\n-- drover:up\nSELECT 1;\n", DR_E_SQL_FORBIDDEN,
         6, 1, "a preflight only reads", "SELECT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = dr_arena_printf(arena, "%s%s%s", HEAD, rows[i].up, DOWN);
        const struct dr_revision *revisions[] = {parse("a.sql", text, strlen(text))};
        struct dr_nodes nodes = build(revisions, 1);
        struct dr_err err = {0};
        struct dr_plan plan = {0};
        enum dr_rc rc = dr_plan_compile("shop", PG, &nodes, arena, &plan, &err);
        bool is_good = rc == rows[i].rc && err.line == rows[i].line &&
                       err.column == rows[i].column &&
                       strstr(err.message, rows[i].message) != NULL &&
                       strstr(err.hint, rows[i].hint) != NULL && plan.message == NULL;
        if (!is_good) {
            print_error("%zu: got %d at %u:%u '%s' hint '%s'\n", i, (int)rc, err.line, err.column,
                        err.message, err.hint);
            fail();
        }
    }
}

static void
a_newer_grammar_is_split_without_the_parser(void **state)
{
    (void)state;
    static const char text[] = "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: "
                               "postgresql >= 16\n\n-- drover:up\n"
                               "SELECT JSON_ARRAYAGG(x RETURNING jsonb) FROM t; SELECT 1;\n" DOWN;
    const struct dr_revision *revisions[] = {parse("a.sql", text, sizeof text - 1)};
    struct dr_nodes nodes = build(revisions, 1);
    struct dr_plan plan = must_compile(&nodes, PG);
    assert_int_equal(plan.message->revisions[0]->units[0]->n_statements, 2);
}

static void
what_no_built_in_probe_knows_needs_the_authors_own(void **state)
{
    (void)state;
#define SUBSCRIBE "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;\n"
    static const char *const bad[] = {
        HEAD "-- drover:up\n" SUBSCRIBE DOWN,
        HEAD "-- drover:up transaction=off\n" SUBSCRIBE DOWN,
    };
    static const char good[] = HEAD "-- drover:up transaction=off probe=\"SELECT EXISTS (SELECT "
                                    "FROM pg_subscription)\"\n" SUBSCRIBE DOWN;
    static const char *const hints[] = {"transaction=off", "probe=\"SELECT"};
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        const struct dr_revision *f = parse("a.sql", bad[i], strlen(bad[i]));
        struct dr_nodes nodes = build(&f, 1);
        struct dr_plan plan = {0};
        struct dr_err err = {0};
        assert_int_not_equal(dr_plan_compile("shop", PG, &nodes, arena, &plan, &err), DR_OK);
        if (strstr(err.hint, hints[i]) == NULL) {
            fail_msg("'%s' has not '%s'", err.hint, hints[i]);
        }
    }
    const struct dr_revision *f = parse("a.sql", good, sizeof good - 1);
    struct dr_nodes nodes = build(&f, 1);
    struct dr_plan plan = must_compile(&nodes, PG);
    const Drover__V1__Unit *unit = plan.message->revisions[0]->units[0];
    assert_int_equal(unit->probe, DROVER__V1__PROBE__PROBE_QUERY);
    assert_string_equal(unit->probe_object, "SELECT EXISTS (SELECT FROM pg_subscription)");
}

static void
probe_of_an_author_is_refused_on_sqlite(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "-- drover:up transaction=off probe=\"SELECT 1\"\nVACUUM;\n" DOWN;
    const struct dr_revision *f = parse("a.sql", text, sizeof text - 1);
    struct dr_nodes nodes = build(&f, 1);
    struct dr_err err = {0};
    assert_int_equal(dr_plan_compile("shop", LITE, &nodes, arena, NULL, &err), DR_E_SQL_PROBE);
    assert_non_null(strstr(err.hint, "remove probe="));
}

static void
compare_names_the_first_unit_that_differs(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan mine = must_compile(&nodes, PG), theirs = must_compile(&nodes, PG);
    struct dr_err err = {0};
    theirs.message->revisions[1]->units[1]->digest.data[0] ^= 1;
    assert_int_equal(dr_plan_compare(&mine, theirs.message, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "revision '004_reviews': unit 2"));
    assert_non_null(strstr(err.hint, "do not approve"));
    theirs.message->revisions[1]->units[1]->digest.data[0] ^= 1;
    assert_int_equal(dr_plan_compare(&mine, theirs.message, &err), DR_OK);
    theirs.message->n_revisions--;
    assert_int_equal(dr_plan_compare(&mine, theirs.message, &err), DR_E_PLAN_MISMATCH);
    char compiler[] = "drover-plan/0";
    theirs.message->compiler = compiler;
    assert_int_equal(dr_plan_compare(&mine, theirs.message, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "compiled by 'drover-plan/0'"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(compile_gives_the_same_bytes_each_time),
        TEST(the_way_down_names_the_same_plan),
        TEST(digests_are_those_of_every_release),
        TEST(units_carry_options_statements_and_probes),
        TEST(unit_sql_is_the_files_bytes),
        TEST(sections_of_the_other_engine_are_left_out),
        TEST(compile_refuses_a_revision_of_another_engine),
        TEST(compile_refuses_what_lint_calls_an_error),
        TEST(a_newer_grammar_is_split_without_the_parser),
        TEST(what_no_built_in_probe_knows_needs_the_authors_own),
        TEST(probe_of_an_author_is_refused_on_sqlite),
        TEST(compare_names_the_first_unit_that_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
