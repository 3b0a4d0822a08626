#include "coordinator/cli/init_from.h"

#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/import/alembic_config.h"

#include "base/file.h"
#include "db/db.h"

#include <stdlib.h>
#include <string.h>

#define ENV_MAX  (1u << 20) // bytes of env.py
#define NEAR_MAX 40u        // bytes between `environ` and the variable's name

static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

// The URL without "user:PASSWORD@".
static const char *
without_password(struct dr_cli *cli, const char *url, bool *out_had)
{
    const char *user = strstr(url, "://");
    user = user != NULL ? user + 3 : url;
    size_t host = strcspn(user, "/?#");
    const char *at = NULL;
    for (size_t i = 0; i < host; i++) {
        at = user[i] == '@' ? &user[i] : at;
    }
    const char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
    *out_had = colon != NULL;
    return colon == NULL ? url : dr_arena_printf(cli->arena, "%.*s%s", (int)(colon - url), url, at);
}

// What may stand between quotes in drover.conf, and names a database.
static bool
is_usable(const char *url)
{
    return url != NULL && dr_db_kind_of(url) != DR_DB_UNKNOWN && strpbrk(url, "\"\\$\n") == NULL &&
           strstr(url, "password=") == NULL;
}

// Takes the quoted name behind `at`, when it looks like one of an address.
static void
take_variable(struct dr_cli *cli, const char *at, struct dr_init_from *out)
{
    size_t near = strcspn(at, "\"'\n");
    size_t len = near < NEAR_MAX && at[near] != '\0' ? strspn(at + near + 1, capitals) : 0;
    const char *name = len > 0 ? dr_arena_strn(cli->arena, at + near + 1, len) : NULL;
    bool is_one = name != NULL && (at[near + 1 + len] == '"' || at[near + 1 + len] == '\'') &&
                  (strstr(name, "URL") != NULL || strstr(name, "DSN") != NULL ||
                   strstr(name, "DATABASE") != NULL || strstr(name, "DB_") != NULL);
    for (size_t i = 0; is_one && i < out->variables_count; i++) {
        is_one = !dr_str_eq(out->variables[i], name);
    }
    if (is_one && out->variables_count < DR_INIT_VARIABLES_MAX) {
        out->variables[out->variables_count++] = name;
    }
}

static void
scan_env(struct dr_cli *cli, const char *scripts, struct dr_init_from *out)
{
    static const char *const words[] = {"environ", "getenv("};
    const char *path = dr_arena_printf(cli->arena, "%s/env.py", scripts);
    struct dr_err ignored = {0};
    char *text = NULL;
    size_t len = 0;
    if (path == NULL || dr_file_read(path, ENV_MAX, &text, &len, &ignored) != DR_OK) {
        return;
    }
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        for (const char *at = strstr(text, words[i]); at != NULL; at = strstr(at + 1, words[i])) {
            take_variable(cli, at + strlen(words[i]), out);
        }
    }
    free(text);
}

enum dr_rc
dr_init_from_read(struct dr_cli *cli, const char *path, struct dr_init_from *out,
                  struct dr_err *err)
{
    struct dr_alembic_config config = {0};
    enum dr_rc rc = dr_alembic_config_find(path, "alembic", cli->arena, &config, err);
    if (rc != DR_OK) {
        return rc;
    }
    *out = (struct dr_init_from){.path = path,
                                 .versions = config.versions.count > 0
                                                 ? dr_project_shown(cli, config.versions.items[0])
                                                 : "",
                                 .is_placeholder = config.url != NULL && !is_usable(config.url)};
    if (is_usable(config.url)) {
        out->url = without_password(cli, config.url, &out->had_password);
    }
    if (config.script_location != NULL) {
        scan_env(cli, config.script_location, out);
    }
    return DR_OK;
}

static void
say_variable(const struct dr_cli *cli, const char *name)
{
    bool is_known = dr_str_eq(name, "DATABASE_URL") || dr_str_eq(name, "ALEMBIC_DB_URL");
    dr_say(cli,
           is_known ? "         env.py looks at %s: so does drover\n"
                    : "         env.py looks at %s: give drover the same as DROVER_URL\n",
           name);
}

void
dr_init_from_say(const struct dr_cli *cli, const struct dr_init_from *from)
{
    char shown[DR_DB_URL_MAX] = "";
    if (from->url != NULL) {
        dr_db_url_show(from->url, shown, sizeof(shown));
    }
    dr_say(cli, "Alembic: migrations in %s\n", from->versions);
    if (from->url != NULL) {
        dr_say(cli, "         database %s (url of drover.conf)%s\n", shown,
               from->had_password ? "; its password was not copied: ~/.pgpass or PGPASSWORD has it"
                                  : "");
    } else if (from->is_placeholder) {
        dr_say(cli, "         sqlalchemy.url names no database that drover.conf could hold\n");
    }
    for (size_t i = 0; i < from->variables_count; i++) {
        say_variable(cli, from->variables[i]);
    }
    dr_say(cli,
           "next: drover import alembic %s     turns them into revisions/\n"
           "      drover lint; drover test; drover current\n",
           from->path);
}
