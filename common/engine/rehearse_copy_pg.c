// The copy of a PostgreSQL target: a private server of its major version with its roles, and its
// schema by pg_dump and pg_restore. The ledger's rows come along, so that the engine goes on from
// where the target is; no other row leaves the target's server.
#include "engine/rehearse_internal.h"

#include "base/clock.h"
#include "base/str.h"
#include "db/pg.h"
#include "engine/backup_restore.h"
#include "engine/backup_tools.h"
#include "engine/cut_off.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME          "copy" // of the database
#define ROLES_MAX     20000u
#define ARGV_MAX      16u
#define DEBIAN_BINDIR "/usr/lib/postgresql/%d/bin"

// What the copy's server needs to have, as statements that the target's own server writes. Roles
// first; a role's place in others next; then the database's owner and who may make schemas. Who may
// read and write files and start programs on the target's server may not do so here: that would be
// this process's own user.
static const char roles_sql[] =
    "SELECT s FROM (SELECT 1 AS place, pg_catalog.format('CREATE ROLE %I %s %s %s %s %s %s',"
    " rolname, CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,"
    " CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,"
    " CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,"
    " CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,"
    " CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,"
    " CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END) AS s FROM pg_catalog.pg_roles"
    " WHERE rolname <> 'postgres' AND rolname !~ '^pg_'"
    " UNION ALL SELECT 2, pg_catalog.format('GRANT %I TO %I', g.rolname, m.rolname) FROM"
    " pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid"
    " JOIN pg_catalog.pg_roles m ON m.oid = a.member WHERE m.rolname !~ '^pg_' AND g.rolname NOT"
    " IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')"
    " UNION ALL SELECT 3, pg_catalog.format('ALTER DATABASE " NAME " OWNER TO %I',"
    " pg_catalog.pg_get_userbyid(datdba)) FROM pg_catalog.pg_database"
    " WHERE datname = pg_catalog.current_database()"
    " UNION ALL SELECT 4, pg_catalog.format('GRANT CREATE ON DATABASE " NAME " TO %I',"
    " current_user) WHERE pg_catalog.has_database_privilege(pg_catalog.current_database(),"
    " 'CREATE')) roles ORDER BY place";

static const char extensions_sql[] = "SELECT extname FROM pg_catalog.pg_extension ORDER BY extname";
static const char has_extension_sql[] =
    "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = $1";

struct making {
    struct dr_copy *copy;
    const struct dr_rehearse_options *options;
    struct dr_arena *arena;
    struct dr_db_wait wait;
    struct dr_pg *source; // NULL: there is no target
    struct dr_pg_info info;
    struct dr_pg *server; // the copy's, as superuser
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static struct dr_db_wait
short_wait(const struct making *m)
{
    struct dr_db_wait wait = dr_db_wait_ms(DR_REHEARSE_SHORT_MS);
    wait.cancel_fd = m->wait.cancel_fd;
    wait.deadline_ms =
        wait.deadline_ms < m->wait.deadline_ms ? wait.deadline_ms : m->wait.deadline_ms;
    return wait;
}

// ------------------------------------------------------------------------------------------ tools

// One of the programs of the copy's own server, on the database that `url` names.
static enum dr_rc
run_tool(const struct making *m, const char *tool, const char *url, const char *const *extra,
         struct dr_err *err)
{
    struct dr_backup_login login;
    struct dr_cmd_result result = {0};
    char program[PATH_MAX];
    const char *argv[ARGV_MAX] = {program, "--no-password"};
    size_t n = 2;
    (void)snprintf(program, sizeof program, "%s/%s", dr_cluster_bindir(m->copy->cluster), tool);
    enum dr_rc rc = dr_backup_login_begin(url, NULL, &login, err);
    if (rc != DR_OK) {
        return rc;
    }
    argv[n++] = login.dbname.data;
    for (; *extra != NULL && n < ARGV_MAX - 1; extra++) {
        argv[n++] = *extra;
    }
    rc = dr_backup_login_run(&login, argv, &m->wait, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_backup_tool_failed(tool, &result, err);
    }
    dr_cmd_result_fini(&result);
    dr_backup_login_end(&login);
    return rc;
}

static enum dr_rc
dump(const struct making *m, bool is_ledger, const char *path, struct dr_err *err)
{
    char file[PATH_MAX + 16];
    (void)snprintf(file, sizeof file, "--file=%s", path);
    const char *const extra[] = {"--format=custom",
                                 "--lock-wait-timeout=60000",
                                 "--no-publications",
                                 "--no-subscriptions",
                                 "--no-security-labels",
                                 file,
                                 is_ledger ? "--data-only" : "--schema-only",
                                 is_ledger ? "--table=drover.*" : NULL,
                                 NULL};
    return run_tool(m, "pg_dump", m->options->url, extra, err);
}

static enum dr_rc
restore(const struct making *m, const char *path, const char *url, struct dr_err *err)
{
    const char *const extra[] = {"--exit-on-error", "--no-tablespaces", path, NULL};
    return run_tool(m, "pg_restore", url, extra, err);
}

// ----------------------------------------------------------------------------------------- server

static enum dr_rc
look_at_source(struct making *m, struct dr_err *err)
{
    const struct dr_pg_options connect = {.url = m->options->url, .target = "rehearsal"};
    struct dr_db_wait wait = short_wait(m);
    if (m->options->url == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_pg_connect(&connect, &wait, &m->source, err);
    return rc == DR_OK ? dr_pg_inspect(m->source, &wait, &m->info, err) : rc;
}

// Of the target, or of the server that a backup was taken from; 0: not known.
static int
major_of(const struct making *m)
{
    return m->source != NULL            ? m->info.server_version / 10000
           : m->options->backup != NULL ? (int)strtol(m->options->backup->server_version, NULL, 10)
                                        : 0;
}

// The folder of Debian's programs for the target's major version, where it is there.
static const char *
find_bindir(const struct making *m, char *out, size_t out_size)
{
    char program[PATH_MAX];
    if (m->options->pg_bindir != NULL || major_of(m) == 0) {
        return m->options->pg_bindir;
    }
    (void)snprintf(out, out_size, DEBIAN_BINDIR, major_of(m));
    (void)snprintf(program, sizeof program, "%s/initdb", out);
    return access(program, X_OK) == 0 ? out : NULL;
}

// A newer server may print the catalog in other words, but an older one cannot read the schema.
static enum dr_rc
start_server(struct making *m, struct dr_err *err)
{
    char folder[64];
    struct dr_pg_info info;
    const struct dr_cluster_options options = {.bindir = find_bindir(m, folder, sizeof folder)};
    enum dr_rc rc = dr_cluster_start(&options, &m->copy->cluster, err);
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_pg_options connect = {.url = dr_cluster_url(m->copy->cluster)};
    struct dr_db_wait wait = short_wait(m);
    rc = dr_pg_connect(&connect, &wait, &m->server, err);
    rc = rc == DR_OK ? dr_pg_inspect(m->server, &wait, &info, err) : rc;
    if (rc == DR_OK && info.server_version / 10000 < major_of(m)) {
        int major = major_of(m);
        (void)dr_err_set(err, DR_E_REHEARSAL_COPY,
                         "the target's server is of version %d, the newest one here of version %d",
                         major, info.server_version / 10000);
        return dr_err_hint(err, "apt install postgresql-%d, or name its programs with PG_BIN",
                           major);
    }
    return rc;
}

static enum dr_rc
run_statements(struct making *m, const struct dr_pg_result *list, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(list); i++) {
        struct dr_db_wait wait = short_wait(m);
        rc = dr_pg_run(m->server, dr_pg_text(list, i, 0), &wait, err);
    }
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "the target's roles, in the copy");
}

static enum dr_rc
copy_roles(struct making *m, struct dr_err *err)
{
    struct dr_pg_stmt ask = {.sql = roles_sql, .max_rows = ROLES_MAX};
    struct dr_pg_result *list = NULL;
    struct dr_db_wait wait = short_wait(m);
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && m->options->roles != NULL && m->options->roles[i] != NULL;
         i++) {
        char sql[128];
        if (snprintf(sql, sizeof sql, "CREATE ROLE \"%s\" LOGIN", m->options->roles[i]) >=
                (int)sizeof sql ||
            strchr(m->options->roles[i], '"') != NULL) {
            return dr_err_set(err, DR_E_INVALID, "'%s' is no plain name of a role",
                              m->options->roles[i]);
        }
        rc = dr_pg_run(m->server, sql, &wait, err);
    }
    if (rc != DR_OK || m->source == NULL || m->options->backup != NULL) {
        return rc;
    }
    rc = dr_pg_exec(m->source, &ask, &wait, &list, err);
    rc = rc == DR_OK ? run_statements(m, list, err) : rc;
    dr_pg_result_free(&list);
    return rc;
}

// Names all extensions that are not installed here, so that one look is enough.
static enum dr_rc
check_extensions(struct making *m, struct dr_err *err)
{
    struct dr_pg_stmt ask = {.sql = extensions_sql, .max_rows = ROLES_MAX};
    struct dr_pg_result *list = NULL;
    struct dr_buf missing = {0};
    struct dr_db_wait wait = short_wait(m);
    enum dr_rc rc = m->source == NULL ? DR_OK : dr_pg_exec(m->source, &ask, &wait, &list, err);
    for (size_t i = 0; rc == DR_OK && list != NULL && i < dr_pg_rows(list); i++) {
        const char *name = dr_pg_text(list, i, 0);
        char value[8];
        struct dr_pg_stmt has = {.sql = has_extension_sql,
                                 .params = (const char *const[]){name},
                                 .params_count = 1,
                                 .max_rows = 1};
        rc = dr_pg_value(m->server, &has, &wait, value, sizeof value, err);
        if (rc == DR_E_NOT_FOUND) {
            dr_buf_printf(&missing, "%s'%s'", missing.len > 0 ? ", " : "", name);
            rc = DR_OK;
        }
    }
    if (rc == DR_OK && missing.len > 0) {
        (void)dr_err_set(err, DR_E_REHEARSAL_COPY,
                         "the server for the copy lacks the target's extension%s %s",
                         strchr(missing.data, ',') != NULL ? "s" : "", missing.data);
        rc = dr_err_hint(err, "install the same extensions for PostgreSQL on this machine, as on "
                              "the target's server");
    }
    dr_buf_fini(&missing);
    dr_pg_result_free(&list);
    return rc;
}

// ------------------------------------------------------------------------------------------- copy

static enum dr_rc
restore_backup(const struct making *m, const char *url, struct dr_err *err)
{
    int64_t left = m->wait.deadline_ms - dr_monotonic_ms();
    const struct dr_backup_restore_options options = {.pg_bindir =
                                                          dr_cluster_bindir(m->copy->cluster),
                                                      .timeout_ms = left > 1 ? (uint64_t)left : 1,
                                                      .cancel_fd = m->wait.cancel_fd};
    return dr_backup_restore(m->options->backup, url, &options, err);
}

static enum dr_rc
fill(struct making *m, bool has_ledger, const char *superuser_url, struct dr_err *err)
{
    char path[PATH_MAX];
    enum dr_rc rc = DR_OK;
    if (m->options->backup != NULL) {
        return restore_backup(m, superuser_url, err);
    }
    for (size_t i = 0; rc == DR_OK && i < (has_ledger ? 2 : 1); i++) {
        (void)snprintf(path, sizeof path, "%s/%s.dump", dr_cluster_folder(m->copy->cluster),
                       i == 0 ? "schema" : "ledger");
        rc = dump(m, i == 1, path, err);
        rc = rc == DR_OK ? restore(m, path, superuser_url, err) : rc;
        (void)unlink(path);
        rc = rc == DR_OK && i == 0 ? dr_cut_off(superuser_url, &m->wait, NULL, err) : rc;
    }
    return rc;
}

enum dr_rc
dr_copy_pg(struct dr_copy *copy, const struct dr_rehearse_options *options, bool has_ledger,
           int64_t deadline_ms, struct dr_arena *arena, struct dr_err *err)
{
    struct making m = {.copy = copy,
                       .options = options,
                       .arena = arena,
                       .wait = dr_rehearse_wait(deadline_ms, options->cancel_fd)};
    const char *url = NULL;
    enum dr_rc rc = look_at_source(&m, err);
    rc = rc == DR_OK ? start_server(&m, err) : rc;
    rc = rc == DR_OK ? check_extensions(&m, err) : rc;
    rc = rc == DR_OK ? dr_cluster_database(copy->cluster, NAME, arena, &url, err) : rc;
    rc = rc == DR_OK ? copy_roles(&m, err) : rc;
    rc = rc == DR_OK ? fill(&m, has_ledger, url, err) : rc;
    dr_pg_close(&m.source);
    dr_pg_close(&m.server);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot make the copy");
    }
    // What the target's role may not do fails on the copy, too.
    copy->url =
        options->backup != NULL ? url : dr_cluster_url_as(copy->cluster, NAME, m.info.user, arena);
    return copy->url == NULL ? no_memory(err) : DR_OK;
}
