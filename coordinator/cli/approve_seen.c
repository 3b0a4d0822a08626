// One file for each rollout and environment: when, a digest of what follows, and a line for
// everything that was shown. Whoever changes it changes what is told as a change, never what is
// signed.

#include "coordinator/cli/approve_seen.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/ready_flags.h"

#include "base/clock.h"
#include "base/file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_MAX  (4u << 20)
#define HEAD_MAX  128u
#define LINES_MAX 20u // of each kind that are printed

static void
add_digest(struct dr_buf *out, ProtobufCBinaryData digest)
{
    char shown[20];
    dr_print_digest(shown, digest.data, digest.len);
    dr_buf_str(out, shown);
}

static void
add_target(const struct dr_stage *stage, const struct dr_stage_target *t, struct dr_buf *out)
{
    const struct dr_cli *cli = stage->remote->cli;
    const Drover__V1__Attestation *ready = t->ready.msg;
    dr_buf_printf(out, "target %s: ", dr_print_safe(cli, t->said->target));
    if (ready == NULL) {
        dr_buf_str(out, "no READY\n");
        return;
    }
    dr_buf_str(out, "READY ");
    add_digest(out, dr_data(t->ready.sha256, 32));
    dr_buf_printf(out, " at %s", ready->n_heads ? dr_print_safe(cli, ready->heads[0]->id) : "base");
    for (size_t i = 1; i < ready->n_heads; i++) {
        dr_buf_printf(out, ", %s", dr_print_safe(cli, ready->heads[i]->id));
    }
    dr_buf_printf(out, ", %s%s\n", ready->flags ? "flags: " : "no flags",
                  ready->flags ? dr_ready_flags_names(cli->arena, ready->flags) : "");
}

static void
describe(const struct dr_stage *stage, const struct dr_stage_gate *gates, size_t n_gates,
         struct dr_buf *out)
{
    const struct dr_cli *cli = stage->remote->cli;
    for (size_t i = 0; i < stage->n_plans; i++) {
        dr_buf_str(out, "plan ");
        add_digest(out, stage->plans[i].named->plan_sha256);
        dr_buf_printf(out, ", mode %d\n", (int)dr_stage_mode(stage));
    }
    dr_buf_str(out, "policy ");
    add_digest(out, dr_data(stage->policy->sha256, 32));
    dr_buf_str(out, "\n");
    for (size_t i = 0; i < n_gates; i++) {
        dr_buf_printf(out, "gate %s: %s\n", dr_print_safe(cli, dr_gate_name(gates[i].gate)),
                      gates[i].is_open ? "open" : "closed");
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        add_target(stage, &stage->targets[i], out);
    }
}

// A name that no rollout and no environment can turn into another path.
static bool
seen_path(const struct dr_stage *stage, char out[PATH_MAX])
{
    uint8_t sha256[32];
    char hex[17];
    struct dr_buf name = {0};
    dr_buf_printf(&name, "%s/%s", stage->rollout->id, stage->said->environment);
    dr_sha256((struct dr_bytes){(const uint8_t *)name.data, name.len}, sha256);
    dr_buf_fini(&name);
    dr_hex(hex, sha256, 8);
    int n = snprintf(out, PATH_MAX, "%s/shown-%s", stage->remote->cli->project->trust, hex);
    return n > 0 && n < PATH_MAX;
}

// What was shown, in memory to free; NULL: never, or the file is not whole.
static char *
read_seen(const char *path, int64_t *out_when)
{
    char *text = NULL;
    char hex[65];
    uint8_t sha256[32];
    uint64_t when = 0;
    size_t len = 0;
    if (dr_file_read(path, SEEN_MAX + HEAD_MAX, &text, &len, NULL) != DR_OK) {
        return NULL;
    }
    char *end = strchr(text, '\n');
    char *space = end ? memchr(text, ' ', (size_t)(end - text)) : NULL;
    if (space != NULL && end - space == 65) {
        *space = '\0';
        *end = '\0';
        size_t rest = len - (size_t)(end + 1 - text);
        dr_sha256((struct dr_bytes){(const uint8_t *)end + 1, rest}, sha256);
        dr_hex(hex, sha256, 32);
        if (dr_str_eq(hex, space + 1) && dr_parse_u64(text, 1, INT64_MAX, &when)) {
            memmove(text, end + 1, rest + 1);
            *out_when = (int64_t)when;
            return text;
        }
    }
    free(text);
    return NULL;
}

static bool
has_line(const char *text, const char *line, size_t len)
{
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        if (n == len && memcmp(p, line, len) == 0) {
            return true;
        }
        p += n + (p[n] == '\n' ? 1 : 0);
    }
    return false;
}

// Lines of `b` that `a` has not. Returns how many.
static size_t
say_missing(const struct dr_cli *cli, const char *a, const char *b, const char *mark)
{
    size_t n = 0;
    for (const char *p = b; *p != '\0';) {
        size_t len = strcspn(p, "\n");
        if (!has_line(a, p, len) && n++ < LINES_MAX) {
            dr_say(cli, "  %s %.*s\n", mark, (int)len, p);
        }
        p += len + (p[len] == '\n' ? 1 : 0);
    }
    if (n > LINES_MAX) {
        dr_say(cli, "  %s ... and %zu more\n", mark, n - LINES_MAX);
    }
    return n;
}

static void
remember(const struct dr_stage *stage, const char *path, const struct dr_buf *now)
{
    struct dr_buf file = {0};
    char hex[65];
    uint8_t sha256[32];
    dr_sha256((struct dr_bytes){(const uint8_t *)now->data, now->len}, sha256);
    dr_hex(hex, sha256, 32);
    dr_buf_printf(&file, "%" PRId64 " %s\n%s", dr_now_unix_s(), hex, now->data);
    if (now->len > SEEN_MAX || file.failed ||
        dr_file_write(path, file.data, file.len, 0600, NULL) != DR_OK) {
        dr_print_note(stage->remote->cli,
                      "note: '%s' cannot be written: the next approval will not say what changed",
                      dr_project_shown(stage->remote->cli, path));
    }
    dr_buf_fini(&file);
}

void
dr_approve_seen(const struct dr_stage *stage, const struct dr_stage_gate *gates, size_t n_gates)
{
    const struct dr_cli *cli = stage->remote->cli;
    char path[PATH_MAX];
    struct dr_buf now = {0};
    int64_t when = 0;
    describe(stage, gates, n_gates, &now);
    if (now.failed || !seen_path(stage, path)) {
        dr_buf_fini(&now);
        return;
    }
    char *before = read_seen(path, &when);
    if (before != NULL && !dr_str_eq(before, now.data)) {
        dr_say(cli, "Changed since you looked %s ago:\n", dr_print_age(cli, when));
        size_t n =
            say_missing(cli, now.data, before, "-") + say_missing(cli, before, now.data, "+");
        if (n == 0) {
            dr_say(cli, "  nothing but an order\n");
        }
    }
    free(before);
    remember(stage, path, &now);
    dr_buf_fini(&now);
}
