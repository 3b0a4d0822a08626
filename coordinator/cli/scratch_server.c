// The server for scratch databases: named by a flag or a variable, else private.

#include "coordinator/cli/scratch_server.h"

#include "db/db.h"
#include "db/pg.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MS 30000

static enum dr_rc
check_named(const char *url, const char *by, struct dr_err *err)
{
    if (dr_db_kind_of(url) == DR_DB_POSTGRES) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_USAGE, "%s names no PostgreSQL server", by);
    return dr_err_hint(err,
                       "%s postgresql://USER@HOST/postgres of a role that may create "
                       "databases; without it drover starts a private server",
                       by);
}

// CREATE ROLE "name" for each of the list.
static enum dr_rc
make_roles(const char *url, const char *list, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    struct dr_db_wait wait = dr_db_wait_ms(SQL_MS);
    const struct dr_pg_options options = {.url = url, .target = "scratch"};
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    for (size_t len = 0; rc == DR_OK && *list != '\0'; list += len + (list[len] == ',')) {
        struct dr_buf sql = {0};
        len = strcspn(list, ",");
        dr_buf_str(&sql, "CREATE ROLE \"");
        for (size_t i = 0; i < len; i++) {
            dr_buf_add(&sql, "\"\"", list[i] == '"' ? 1 : 0);
            dr_buf_add(&sql, &list[i], 1);
        }
        dr_buf_str(&sql, "\"");
        wait = dr_db_wait_ms(SQL_MS);
        if (len > 0) {
            rc = sql.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                            : dr_pg_run(pg, sql.data, &wait, err);
        }
        dr_buf_fini(&sql);
    }
    dr_pg_close(&pg);
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "--roles");
}

enum dr_rc
dr_scratch_server_open(const struct dr_cli *cli, struct dr_scratch_server *out, struct dr_err *err)
{
    const char *by = "--scratch";
    const char *url = dr_cli_option(cli, "scratch");
    const char *roles = dr_cli_option(cli, "roles");
    if (url == NULL) {
        by = "DROVER_SCRATCH_URL";
        url = getenv(by);
    }
    if (url != NULL && url[0] != '\0') {
        enum dr_rc rc = check_named(url, by, err);
        if (rc == DR_OK && roles != NULL) {
            (void)dr_err_set(err, DR_E_USAGE, "--roles is for the private server, and %s names one",
                             by);
            return dr_err_hint(err, "make the roles there by hand, or leave %s out", by);
        }
        if (rc == DR_OK) {
            *out = (struct dr_scratch_server){.url = url};
        }
        return rc;
    }
    struct dr_cluster *cluster = NULL;
    enum dr_rc rc = dr_cluster_start(NULL, &cluster, err);
    rc = rc == DR_OK && roles != NULL ? make_roles(dr_cluster_url(cluster), roles, err) : rc;
    if (rc != DR_OK) {
        dr_cluster_stop(&cluster);
    } else {
        *out = (struct dr_scratch_server){.url = dr_cluster_url(cluster), .cluster = cluster};
    }
    return rc;
}

void
dr_scratch_server_close(struct dr_scratch_server *server)
{
    dr_cluster_stop(&server->cluster);
    *server = (struct dr_scratch_server){0};
}
