// Plans on the other side: what an agent compares with the revisions' own files before anything of
// a plan runs.
#include "plan_world.h"

static void
check_file_accepts_its_own_file_only(void **state)
{
    (void)state;
    struct dr_nodes nodes = chain();
    struct dr_plan plan = must_compile(&nodes, PG);
    Drover__V1__PlanRevision *r = plan.message->revisions[2];
    const struct dr_revision *file = nodes.items[2]->revision;
    struct dr_err err = {0};
    for (size_t i = 0; i < 3; i++) {
        const struct dr_revision *f = nodes.items[i]->revision;
        assert_int_equal(
            dr_plan_check_file(plan.message->revisions[i], PG, f->bytes, f->size, &err), DR_OK);
    }
    char *other = dr_arena_copy(arena, file->bytes, file->size);
    other[file->size - 2] ^= 1;
    assert_int_equal(dr_plan_check_file(r, PG, other, file->size, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "not the one that the plan names"));
    assert_int_equal(dr_plan_check_file(r, PG, file->bytes, file->size - 1, &err),
                     DR_E_PLAN_MISMATCH);
    r->units[2]->lock_timeout_ms++;
    assert_int_equal(dr_plan_check_file(r, PG, file->bytes, file->size, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "a unit's digest"));
    r->units[2]->lock_timeout_ms--;
    r->units[2]->statements[0]->length += 10;
    assert_int_equal(dr_plan_check_file(r, PG, file->bytes, file->size, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "exactly one statement"));
    r->units[2]->statements[0]->length = UINT64_MAX;
    assert_int_equal(dr_plan_check_file(r, PG, file->bytes, file->size, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "outside of the file"));
}

// The digest of a unit proves nothing of its kind: whoever makes a plan makes it too.
static enum dr_rc
recheck(const struct dr_revision *f, Drover__V1__PlanRevision *r, Drover__V1__Unit *u,
        struct dr_err *err)
{
    assert_int_equal(dr_digest_unit(u->digest.data, r->digest.data, u, f->bytes, f->size, err),
                     DR_OK);
    assert_int_equal(dr_plan_check_file(r, PG, f->bytes, f->size, err), DR_OK);
    return dr_plan_check_preflights(r, PG, f->bytes, f->size, arena, err);
}

static void
only_what_the_file_calls_a_preflight_is_one(void **state)
{
    (void)state;
    static const char text[] = HEAD "-- drover:preflight \"look\"\nSELECT true; SELECT 1 = 1;\n"
                                    "-- drover:up\nCREATE TABLE t (a int);\n" DOWN;
    const struct dr_revision *f = parse("a.sql", text, sizeof text - 1);
    struct dr_nodes nodes = build(&f, 1);
    struct dr_plan plan = must_compile(&nodes, PG);
    Drover__V1__PlanRevision *r = plan.message->revisions[0];
    Drover__V1__Unit *look = r->units[0], *up = r->units[1];
    struct dr_err err = {0};
    assert_int_equal(recheck(f, r, look, &err), DR_OK);

    up->kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT; // id: P1
    assert_int_equal(recheck(f, r, up, &err), DR_E_PLAN_MISMATCH);
    assert_non_null(strstr(err.message, "is not one of its file"));
    up->kind = DROVER__V1__UNIT_KIND__UNIT_UP;
    assert_int_equal(recheck(f, r, up, &err), DR_OK);

    look->statement_timeout_ms = UINT32_MAX; // a query that nothing ends
    assert_int_equal(recheck(f, r, look, &err), DR_E_PLAN_MISMATCH);
    look->statement_timeout_ms = 0;

    look->statements[0]->offset += strlen("SELECT "); // "true" alone
    look->statements[0]->length -= strlen("SELECT ");
    assert_int_equal(recheck(f, r, look, &err), DR_E_PLAN_MISMATCH);
    look->statements[0]->offset -= strlen("SELECT ");
    look->statements[0]->length += strlen("SELECT ");
    look->n_statements--; // a part of it
    assert_int_equal(recheck(f, r, look, &err), DR_E_PLAN_MISMATCH);
}

// With true digests, as whoever makes a plan can give them.
static enum dr_rc
with_digests(const struct dr_revision *f, Drover__V1__PlanRevision *r, struct dr_err *err)
{
    for (size_t i = 0; i < r->n_units; i++) {
        assert_int_equal(dr_digest_unit(r->units[i]->digest.data, r->digest.data, r->units[i],
                                        f->bytes, f->size, err),
                         DR_OK);
    }
    assert_int_equal(dr_plan_check_file(r, PG, f->bytes, f->size, err), DR_OK);
    return dr_plan_check_sections(r, PG, f->bytes, f->size, arena, err);
}

static void
spoilt(const struct dr_revision *f, Drover__V1__PlanRevision *r, const char *what)
{
    struct dr_err err = {0};
    if (with_digests(f, r, &err) != DR_E_PLAN_MISMATCH || strstr(err.message, what) == NULL) {
        fail_msg("'%s' instead of '%s'", err.message, what);
    }
}

// id: P1
static void
before_an_approval_every_unit_is_a_section_of_its_file(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
             "-- drover:up transaction=off probe=\"SELECT true\"\nVACUUM t;\n"
             "-- drover:verify \"ok\"\nSELECT true; SELECT 1 = 1;\n" DOWN;
    const struct dr_revision *f = parse("a.sql", text, sizeof text - 1);
    struct dr_nodes nodes = build(&f, 1);
    struct dr_plan plan = must_compile(&nodes, PG);
    Drover__V1__PlanRevision *r = plan.message->revisions[0];
    Drover__V1__Unit *index = r->units[0], *vacuum = r->units[1], *verify = r->units[2];
    const Drover__V1__Unit was_index = *index, was_vacuum = *vacuum, was_verify = *verify;
    static char evil[] = "lo_get(4) IS NULL";

    index->probe = DROVER__V1__PROBE__PROBE_QUERY; // somebody's own SQL
    index->probe_object = evil;
    spoilt(f, r, "unit 1 of the plan is not the section in line 5");
    *index = was_index;
    vacuum->probe_object = evil;
    spoilt(f, r, "unit 2 of the plan");
    vacuum->probe = DROVER__V1__PROBE__PROBE_IDEMPOTENT;
    spoilt(f, r, "unit 2 of the plan");
    *vacuum = was_vacuum;
    verify->probe = DROVER__V1__PROBE__PROBE_IDEMPOTENT; // of a section in a transaction
    spoilt(f, r, "unit 3 of the plan");
    *verify = was_verify;

    verify->kind = DROVER__V1__UNIT_KIND__UNIT_UP;
    spoilt(f, r, "unit 3 of the plan");
    verify->kind = was_verify.kind;
    verify->n_statements = 1;
    spoilt(f, r, "unit 3 of the plan");
    verify->n_statements = 2;
    verify->statements[0]->offset += strlen("SELECT ");
    verify->statements[0]->length -= strlen("SELECT ");
    spoilt(f, r, "unit 3 of the plan");
    verify->statements[0]->offset -= strlen("SELECT ");
    verify->statements[0]->length += strlen("SELECT ");

    r->n_units = 2; // without its verify and down
    spoilt(f, r, "unit 3 of the plan");
    r->n_units = 4;
    Drover__V1__Unit *five[] = {index, vacuum, verify, r->units[3], NULL};
    Drover__V1__Unit more = *r->units[3];
    uint8_t digest[DR_DIGEST_SIZE];
    more.n_statements = 0;
    more.digest.data = digest;
    five[4] = &more;
    r->units = five;
    r->n_units = 5;
    spoilt(f, r, "unit '' of the plan is not one of its file");
    r->n_units = 4;
    r->no_down = true;
    spoilt(f, r, "whether there is a way down");
    r->no_down = false;
    struct dr_err err = {0};
    assert_int_equal(with_digests(f, r, &err), DR_OK);
}

// The parser and the lexer cut at the same places, comments and bodies included.
static void
parser_and_lexer_agree_where_a_statement_begins_and_ends(void **state)
{
    (void)state;
    static const char pg[] =
        HEAD "-- drover:up\n-- why\n/* and /* how */ */ CREATE TABLE t (a int -- here\n);\n\n"
             "; -- nothing\nCREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; "
             "SELECT 2; END;\nDO $x$ BEGIN PERFORM ';'; END $x$; INSERT INTO t VALUES (1); SELECT "
             "E'\\';', \"a;b\" FROM t -- last\n;\n/* after */\n"
             "-- drover:down\nDROP FUNCTION f(); DROP TABLE t -- no semicolon\n";
    static const char lite[] =
        "-- drover:revision 1\n-- x\n-- Revision ID: b1\n-- Engine: sqlite\n\n"
        "-- drover:up\n-- why\nCREATE TABLE t (a int);\n/* then */ CREATE TRIGGER g AFTER "
        "INSERT ON t BEGIN UPDATE t SET a = CASE WHEN a > 1 THEN 2 END; SELECT 1; END;\n"
        "-- drover:down\nDROP TABLE t -- no semicolon\n";
    const struct dr_revision *one = parse("a.sql", pg, sizeof pg - 1);
    struct dr_nodes nodes = build(&one, 1);
    struct dr_plan plan = must_compile(&nodes, PG); // compares with the file
    assert_int_equal(plan.message->revisions[0]->units[0]->n_statements, 5);
    one = parse("b.sql", lite, sizeof lite - 1);
    nodes = build(&one, 1);
    plan = must_compile(&nodes, LITE);
    assert_int_equal(plan.message->revisions[0]->units[0]->n_statements, 2);
}

static void
a_way_down_has_preflights_and_a_section_its_own_max_block(void **state)
{
    (void)state;
    static const char with[] = HEAD "-- drover:up max_block=3s\nCREATE TABLE t (a int);\n"
                                    "-- drover:preflight \"empty\" on=down expect=empty\n"
                                    "SELECT a FROM t;\n" DOWN;
    static const char without[] = HEAD "-- drover:up\nCREATE TABLE t (a int);\n"
                                       "-- drover:preflight \"empty\" on=down expect=empty\n"
                                       "SELECT a FROM t;\n" DOWN;
    const struct dr_revision *f = parse("a.sql", with, sizeof with - 1);
    struct dr_nodes nodes = build(&f, 1);
    struct dr_plan plan = must_compile(&nodes, PG);
    Drover__V1__PlanRevision *r = plan.message->revisions[0];
    struct dr_err err = {0};
    assert_int_equal(r->units[0]->max_block_ms, 3000);
    assert_int_equal(r->units[1]->kind, DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN);
    assert_int_equal(recheck(f, r, r->units[1], &err), DR_OK);

    // The same bytes asked on the way up, or an up section as a preflight of the way down.
    r->units[1]->kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT; // id: P1
    assert_int_equal(recheck(f, r, r->units[1], &err), DR_E_PLAN_MISMATCH);
    r->units[1]->kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN;
    assert_int_equal(recheck(f, r, r->units[1], &err), DR_OK);
    r->units[0]->kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN; // id: P1
    assert_int_equal(recheck(f, r, r->units[0], &err), DR_E_PLAN_MISMATCH);
    r->units[0]->kind = DROVER__V1__UNIT_KIND__UNIT_UP;

    // It is part of the unit's digest.
    r->units[0]->max_block_ms = 0;
    assert_int_equal(dr_plan_check_file(r, PG, f->bytes, f->size, &err), DR_E_PLAN_MISMATCH);
    f = parse("a.sql", without, sizeof without - 1);
    nodes = build(&f, 1);
    plan = must_compile(&nodes, PG);
    assert_int_equal(plan.message->revisions[0]->units[0]->max_block_ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check_file_accepts_its_own_file_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_the_file_calls_a_preflight_is_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(before_an_approval_every_unit_is_a_section_of_its_file,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(parser_and_lexer_agree_where_a_statement_begins_and_ends,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_way_down_has_preflights_and_a_section_its_own_max_block,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
