// The server for scratch databases: named by a flag or a variable, else private.

#include "coordinator/cli/scratch_server.h"

#include "db/db.h"

#include <stdlib.h>

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

enum dr_rc
dr_scratch_server_open(const struct dr_cli *cli, struct dr_scratch_server *out, struct dr_err *err)
{
    const char *by = "--scratch";
    const char *url = dr_cli_option(cli, "scratch");
    if (url == NULL) {
        by = "DROVER_SCRATCH_URL";
        url = getenv(by);
    }
    if (url != NULL && url[0] != '\0') {
        enum dr_rc rc = check_named(url, by, err);
        if (rc == DR_OK) {
            *out = (struct dr_scratch_server){.url = url};
        }
        return rc;
    }
    struct dr_cluster *cluster = NULL;
    enum dr_rc rc = dr_cluster_start(NULL, &cluster, err);
    if (rc == DR_OK) {
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
