// Hands signed root and fleet files to the coordinator.

#include "coordinator/cli/offer.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_MAX    (1u << 20)
#define PATIENCE_MS 700u

// Is the rest of the line exactly `"trust/fleet.N.drv"`, as init wrote it?
static bool
is_fleet_value(const char *value, size_t len)
{
    static const char start[] = "\"trust/fleet.";
    static const char end[] = ".drv\"";
    size_t digits = len - (sizeof(start) - 1) - (sizeof(end) - 1);
    return len > sizeof(start) + sizeof(end) - 2 && strncmp(value, start, sizeof(start) - 1) == 0 &&
           strncmp(value + len - (sizeof(end) - 1), end, sizeof(end) - 1) == 0 &&
           strspn(value + sizeof(start) - 1, "0123456789") == digits;
}

// Replaces the one line `fleet = "trust/fleet.N.drv"` of droverd.conf.
static void
name_in_droverd_conf(const struct dr_cli *cli, const char *file_name)
{
    static const char key[] = "\nfleet = ";
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    struct dr_buf out = {0};
    int n = snprintf(path, sizeof(path), "%s/droverd.conf", cli->project->folder);
    if (n < 0 || n >= (int)sizeof(path) || !dr_path_exists(path) ||
        dr_file_read(path, CONF_MAX, &text, &len, &ignored) != DR_OK) {
        return;
    }
    char *line = strstr(text, key);
    const char *value = line ? line + sizeof(key) - 1 : NULL;
    size_t value_len = value ? strcspn(value, "\n") : 0;
    if (value != NULL && is_fleet_value(value, value_len)) {
        dr_buf_add(&out, text, (size_t)(value - text));
        dr_buf_printf(&out, "\"trust/%s\"%s", file_name, value + value_len);
        if (!out.failed && !(out.len == len && memcmp(out.data, text, len) == 0) &&
            dr_file_write(path, out.data, out.len, 0644, &ignored) == DR_OK) {
            dr_print_note(cli, "noted in %s: fleet = \"trust/%s\"", dr_project_shown(cli, path),
                          file_name);
        }
    }
    dr_buf_fini(&out);
    free(text);
}

void
dr_offer(struct dr_cli *cli, const char *path, const struct dr_trust_file *file,
         Drover__V1__PutDocumentReply **out)
{
    struct dr_remote remote = {0};
    struct dr_err err = {0};
    Drover__V1__PutDocumentReply *reply = NULL;
    const char *slash = strrchr(path, '/');
    if (out != NULL) {
        *out = NULL;
    }
    if (dr_str_eq(file->kind, DR_TYPE_FLEET)) {
        name_in_droverd_conf(cli, slash ? slash + 1 : path);
    }
    if (cli->project->coordinator[0] == '\0' || !cli->project->has_root_pin) {
        return;
    }
    enum dr_rc rc = dr_remote_open_to_renew(cli, PATIENCE_MS, &remote, &err);
    rc = rc == DR_OK ? dr_remote_put(&remote, file->kind, file->envelope, file->parts,
                                     file->n_parts, &reply, &err)
                     : rc;
    if (rc == DR_OK) {
        dr_say(cli, "Coordinator: %u of %u signatures%s\n", reply->signatures, reply->needed,
               reply->complete ? ", in force" : "");
        if (out != NULL) {
            *out = reply;
        }
    } else if (rc == DR_E_UNREACHABLE) {
        dr_print_note(cli, "note: no coordinator runs now; droverd reads %s when it starts",
                      dr_project_shown(cli, path));
    } else {
        dr_print_note(cli, "note: the coordinator did not take it: %s\n  try: %s", err.message,
                      err.hint[0] ? err.hint : dr_rc_hint(rc));
    }
    dr_remote_close(&remote);
}
