// config show: what drover works with here, and where each value comes from.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 32u
#define CONF_MAX (1u << 20)

struct setting {
    const char *value, *origin; // value "" when nothing set it
};

// The line of drover.conf that sets a key; 0: none.
static unsigned
line_of(const char *text, const char *key)
{
    size_t len = strlen(key);
    unsigned number = 0, found = 0;
    for (const char *line = text; line != NULL && *line != '\0'; number++) {
        const char *word = line + strspn(line, " \t");
        bool is_it = strncmp(word, key, len) == 0 && strchr(" \t=", word[len]) != NULL;
        found = is_it ? number + 1 : found;
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    return found;
}

// Passwords are not shown, wherever they come from.
static const char *
masked(struct dr_cli *cli, const char *key, const char *value)
{
    char shown[DR_DB_URL_MAX];
    if (!dr_str_eq(key, "url")) {
        return value;
    }
    dr_db_url_show(value, shown, sizeof(shown));
    return dr_arena_str(cli->arena, shown);
}

// Without defaults, to tell what the file says itself.
static enum dr_rc
read_bare(struct dr_cli *cli, struct dr_conf **out, char **out_text, struct dr_err *err)
{
    const struct dr_project *p = cli->project;
    struct dr_conf_key *bare = dr_arena_array(cli->arena, KEYS_MAX + 1, sizeof(*bare));
    size_t len = 0, n = 0;
    if (bare == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (; n < KEYS_MAX && dr_project_keys[n].name != NULL; n++) {
        bare[n] = dr_project_keys[n];
        bare[n].fallback = NULL;
    }
    if (p->conf_path[0] == '\0') {
        return DR_OK;
    }
    enum dr_rc rc = dr_conf_read(p->conf_path, bare, out, err);
    return rc == DR_OK ? dr_file_read(p->conf_path, CONF_MAX, out_text, &len, err) : rc;
}

static struct setting
find(struct dr_cli *cli, const struct dr_conf_key *key, const struct dr_conf *conf,
     const char *text)
{
    char name[64];
    const char *variable = dr_project_variable(key->name, name), *foreign_name = NULL;
    const char *own = conf != NULL ? dr_conf_str(conf, key->name) : NULL;
    bool is_direct = dr_str_eq(key->name, "url") && cli->project->coordinator[0] == '\0';
    const char *foreign = is_direct ? dr_project_foreign_url(&foreign_name) : NULL;
    if (variable != NULL) {
        return (struct setting){variable, dr_arena_str(cli->arena, name)};
    }
    if (foreign != NULL) {
        return (struct setting){foreign, foreign_name};
    }
    if (own != NULL) {
        return (struct setting){own, dr_arena_printf(cli->arena, "%s:%u",
                                                     dr_project_shown(cli, cli->project->conf_path),
                                                     line_of(text, key->name))};
    }
    return (struct setting){key->fallback ? key->fallback : "",
                            key->fallback ? "default" : "not set"};
}

static void
show(struct dr_cli *cli, const struct dr_conf *conf, const char *text)
{
    json_t *list = json_array();
    for (const struct dr_conf_key *key = dr_project_keys; key->name != NULL; key++) {
        struct setting s = find(cli, key, conf, text);
        const char *value = masked(cli, key->name, s.value);
        value = value ? value : "";
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", key->name, "value", value,
                                              "origin", s.origin ? s.origin : ""));
        bool has_origin = dr_cli_has(cli, "origin");
        if (value[0] != '\0' || has_origin) {
            dr_say(cli, has_origin ? "%-16s %-48s # %s\n" : "%-16s %s\n", key->name, value,
                   s.origin ? s.origin : "");
        }
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:O}", "schema", "drover.v1.Config", "file",
                                     cli->project->conf_path, "settings", list));
    }
    json_decref(list);
}

enum dr_rc
dr_cmd_config_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_conf *conf = NULL;
    char *text = NULL;
    enum dr_rc rc = dr_project_maybe(cli, err);
    rc = rc == DR_OK ? read_bare(cli, &conf, &text, err) : rc;
    if (rc == DR_OK) {
        show(cli, conf, text);
    }
    dr_conf_free(&conf);
    free(text);
    return rc;
}
