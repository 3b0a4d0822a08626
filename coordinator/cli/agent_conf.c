// Writes an agent's configuration.

#include "coordinator/cli/agent_conf.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "trust/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT_NAME "root.1.drv"

enum dr_rc
dr_agent_conf_check(struct dr_cli *cli, const char *path, struct dr_err *err)
{
    if (!cli->project->has_root_pin) {
        dr_err_set(err, DR_E_CONFIG, "the first root is not signed yet, and an agent must pin it");
        return dr_err_hint(err, "drover sign %s", dr_project_shown(cli, cli->project->root));
    }
    if (dr_path_exists(path)) {
        dr_err_set(err, DR_E_EXISTS, "there is a file '%s' already", path);
        return dr_err_hint(err, "another name behind --conf, or move that file away");
    }
    return DR_OK;
}

// A string between quotes, as libconfuse reads it.
static void
add_quoted(struct dr_buf *out, const char *text)
{
    dr_buf_str(out, "\"");
    for (const char *p = text; *p != '\0'; p++) {
        dr_buf_printf(out, "%s%c", *p == '"' || *p == '\\' || *p == '$' ? "\\" : "", *p);
    }
    dr_buf_str(out, "\"");
}

static void
add_line(struct dr_buf *out, const char *key, const char *value)
{
    dr_buf_printf(out, "%s = ", key);
    add_quoted(out, value);
    dr_buf_str(out, "\n");
}

// A relative file of SQLite belongs to the folder that one is in, not to the agent's.
static void
add_url(struct dr_buf *out, const char *url)
{
    char here[4096];
    struct dr_buf absolute = {0};
    bool is_relative = dr_str_starts(url, "sqlite:") && url[7] != '/' && url[7] != '\0';
    if (is_relative && getcwd(here, sizeof(here)) != NULL) {
        dr_buf_printf(&absolute, "sqlite:%s/%s", here, url + 7);
    }
    add_quoted(out, absolute.data ? absolute.data : url);
    dr_buf_fini(&absolute);
}

static enum dr_rc
copy_root(struct dr_cli *cli, const char *conf_path, struct dr_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    const char *slash = strrchr(conf_path, '/');
    const char *path = dr_arena_printf(cli->arena, "%.*s" ROOT_NAME,
                                       slash ? (int)(slash - conf_path) + 1 : 0, conf_path);
    if (path == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_file_read(cli->project->root, DR_ENVELOPE_MAX, &bytes, &len, err);
    rc = rc == DR_OK ? dr_file_write(path, bytes, len, 0644, err) : rc;
    free(bytes);
    return rc;
}

enum dr_rc
dr_agent_conf_write(struct dr_cli *cli, const struct dr_agent_conf *conf, struct dr_err *err)
{
    const struct dr_project *p = cli->project;
    struct dr_buf out = {0};
    char hex[65];
    dr_buf_printf(&out,
                  "# drover-agent '%s': the folder with this file, agent.key, "
                  "agent.transport and " ROOT_NAME " belongs on its host\n",
                  conf->agent);
    add_line(&out, "agent", conf->agent);
    add_line(&out, "environment", conf->environment);
    dr_buf_str(&out, "\n# where droverd listens, and its public key\n");
    add_line(&out, "coordinator", p->coordinator);
    dr_hex(hex, p->coordinator_key, 32);
    add_line(&out, "coordinator_key", hex);
    dr_buf_str(&out, "\n# the first root and its digest: what every signature is traced back to\n");
    add_line(&out, "root", ROOT_NAME);
    dr_hex(hex, p->root_sha256, 32);
    add_line(&out, "root_sha256", hex);
    dr_buf_str(&out, "\nkey = \"agent.key\"\ntransport_key = \"agent.transport\"\n"
                     "state = \"state\"\n\n"
                     "# backups: where, for how long, and how (drover-agent --help tells of more)\n"
                     "backups = \"state/backups\"\n"
                     "backup_keep = \"30d\"\n"
                     "# PostgreSQL: \"directory\" dumps several tables at once; any database: "
                     "\"command\" has a program do it, \"none\"\n"
                     "backup = \"custom\"\n\n");
    for (size_t i = 0; i < conf->n_targets; i++) {
        dr_buf_str(&out, "target ");
        add_quoted(&out, conf->targets[i].name);
        dr_buf_str(&out, " { url = ");
        add_url(&out, conf->targets[i].url);
        dr_buf_str(&out, " }\n");
    }
    enum dr_rc rc = out.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                               : dr_file_create(conf->path, out.data, out.len, 0600, err);
    dr_buf_fini(&out);
    return rc == DR_OK ? copy_root(cli, conf->path, err) : rc;
}
