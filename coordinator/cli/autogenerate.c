// See autogenerate.h.

#include "coordinator/cli/autogenerate.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <stdio.h>
#include <string.h>

#define CHANGES_SHOWN 40u

static void
close_both(struct dr_autogenerate *a)
{
    dr_schema_source_close(&a->chain);
    dr_schema_source_close(&a->desired);
    dr_schema_shared_close(&a->shared);
}

// --desired, else `desired` of drover.conf (a file's path begins at its folder); NULL when there
// is none.
static const char *
find_desired(struct dr_cli *cli)
{
    const char *given = dr_cli_option(cli, "desired");
    const char *text = given != NULL ? given : cli->project->desired;
    if (text[0] == '\0') {
        return NULL;
    }
    if (given != NULL || text[0] == '/' || dr_db_kind_of(text) != DR_DB_UNKNOWN) {
        return text;
    }
    const char *path = dr_arena_printf(cli->arena, "%s/%s", cli->project->folder, text);
    return path == NULL ? text : dr_project_shown(cli, path);
}

// Builds both sides and compares them.
static enum dr_rc
compare(struct dr_autogenerate *a, struct dr_graph *graph, const char *desired, struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    struct dr_nodes all = {0};
    enum dr_rc rc = dr_schema_engine(&a->shared, desired, &a->engine, err);
    rc = rc == DR_OK ? dr_chain_live(cli, graph, &all, err) : rc;
    rc = rc == DR_OK ? dr_schema_source_build(&a->shared, graph, &all, a->engine, &a->chain, err)
                     : rc;
    rc = rc == DR_OK ? dr_schema_source_open(&a->shared, desired, a->engine, &a->desired, err) : rc;
    a->before = rc == DR_OK ? a->chain.print : "";
    return rc == DR_OK ? dr_schema_diff(a->before, a->desired.print, cli->arena, &a->changes,
                                        &a->changes_count, err)
                       : rc;
}

// -------------------------------------------------------------------------------------- renames

static bool
is_taken(const struct dr_autogenerate *a, const struct dr_schema_rename *r)
{
    bool is = false;
    for (size_t i = 0; i < a->renames_count; i++) {
        const struct dr_schema_rename *other = a->renames[i];
        is = is || (other->kind == r->kind &&
                    (dr_str_eq(other->from, r->from) || dr_str_eq(other->to, r->to)));
    }
    return is;
}

static enum dr_rc
decide(struct dr_autogenerate *a, const struct dr_schema_rename *r, bool *out, struct dr_err *err)
{
    const struct dr_cli *cli = a->shared.cli;
    *out = false;
    if (!cli->interactive || cli->yes) {
        return DR_OK;
    }
    const char *question =
        dr_arena_printf(cli->arena, "was %s %s renamed to %s?", dr_schema_kind_word(r->kind),
                        dr_print_safe(cli, r->from), dr_print_safe(cli, r->to));
    return dr_ask_yes(cli, question ? question : "renamed?", out, err);
}

static enum dr_rc
keep(struct dr_autogenerate *a, const struct dr_schema_rename ***list, size_t *count,
     const struct dr_schema_rename *r, struct dr_err *err)
{
    const struct dr_schema_rename **grown =
        dr_arena_array(a->shared.cli->arena, *count + 1, sizeof(*grown));
    if (grown == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (*count > 0) {
        memcpy(grown, *list, *count * sizeof(*grown));
    }
    grown[(*count)++] = r;
    *list = grown;
    return DR_OK;
}

// Looks at the chain's schema as it would be after the renames so far.
static enum dr_rc
read_renamed(struct dr_autogenerate *a, struct dr_err *err)
{
    const char **sql = dr_arena_array(a->shared.cli->arena, a->renames_count + 1, sizeof(*sql));
    if (sql == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < a->renames_count; i++) {
        sql[i] = a->renames[i]->sql;
    }
    return a->renames_count == 0
               ? DR_OK
               : dr_schema_source_read_after(&a->shared, &a->chain, sql, a->renames_count, err);
}

static enum dr_rc
find_renames(struct dr_autogenerate *a, enum dr_schema_kind kind, bool is_sure, struct dr_err *err)
{
    struct dr_schema_rename *found = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_schema_renames(&a->chain.catalog, &a->desired.catalog, a->shared.cli->arena,
                                      &found, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        bool is = is_sure;
        if (found[i].is_sure != is_sure || (!is_sure && found[i].kind != kind) ||
            is_taken(a, &found[i])) {
            continue;
        }
        rc = is_sure ? DR_OK : decide(a, &found[i], &is, err);
        if (rc == DR_OK) {
            rc = is ? keep(a, &a->renames, &a->renames_count, &found[i], err)
                    : keep(a, &a->doubts, &a->doubts_count, &found[i], err);
        }
    }
    return rc == DR_OK ? read_renamed(a, err) : rc;
}

// --rename OLD=NEW, in the order in which they are given: a column's comes after its table's.
static enum dr_rc
take_said(struct dr_autogenerate *a, struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < cli->given_count; i++) {
        const char *value = cli->given[i].value;
        if (!dr_str_eq(cli->given[i].option->name, "rename") || value == NULL) {
            continue;
        }
        const char *sign = strchr(value, '=');
        const char *old = dr_arena_strn(cli->arena, value, sign ? (size_t)(sign - value) : 0);
        struct dr_schema_rename *r = dr_arena_alloc(cli->arena, sizeof(*r));
        if (old == NULL || r == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        rc = dr_schema_rename_of(&a->chain.catalog, &a->desired.catalog, old,
                                 sign ? sign + 1 : value, cli->arena, r, err);
        if (rc == DR_E_NOT_FOUND) {
            return dr_err_hint(err, "--rename users=people, then --rename people.name=people.full: "
                                    "the old one is in the chain only, the new one is not");
        }
        rc = rc == DR_OK ? keep(a, &a->renames, &a->renames_count, r, err) : rc;
        rc = rc == DR_OK ? read_renamed(a, err) : rc;
    }
    return rc;
}

// Asks for renames, then writes up and down.
static enum dr_rc
write_body(struct dr_autogenerate *a, struct dr_new_revision *new, struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    const struct dr_schema_write_options options = {.concurrently =
                                                        dr_cli_has(cli, "concurrently")};
    enum dr_rc rc = take_said(a, err);
    rc = rc == DR_OK ? find_renames(a, DR_SCHEMA_TABLE, false, err) : rc;
    rc = rc == DR_OK ? find_renames(a, DR_SCHEMA_COLUMN, false, err) : rc;
    rc = rc == DR_OK ? find_renames(a, DR_SCHEMA_KINDS, true, err) : rc;
    rc = rc == DR_OK ? dr_schema_write(&a->chain.catalog, &a->desired.catalog, &options, cli->arena,
                                       &a->up, err)
                     : rc;
    rc = rc == DR_OK ? dr_schema_write(&a->desired.catalog, &a->chain.catalog, &options, cli->arena,
                                       &a->down, err)
                     : rc;
    if (rc == DR_OK && a->up.count + a->renames_count == 0) {
        (void)dr_err_set(err, DR_E_INVALID, "%s differs, and no statement can be written for it",
                         a->changes[0].object);
        return dr_err_hint(err,
                           "drover schema diff head %s shows all; then drover revision -m, "
                           "by hand",
                           a->desired.shown);
    }
    return rc == DR_OK ? dr_autogenerate_text(a, new, err) : rc;
}

// ------------------------------------------------------------------------------------------ run

static enum dr_rc
say_nothing(const struct dr_cli *cli, const struct dr_autogenerate *a)
{
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:n, s:b}", "schema", "drover.v1.NewRevision", "path",
                                     "differs", false));
    }
    dr_say(cli, "No difference: the chain makes what %s has; nothing was written.\n",
           a->desired.shown);
    return DR_OK;
}

static void
say_written(const struct dr_autogenerate *a, const struct dr_new_revision *new, const char *path,
            bool proved, json_t *rows)
{
    struct dr_cli *cli = a->shared.cli;
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:b, s:b, s:O}", "schema",
                                     "drover.v1.NewRevision", "id", new->id, "path", path,
                                     "differs", true, "proved", proved, "left", rows));
    }
    if (proved) {
        dr_say(cli, "Proved: up makes what %s has, down gives back what was there.\n",
               a->desired.shown);
    }
    for (size_t i = 0; i < a->doubts_count; i++) {
        dr_print_note(cli, "note: %s %s may have been renamed to %s; then: --rename %s=%s",
                      dr_schema_kind_word(a->doubts[i]->kind), a->doubts[i]->from, a->doubts[i]->to,
                      a->doubts[i]->from, a->doubts[i]->to);
    }
    dr_print_note(cli,
                  "Always review what was generated before it is applied: renames, lost "
                  "data, locks. Next: drover show %s --sql, drover lint, drover test",
                  new->id);
    cli->exit_code = proved ? 0 : 3;
}

static enum dr_rc
write_and_prove(struct dr_autogenerate *a, struct dr_graph *graph, struct dr_new_revision *new,
                struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    const char *path = NULL;
    bool proved = false;
    json_t *rows = json_array();
    enum dr_rc rc = write_body(a, new, err);
    rc = rc == DR_OK ? dr_new_revision_write(cli, graph, new, &path, err) : rc;
    rc = rc == DR_OK ? dr_new_revision_note(cli, err) : rc;
    if (rc == DR_OK) {
        dr_say(cli, "Generating %s ...  done\n", path);
        fflush(stdout);
        rc = dr_autogenerate_prove(a, new->id, rows, &proved, err);
        if (rc != DR_OK) {
            (void)dr_err_hint(err, "the file was kept: correct it, then drover test %s", new->id);
        }
    }
    if (rc == DR_OK) {
        say_written(a, new, path, proved, rows);
    }
    json_decref(rows);
    return rc;
}

enum dr_rc
dr_autogenerate_run(struct dr_cli *cli, struct dr_graph *graph, struct dr_new_revision *new,
                    struct dr_err *err)
{
    struct dr_autogenerate a = {.shared = {.cli = cli}};
    const char *desired = find_desired(cli);
    if (desired == NULL) {
        (void)dr_err_set(err, DR_E_USAGE, "--autogenerate compares with a desired schema");
        return dr_err_hint(err, "--desired schema.sql, or --desired URL of a database that has it, "
                                "or desired = ... in drover.conf");
    }
    enum dr_rc rc = compare(&a, graph, desired, err);
    if (rc == DR_OK && a.changes_count == 0) {
        rc = say_nothing(cli, &a);
    } else if (rc == DR_OK) {
        rc = write_and_prove(&a, graph, new, err);
    }
    close_both(&a);
    return rc;
}

// ---------------------------------------------------------------------------------------- check

enum dr_rc
dr_check_schema(struct dr_checking *check, struct dr_err *err)
{
    struct dr_cli *cli = check->cli;
    struct dr_autogenerate a = {.shared = {.cli = cli}};
    const char *desired = find_desired(cli);
    if (desired == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = compare(&a, check->graph, desired, err);
    for (size_t i = 0; rc == DR_OK && i < a.changes_count && i < CHANGES_SHOWN; i++) {
        const struct dr_schema_change *c = &a.changes[i];
        dr_check_say(check, "schema", false, NULL, "%s: %s",
                     c->sign == '+'   ? "not in the chain"
                     : c->sign == '-' ? "only in the chain"
                                      : "other in the chain",
                     c->object);
    }
    if (rc == DR_OK && a.changes_count > 0) {
        dr_check_say(check, "schema", false, "drover revision --autogenerate -m TEXT",
                     "%zu object%s from %s", a.changes_count,
                     a.changes_count == 1 ? " differs" : "s differ", a.desired.shown);
    } else if (rc == DR_OK) {
        dr_check_say(check, "schema", true, NULL, "the chain makes what %s has", a.desired.shown);
    }
    close_both(&a);
    return rc;
}
