// Progress for people. See progress_view.h.
#include "coordinator/cli/progress_view.h"
#include "coordinator/cli/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_CELLS 20u

// Blockers without their ages, which change all the time.
static void
key_of(const char *blockers, char out[DR_PROGRESS_KEY_MAX])
{
    size_t n = 0;
    for (const char *c = blockers; *c != '\0' && n + 1 < DR_PROGRESS_KEY_MAX; c++) {
        size_t digits = c[0] == ',' && c[1] == ' ' ? strspn(c + 2, "0123456789") : 0;
        if (digits > 0 && strncmp(c + 2 + digits, " s)", 3) == 0) {
            c += 1 + digits + 2; // to the blank and the 's'
            continue;
        }
        out[n++] = *c;
    }
    out[n] = '\0';
}

static void
clear(struct dr_progress_line *line, struct dr_buf *out)
{
    if (line->is_open) {
        dr_buf_str(out, "\r\x1b[K");
        line->is_open = false;
    }
}

static void
add_name(const struct dr_progress_at *at, struct dr_buf *out)
{
    dr_buf_str(out, "  ");
    if (at->name[0] != '\0') {
        dr_show(out, at->name, strlen(at->name), false);
        dr_buf_str(out, ": ");
    }
}

static void
add_bar(const struct dr_progress_at *at, struct dr_buf *out)
{
    uint64_t done = at->done < at->total ? at->done : at->total;
    size_t cells = (size_t)((double)done / (double)at->total * BAR_CELLS);
    dr_buf_str(out, "  [");
    for (size_t i = 0; i < BAR_CELLS; i++) {
        dr_buf_str(out, i < cells ? "#" : "-");
    }
    dr_buf_str(out, "]");
}

static void
add_place(const struct dr_progress_at *at, bool with_bar, struct dr_buf *out)
{
    char time[32];
    dr_format_duration(time, at->elapsed_ms);
    add_name(at, out);
    dr_show(out, at->phase, strlen(at->phase), false);
    if (with_bar && at->total > 0) {
        add_bar(at, out);
    }
    dr_buf_printf(out, "  %s", time);
}

void
dr_progress_render(struct dr_progress_line *line, const struct dr_progress_at *at, bool is_terminal,
                   struct dr_buf *out)
{
    char key[DR_PROGRESS_KEY_MAX];
    key_of(at->blockers, key);
    if (at->elapsed_ms < line->elapsed_ms) { // another unit, or another try
        line->periods = 0;
    }
    line->elapsed_ms = at->elapsed_ms;
    if (strcmp(key, line->blockers) != 0) {
        memcpy(line->blockers, key, sizeof key);
        clear(line, out);
        add_name(at, out);
        dr_buf_str(out,
                   key[0] == '\0' ? "no longer waiting for a lock" : "waiting for a lock held by ");
        dr_show(out, at->blockers, strlen(at->blockers), false);
        dr_buf_str(out, "\n");
    }
    if (is_terminal && at->elapsed_ms >= DR_PROGRESS_BAR_MS) {
        dr_buf_str(out, "\r\x1b[K");
        add_place(at, true, out);
        line->is_open = true;
    } else if (!is_terminal && at->elapsed_ms / DR_PROGRESS_LOG_MS > line->periods) {
        line->periods = at->elapsed_ms / DR_PROGRESS_LOG_MS;
        add_place(at, false, out);
        dr_buf_str(out, "\n");
    }
}

static bool
is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && !dr_str_eq(term, "dumb");
}

void
dr_progress_show(const struct dr_cli *cli, struct dr_progress_line *line,
                 const struct dr_progress_at *at)
{
    struct dr_buf out = {0};
    if (cli->quiet || cli->format != DR_CLI_TEXT) {
        return;
    }
    dr_progress_render(line, at, is_terminal(), &out);
    if (out.len > 0) {
        fflush(stdout);
        fputs(out.data, stderr);
        fflush(stderr);
    }
    dr_buf_fini(&out);
}

void
dr_progress_end(struct dr_progress_line *line)
{
    struct dr_buf out = {0};
    clear(line, &out);
    if (out.len > 0) {
        fputs(out.data, stderr);
        fflush(stderr);
    }
    dr_buf_fini(&out);
    *line = (struct dr_progress_line){0};
}

const char *
dr_progress_text(const struct dr_cli *cli, const Drover__V1__Progress *p)
{
    char time[32];
    if (p == NULL || p->unit_total == 0) {
        return "";
    }
    dr_format_duration(time, p->elapsed_ms);
    const char *text = dr_arena_printf(
        cli->arena, "%s, unit %u of %u%s%s%s%s%s%s", p->revision, p->unit_number, p->unit_total,
        p->phase[0] ? ", " : "", p->phase, p->elapsed_ms >= 1000 ? ", " : "",
        p->elapsed_ms >= 1000 ? time : "", p->blockers[0] ? ", waits for " : "", p->blockers);
    return text ? text : "";
}

json_t *
dr_progress_json(const Drover__V1__Progress *p)
{
    if (p == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:s, s:s}", "revision", p->revision, "unit",
                     p->unit, "elapsedMs", (json_int_t)p->elapsed_ms, "phase", p->phase,
                     "serverDone", (json_int_t)p->server_done, "serverTotal",
                     (json_int_t)p->server_total, "serverUnit", p->server_unit, "blockers",
                     p->blockers);
}
