// Check, databases: can the agent do its work there?
#include "agent/check.h"

#include "base/cmd.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/run.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS   5000
#define TOOL_MS      5000u
#define TOOL_OUTPUT  4096u
#define ID_ARENA_MAX (64u * 1048576u)

// ---------------------------------------------------------------------------------- pg_dump

// "pg_dump (PostgreSQL) 15.20 (Debian ...)" gives 15; 0 when it is not there.
static int
tool_major(const char *path)
{
    const char *const argv[] = {path, "--version", NULL};
    const struct dr_cmd cmd = {
        .argv = argv, .timeout_ms = TOOL_MS, .output_max = TOOL_OUTPUT, .cancel_fd = -1};
    struct dr_cmd_result result = {0};
    int major = 0;
    if (dr_cmd_run(&cmd, &result, NULL) == DR_OK && result.exit_code == 0 &&
        result.output.data != NULL) {
        const char *at = strstr(result.output.data, ") ");
        major = at == NULL ? 0 : (int)strtol(at + 2, NULL, 10);
    }
    dr_cmd_result_fini(&result);
    return major;
}

static void
check_tool(struct dr_agent_check_list *list, const struct dr_agent_config *config, const char *item,
           int server_major)
{
    char path[PATH_MAX];
    int major = 0;
    if (config->pg_bindir[0] != '\0') {
        (void)snprintf(path, sizeof path, "%.*s/pg_dump", PATH_MAX - 16, config->pg_bindir);
        major = tool_major(path);
    } else {
        (void)snprintf(path, sizeof path, "/usr/lib/postgresql/%d/bin/pg_dump", server_major);
        major = access(path, X_OK) == 0 ? tool_major(path) : 0;
        if (major < server_major) {
            (void)snprintf(path, sizeof path, "pg_dump");
            major = tool_major(path);
        }
    }
    if (major < server_major) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, item, dr_rc_hint(DR_E_BACKUP_TOOL),
                           "no pg_dump of version %d or newer: a backup cannot be taken",
                           server_major);
    } else {
        dr_agent_check_add(list, DR_LEVEL_OK, item, NULL, "'%s' of version %d", path, major);
    }
}

// What the fleet should say of this database, as it is typed.
static void
check_pin(struct dr_agent_check_list *list, const struct dr_agent_target *target,
          const char *database, const char *system)
{
    bool is_pg = target->engine == DROVER__V1__ENGINE__POSTGRESQL;
    if (system[0] == '\0') {
        dr_agent_check_add(list, DR_LEVEL_OK, target->name, NULL,
                           is_pg ? "its system cannot be read by this role, so it is not pinned"
                                 : "it has no id before the first run, so none can be pinned yet");
        return;
    }
    dr_agent_check_add(list, DR_LEVEL_OK, target->name, NULL,
                       "to pin it: drover agent add ... --target %s=%s%s%s,system=%s", target->name,
                       is_pg ? "postgresql" : "sqlite", is_pg ? ":" : "", is_pg ? database : "",
                       system);
}

// ------------------------------------------------------------------------------- PostgreSQL

static bool
ask(struct dr_pg *pg, const char *sql)
{
    char value[16] = "";
    const struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    struct dr_db_wait wait = dr_db_wait_ms(CONNECT_MS);
    return dr_pg_value(pg, &stmt, &wait, value, sizeof value, NULL) == DR_OK && value[0] == 't';
}

static void
check_rights(struct dr_agent_check_list *list, const char *item, struct dr_pg *pg,
             const struct dr_pg_info *info)
{
    char remedy[256];
    if (!ask(pg, "SELECT pg_catalog.to_regnamespace('drover') IS NOT NULL OR"
                 " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')")) {
        (void)snprintf(remedy, sizeof remedy, "GRANT CREATE ON DATABASE \"%s\" TO \"%s\";",
                       info->database, info->user);
        dr_agent_check_add(list, DR_LEVEL_FAIL, item, remedy,
                           "role '%s' may not make the ledger's schema", info->user);
        return;
    }
    if (!ask(pg, "SELECT pg_catalog.has_schema_privilege('public', 'CREATE')")) {
        (void)snprintf(remedy, sizeof remedy, "GRANT CREATE ON SCHEMA public TO \"%s\";",
                       info->user);
        dr_agent_check_add(list, DR_LEVEL_WARN, item, remedy,
                           "role '%s' may not make tables in schema public", info->user);
        return;
    }
    if (info->is_superuser) {
        dr_agent_check_add(list, DR_LEVEL_WARN, item,
                           "give the agent a role that owns the schema and is no superuser",
                           "role '%s' is a superuser: a revision may do anything on the server",
                           info->user);
        return;
    }
    dr_agent_check_add(list, DR_LEVEL_OK, item, NULL, "role '%s' may make schemas and tables",
                       info->user);
}

static void
check_pg(struct dr_agent_check_list *list, const struct dr_agent_config *config,
         const struct dr_agent_target *target)
{
    struct dr_err err = {0};
    struct dr_pg *pg = NULL;
    struct dr_pg_info info = {0};
    const struct dr_pg_options options = {.url = target->url, .target = "check"};
    struct dr_db_wait wait = dr_db_wait_ms(CONNECT_MS);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, &err);
    rc = rc != DR_OK ? rc : dr_pg_inspect(pg, &wait, &info, &err);
    rc = rc != DR_OK ? rc : dr_pg_check_usable(&info, &err);
    if (rc != DR_OK) {
        dr_agent_check_add_err(list, target->name, &err);
        dr_pg_close(&pg);
        return;
    }
    dr_agent_check_add(list, DR_LEVEL_OK, target->name, NULL,
                       "PostgreSQL %s, database '%s', system %s", info.server_version_text,
                       info.database,
                       info.system_identifier[0] == '\0' ? "not readable" : info.system_identifier);
    check_pin(list, target, info.database, info.system_identifier);
    check_rights(list, target->name, pg, &info);
    if (!dr_str_eq(config->backup, "command") && !dr_str_eq(config->backup, "none")) {
        check_tool(list, config, target->name, info.server_version / 10000);
    }
    dr_pg_close(&pg);
}

// ----------------------------------------------------------------------------------- SQLite

// drover's own id stands in the ledger; "" before the first run.
static void
read_sqlite_id(const struct dr_agent_target *target, char out[64])
{
    struct dr_engine *engine = NULL;
    struct dr_engine_state state = {0};
    struct dr_arena *arena = dr_arena_new(ID_ARENA_MAX);
    const struct dr_engine_options options = {.url = target->url};
    out[0] = '\0';
    if (arena != NULL && dr_engine_open(&options, &engine, NULL) == DR_OK &&
        dr_engine_read_state(engine, arena, false, false, &state, NULL) == DR_OK) {
        (void)snprintf(out, 64, "%s", state.identity.system_identifier);
    }
    dr_engine_close(&engine);
    dr_arena_free(&arena);
}

static void
check_sqlite(struct dr_agent_check_list *list, const struct dr_agent_target *target)
{
    struct dr_err err = {0};
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    int64_t objects = 0;
    char id[64];
    const struct dr_sqlite_options options = {.read_only = true};
    enum dr_rc rc = dr_db_sqlite_path(target->url, path, sizeof path, &err);
    if (rc == DR_OK && access(path, F_OK) != 0) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, target->name,
                           "make it, or mend the url of this target", "there is no file '%s'",
                           path);
        return;
    }
    rc = rc != DR_OK ? rc : dr_sqlite_open(path, &options, &db, &err);
    rc = rc != DR_OK
             ? rc
             : dr_sqlite_value_int(db, "SELECT count(*) FROM sqlite_schema", &objects, &err);
    dr_sqlite_close(&db);
    read_sqlite_id(target, id);
    if (rc != DR_OK) {
        dr_agent_check_add_err(list, target->name, &err);
    } else if (access(path, W_OK) != 0) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, target->name,
                           "chown or chmod the file and its folder for the agent's user",
                           "'%s' cannot be written", path);
    } else {
        dr_agent_check_add(list, DR_LEVEL_OK, target->name, NULL, "SQLite %s, '%s', %lld objects",
                           dr_sqlite_version(), path, (long long)objects);
        check_pin(list, target, "", id);
    }
}

void
dr_agent_check_database(struct dr_agent_check_list *list, const struct dr_agent_config *config,
                        const struct dr_agent_target *target)
{
    if (target->engine == DROVER__V1__ENGINE__SQLITE) {
        check_sqlite(list, target);
    } else {
        check_pg(list, config, target);
    }
}
