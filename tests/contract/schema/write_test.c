// Between any two schemas the writer's statements lead there and back, on a real PostgreSQL: what
// is compared is the fingerprint, and a second comparison finds nothing.
#include "schema/diff.h"
#include "schema/write.h"

#include "base/str.h"
#include "engine/fingerprint.h"
#include "sql/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/pg.h"
#include "support/pgcluster.h"

#include "pairs_pg.h"

struct world {
    struct dr_pg *pg;
    struct dr_arena *arena;
    const char *pair;
};

static void
run(struct world *w, const char *schema, const char *sql)
{
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_err err = {0};
    char set[100];
    (void)snprintf(set, sizeof set, "SET search_path = %s", schema);
    if (dr_pg_run(w->pg, set, &wait, &err) != DR_OK ||
        dr_pg_run(w->pg, sql, &wait, &err) != DR_OK) {
        fail_msg("%s: %s\n%s", w->pair, err.message, sql);
    }
}

static void
run_text(struct world *w, const char *schema, const char *text)
{
    struct dr_sql_text one = {.text = text, .len = strlen(text)};
    struct dr_sql_result split = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_sql_split(DR_SQL_POSTGRESQL, &one, w->arena, &split, &err), DR_OK);
    for (size_t i = 0; i < split.count; i++) {
        run(w, schema,
            dr_arena_strn(w->arena, text + split.stmts[i].offset, split.stmts[i].length));
    }
}

static const char *
print(struct world *w, const char *schema)
{
    struct dr_fingerprint_options options = {.schema = schema};
    struct dr_fingerprint found = {0};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_err err = {0};
    if (dr_fingerprint_pg(w->pg, &options, &wait, &found, &err) != DR_OK) {
        fail_msg("%s: %s", w->pair, err.message);
    }
    const char *text = dr_arena_str(w->arena, found.text);
    dr_fingerprint_fini(&found);
    return text;
}

static struct dr_catalog
read(struct world *w, const char *schema)
{
    struct dr_catalog catalog = {0};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_err err = {0};
    if (dr_catalog_pg(w->pg, schema, &wait, w->arena, &catalog, &err) != DR_OK) {
        fail_msg("%s: %s", w->pair, err.message);
    }
    return catalog;
}

static struct dr_schema_script
compare(struct world *w, const char *from, const char *to)
{
    static const struct dr_schema_write_options plain = {0};
    struct dr_catalog a = read(w, from);
    struct dr_catalog b = read(w, to);
    struct dr_schema_script script = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_schema_write(&a, &b, &plain, w->arena, &script, &err), DR_OK);
    return script;
}

static const char *
join(struct world *w, const struct dr_schema_script *script)
{
    const char *text = "";
    for (size_t i = 0; i < script->count; i++) {
        text = dr_arena_printf(w->arena, "%s%s;\n", text, script->stmts[i].sql);
    }
    return text;
}

static void
apply(struct world *w, const char *schema, const struct dr_schema_script *script, const char *want)
{
    for (size_t i = 0; i < script->count; i++) {
        struct dr_db_wait wait = dr_db_wait_ms(20000);
        struct dr_err err = {0};
        if (dr_pg_run(w->pg, script->stmts[i].sql, &wait, &err) != DR_OK) {
            fail_msg("%s: %s: %s\n--- all:\n%s", w->pair, err.message, script->stmts[i].sql,
                     join(w, script));
        }
    }
    struct dr_buf diff = {0};
    if (dr_fingerprint_diff(print(w, schema), want, 40, &diff) != 0) {
        fail_msg("%s:\n%s--- by:\n%s", w->pair, diff.data, join(w, script));
    }
    dr_buf_fini(&diff);
    assert_int_equal(script->by_hand_count, 0);
}

static void
try_pair(struct world *w, const struct pair *pair, size_t number)
{
    char a[32], b[32], sql[64];
    w->pair = pair->name;
    w->arena = dr_arena_new(256u * 1024 * 1024);
    (void)snprintf(a, sizeof a, "a_%zu", number);
    (void)snprintf(b, sizeof b, "b_%zu", number);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA %s", a);
    run(w, "public", sql);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA %s", b);
    run(w, "public", sql);
    run_text(w, a, pair->before);
    run_text(w, b, pair->after);
    const char *before = print(w, a);
    struct dr_schema_script up = compare(w, a, b);
    struct dr_schema_script down = compare(w, b, a);
    if (pair->expect != NULL && strstr(join(w, &up), pair->expect) == NULL) {
        fail_msg("%s: no '%s' in\n%s", w->pair, pair->expect, join(w, &up));
    }
    if ((pair->loss == NULL) != (up.losses_count == 0)) {
        fail_msg("%s: loses %s", w->pair, up.losses_count ? up.losses[0] : "nothing");
    }
    if (pair->loss != NULL && !dr_str_starts(up.losses[0], pair->loss)) {
        fail_msg("%s: loses %s", w->pair, up.losses[0]);
    }
    (void)snprintf(sql, sizeof sql, "SET search_path = %s", a);
    run(w, a, sql);
    apply(w, a, &up, print(w, b));
    run(w, a, sql);
    struct dr_schema_script again = compare(w, a, b);
    if (again.count != 0) {
        fail_msg("%s: a second comparison finds %s", w->pair, again.stmts[0].sql);
    }
    run(w, a, sql);
    apply(w, a, &down, before);
    dr_arena_free(&w->arena);
}

static int
open_world(void **state)
{
    struct dr_pgcluster *cluster = dr_pgcluster_shared();
    struct dr_pg_options options = {.url = dr_pgcluster_new_database(cluster)};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_err err = {0};
    struct dr_pg *pg = NULL;
    if (dr_pg_connect(&options, &wait, &pg, &err) != DR_OK ||
        dr_pg_run(pg, "CREATE ROLE app", &wait, &err) != DR_OK) {
        return -1;
    }
    *state = pg;
    return 0;
}

static struct dr_pg *shared;

static int
open_shared(void **state)
{
    int rc = open_world(state);
    shared = *state;
    *state = NULL; // each test has its pair there
    return rc;
}

static int
close_shared(void **state)
{
    (void)state;
    dr_pg_close(&shared);
    return 0;
}

static void
a_script_leads_there_and_back(void **state) // id: C11
{
    const struct pair *pair = *state;
    struct world w = {.pg = shared};
    try_pair(&w, pair, (size_t)(pair - pg_pairs));
}

int
main(void)
{
    struct CMUnitTest tests[DR_COUNT_OF(pg_pairs)];
    const char *only = getenv("ONLY");
    size_t count = 0;
    for (size_t i = 0; i < DR_COUNT_OF(pg_pairs); i++) {
        if (only == NULL || strstr(pg_pairs[i].name, only) != NULL) {
            tests[count++] = (struct CMUnitTest){.name = pg_pairs[i].name,
                                                 .test_func = a_script_leads_there_and_back,
                                                 .initial_state = (void *)(uintptr_t)&pg_pairs[i]};
        }
    }
    return _cmocka_run_group_tests("schema/write", tests, count, open_shared, close_shared);
}
