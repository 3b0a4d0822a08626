// Lint over whole chains: what was once written by other tools, what tables lack at the end, what
// is known already, and what silences.
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
    snprintf(folder, sizeof folder, "/tmp/drover-lintc-XXXXXX");
    arena = dr_arena_new(64u << 20);
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

static void
put(const char *name, const char *text)
{
    char path[128];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0600, &err), DR_OK);
}

static struct dr_findings
lint(const char *where, const struct dr_review_options *options)
{
    struct dr_findings out = {.arena = arena};
    struct dr_err err = {0};
    enum dr_rc rc = dr_review_folder(where, options, &out, &err);
    if (rc != DR_OK) {
        print_error("%d: %s\n", (int)rc, err.message);
        fail();
    }
    dr_findings_sort(&out);
    return out;
}

// "rule file:line:column" of each finding of at least that severity, a line each.
static char *
list(const struct dr_findings *findings, enum dr_severity least)
{
    struct dr_buf text = {0};
    dr_buf_str(&text, "");
    for (size_t i = 0; i < findings->count; i++) {
        const struct dr_finding *f = &findings->items[i];
        const char *slash = strrchr(f->file, '/');
        if (f->severity >= least) {
            dr_buf_printf(&text, "%s %s:%u:%u\n", f->rule, slash == NULL ? f->file : slash + 1,
                          f->line, f->column);
        }
    }
    char *kept = dr_arena_str(arena, text.data == NULL ? "" : text.data);
    dr_buf_fini(&text);
    return kept;
}

static struct dr_findings
lint_as_alembic(void)
{
    char path[512];
    const char *source = getenv("DROVER_SOURCE");
    snprintf(path, sizeof path, "%s/tests/unit/revision/data/as-alembic",
             source == NULL ? "." : source);
    return lint(path, NULL);
}

static void
what_alembic_rendered_is_refused_at_both_of_its_faults(void **state) // id: V1, R15
{
    (void)state;
    struct dr_findings out = lint_as_alembic();
    assert_string_equal(list(&out, DR_SEVERITY_ERROR),
                        "duplicate-object 002_canvas_tables.sql:29:1\n"
                        "duplicate-object 002_canvas_tables.sql:31:1\n"
                        "unquoted-reserved-word 002_canvas_tables.sql:67:45\n"
                        "duplicate-object 002_canvas_tables.sql:72:1\n"
                        "duplicate-object 004_monthly_reviews.sql:12:1\n"
                        "unquoted-reserved-word 004_monthly_reviews.sql:44:50\n");
    const struct dr_finding *f = &out.items[out.count - 1];
    assert_string_equal(f->source_line,
                        "    CONSTRAINT ck_commitments_order_range CHECK (order >= 1 AND order <= "
                        "3)");
    assert_string_equal(f->help, "write \"order\" in double quotes");
    f = &out.items[out.count - 2];
    assert_non_null(strstr(f->message, "type testing_type exists already: made on line 10 of"));
}

static void
a_unique_column_with_a_unique_index_is_told_once_each(void **state)
{
    (void)state;
    struct dr_findings all = lint_as_alembic(), some = {.arena = arena};
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.items[i].rule, "unique-and-index-duplicate") == 0) {
            dr_findings_add(&some, &all.items[i]);
        }
    }
    assert_string_equal(list(&some, DR_SEVERITY_WARNING),
                        "unique-and-index-duplicate 002_canvas_tables.sql:113:21\n"
                        "unique-and-index-duplicate 002_canvas_tables.sql:127:21\n");
}

#define TAIL "-- drover:verify \"v\"\nSELECT true;\n-- drover:down\nSELECT 1;\n"
#define LITE "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: sqlite\n-- drover:up\n"

static const char schema[] =
    LITE "CREATE TABLE projects (\n id INTEGER PRIMARY KEY,\n name VARCHAR NOT NULL,\n"
         " spec_artifact_id INTEGER,\n selected_arch_option_id INTEGER\n);\n"
         "CREATE TABLE tasks (\n id INTEGER PRIMARY KEY,\n"
         " project_id INTEGER NOT NULL REFERENCES projects (id),\n"
         " status VARCHAR(17) NOT NULL CHECK (status IN ('PENDING', 'COMPLETED')),\n"
         " active_version_id INTEGER\n);\n"
         "CREATE TABLE change_requests (\n id INTEGER PRIMARY KEY,\n"
         " task_id INTEGER NOT NULL REFERENCES tasks (id),\n status VARCHAR(11) NOT NULL\n);\n"
         "CREATE TABLE artifacts (\n id INTEGER PRIMARY KEY,\n project_id INTEGER NOT NULL,\n"
         " task_id INTEGER,\n FOREIGN KEY(project_id) REFERENCES projects (id),\n"
         " FOREIGN KEY(task_id) REFERENCES tasks (id)\n);\n"
         "CREATE TABLE task_versions (\n id INTEGER PRIMARY KEY,\n"
         " task_id INTEGER NOT NULL REFERENCES tasks (id)\n);\n"
         "CREATE TABLE control_state (\n id INTEGER PRIMARY KEY,\n"
         " project_id INTEGER NOT NULL UNIQUE REFERENCES projects (id),\n"
         " current_task_id INTEGER\n);\n"
         "CREATE INDEX ix_artifacts_project_id ON artifacts (project_id);\n" TAIL;

static void
references_and_filters_that_nothing_holds_are_listed(void **state) // id: T5, T6
{
    (void)state;
    put("1.sql", schema);
    struct dr_findings out = lint(folder, NULL);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE),
                        "reference-without-foreign-key 1.sql:9:2\n"    // projects.spec_artifact_id
                        "reference-without-foreign-key 1.sql:10:2\n"   // selected_arch_option_id
                        "missing-fk-index 1.sql:14:30\n"               // tasks.project_id
                        "missing-filter-index 1.sql:15:2\n"            // tasks.status
                        "reference-without-foreign-key 1.sql:16:2\n"   // tasks.active_version_id
                        "missing-fk-index 1.sql:20:27\n"               // change_requests.task_id
                        "missing-filter-index 1.sql:21:2\n"            // change_requests.status
                        "missing-fk-index 1.sql:28:2\n"                // artifacts.task_id
                        "missing-fk-index 1.sql:32:27\n"               // task_versions.task_id
                        "reference-without-foreign-key 1.sql:37:2\n"); // control_state
    assert_non_null(strstr(out.items[0].message, "'projects.spec_artifact_id' looks like a "
                                                 "reference to 'artifacts.id'"));
    assert_non_null(strstr(out.items[1].message, "no table is called after it"));
    assert_non_null(strstr(out.items[4].message, "reference to 'task_versions.id'"));
    assert_non_null(strstr(out.items[9].message, "reference to 'tasks.id'"));
    assert_string_equal(out.items[2].help,
                        "CREATE INDEX ix_tasks_project_id ON tasks (project_id)");
    assert_non_null(strstr(out.items[3].help, "CREATE INDEX ix_tasks_status ON tasks (status)"));
}

#define HEAD(id, parent)                                                                           \
    "-- drover:revision 1\n-- x\n-- Revision ID: " id "\n-- Revises: " parent "\n\n-- drover:up\n"

static void
what_a_later_revision_mends_is_not_told(void **state)
{
    (void)state;
    put("1.sql",
        HEAD("a", "") "CREATE TABLE u (id bigint PRIMARY KEY);\n"
                      "CREATE TABLE t (id bigint PRIMARY KEY, u_id bigint REFERENCES u "
                      "(id), o_id bigint);\nCREATE TABLE o (id bigint PRIMARY KEY);\n" TAIL);
    put("2.sql", HEAD("b", "a") "ALTER TABLE t RENAME u_id TO user_id;\n"
                                "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY ix ON t "
                                "(user_id);\n-- drover:up\nALTER TABLE t ADD FOREIGN KEY (o_id) "
                                "REFERENCES o NOT VALID;\n-- drover:up transaction=off\nCREATE "
                                "INDEX CONCURRENTLY iy ON t (o_id, id);\n" TAIL);
    struct dr_findings out = lint(folder, NULL);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE), "renaming-column 2.sql:7:22\n");
    put("3.sql", HEAD("c", "b") "DROP INDEX ix;\n" TAIL);
    out = lint(folder, NULL);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE),
                        "missing-fk-index 1.sql:8:52\nrenaming-column 2.sql:7:22\n");
}

static void
what_people_know_is_left_out_and_tables_of_one_plan_are_new(void **state)
{
    (void)state;
    const char *const known[] = {"1.sql"};
    struct dr_names older = {known, 1};
    struct dr_review_options options = {.older = &older};
    put("1.sql", HEAD("a", "") "CREATE TABLE t (id bigint PRIMARY KEY, status text);\n" TAIL);
    put("2.sql", HEAD("b", "a") "CREATE TABLE w (id bigint PRIMARY KEY);\n" TAIL);
    put("3.sql", HEAD("c", "b") "ALTER TABLE w ADD x int NOT NULL;\nCREATE INDEX i ON w (x);\n"
                                "ALTER TABLE t ADD y int NOT NULL;\n" TAIL);
    struct dr_findings out = lint(folder, &options);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE), "adding-required-field 3.sql:9:19\n");
    options.older = NULL;
    out = lint(folder, &options);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE),
                        "missing-filter-index 1.sql:7:40\nadding-required-field 3.sql:7:19\n"
                        "require-concurrent-index-creation 3.sql:8:1\n"
                        "adding-required-field 3.sql:9:19\n");
}

static void
a_revision_that_people_know_and_that_was_changed_is_an_error(void **state)
{
    (void)state;
    const char *const names[] = {"1.sql"};
    struct dr_names known = {names, 1};
    struct dr_review_options options = {.older = &known, .changed = &known};
    put("1.sql", HEAD("a", "") "SELECT 1;\n" TAIL);
    struct dr_findings out = lint(folder, &options);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE), "approved-revision-changed 1.sql:3:1\n");
    options.changed = NULL;
    out = lint(folder, &options);
    assert_int_equal(out.count, 0);
}

static void
nolint_holds_for_the_next_statement_and_says_when_it_is_not_needed(void **state)
{
    (void)state;
    put("1.sql",
        HEAD("a", "") "-- drover:nolint missing-filter-index reason=\"ten rows\"\n"
                      "CREATE TABLE t (id bigint PRIMARY KEY, status text);\n"
                      "CREATE TABLE w (id bigint PRIMARY KEY, status text);\n"
                      "-- drover:nolint missing-filter-index reason=\"none\"\nSELECT 1;\n"
                      "-- drover:nolint syntax-error reason=\"it is right\"\nSELECT 1;\n"
                      "-- drover:nolint mising-filter-index reason=\"a slip\"\nSELECT 1;\n" TAIL);
    struct dr_findings out = lint(folder, NULL);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE),
                        "missing-filter-index 1.sql:9:40\nunused-nolint 1.sql:10:1\n"
                        "unused-nolint 1.sql:12:1\nunknown-rule 1.sql:14:1\n");
    assert_non_null(strstr(out.items[2].message, "is an error, which nothing silences"));
    assert_string_equal(out.items[3].message, "there is no rule 'mising-filter-index'");
}

static void
rules_for_sticklers_are_silent_unless_named(void **state)
{
    (void)state;
    static const char *const one[] = {"prefer-text-field", NULL};
    struct dr_findings out = {.arena = arena, .only = one};
    struct dr_err err = {0};
    put("1.sql", HEAD("a", "") "CREATE TABLE t (a varchar(9), status text, b timestamp);\n" TAIL);
    assert_int_equal(dr_review_folder(folder, NULL, &out, &err), DR_OK);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE), "prefer-text-field 1.sql:7:17\n");
    out = lint(folder, NULL);
    assert_string_equal(list(&out, DR_SEVERITY_ADVICE), "missing-filter-index 1.sql:7:31\n");
    static const char *const without[] = {"missing-filter-index", NULL};
    struct dr_findings none = {.arena = arena, .except = without};
    assert_int_equal(dr_review_folder(folder, NULL, &none, &err), DR_OK);
    assert_int_equal(none.count, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_alembic_rendered_is_refused_at_both_of_its_faults),
        TEST(a_unique_column_with_a_unique_index_is_told_once_each),
        TEST(references_and_filters_that_nothing_holds_are_listed),
        TEST(what_a_later_revision_mends_is_not_told),
        TEST(what_people_know_is_left_out_and_tables_of_one_plan_are_new),
        TEST(a_revision_that_people_know_and_that_was_changed_is_an_error),
        TEST(nolint_holds_for_the_next_statement_and_says_when_it_is_not_needed),
        TEST(rules_for_sticklers_are_silent_unless_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
