// What a watch tells. See watch_report.h.

#include "coordinator/cli/watch_report.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/rollout_view.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HEARTBEAT_MS 30000
#define WIDTH        80u
#define HEIGHT       24u

// One thing whose state is told: the rollout, an environment or a target.
struct thing {
    const char *kind, *environment, *target, *state, *reason, *waits, *next, *agent;
    uint32_t wave;
};

enum dr_rc
dr_watch_begin(struct dr_watch_report *w, struct dr_cli *cli, struct dr_err *err)
{
    const char *hook = dr_cli_option(cli, "hook");
    const char *term = getenv("TERM");
    const char *argv[DR_CLI_ARGS_MAX / 16 + 2] = {hook};
    w->cli = cli;
    w->beat = dr_monotonic_ms() + HEARTBEAT_MS;
    w->is_live = cli->format == DR_CLI_TEXT && !cli->quiet && isatty(STDOUT_FILENO) &&
                 term != NULL && !dr_str_eq(term, "dumb");
    if (hook == NULL) {
        if (cli->args_count > 1) {
            dr_err_set(err, DR_E_USAGE, "'%s' is one too many", cli->args[1]);
            return dr_err_hint(err, "drover rollout watch %s --hook COMMAND [ARGUMENT...]",
                               cli->args[0]);
        }
        return DR_OK;
    }
    if (cli->args_count > DR_COUNT_OF(argv) - 1) {
        return dr_err_set(err, DR_E_USAGE, "the hook has too many arguments");
    }
    for (size_t i = 1; i < cli->args_count; i++) {
        argv[i] = cli->args[i];
    }
    return dr_hook_begin(argv, &w->hook, err);
}

// ---- changes

static json_t *
change_json(const struct thing *thing, const Drover__V1__Rollout *r, const char *from,
            uint64_t log_index)
{
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I}",
                     "schema", "drover.v1.RolloutChange", "time", (json_int_t)dr_now_unix_s(),
                     "rollout", r->id, "kind", thing->kind, "environment", thing->environment,
                     "target", thing->target, "from", from, "to", thing->state, "reason",
                     thing->reason, "waits", thing->waits, "next", thing->next, "agent",
                     thing->agent, "wave", (int)thing->wave, "logIndex", (json_int_t)log_index);
}

static void
tell_hook(struct dr_watch_report *w, const json_t *change)
{
    char *text = json_dumps(change, JSON_COMPACT);
    if (text != NULL) {
        dr_hook_add(w->hook, text, strlen(text));
    }
    free(text);
}

// One line for each target, as for a log; and for what stops the rollout or soaks.
static void
print_line(struct dr_watch_report *w, const struct thing *thing, const Drover__V1__Rollout *r)
{
    bool is_rollout = dr_str_eq(thing->kind, "rollout");
    const char *name = thing->target[0] != '\0' ? thing->target
                       : is_rollout             ? r->id
                                                : thing->environment;
    bool is_told = thing->target[0] != '\0'
                       ? !dr_str_eq(thing->state, "pending")
                       : thing->reason[0] != '\0' && r->is_paused == is_rollout;
    if (!is_told) {
        return;
    }
    enum dr_tone tone = dr_rollout_tone(thing->state);
    dr_progress_end(&w->progress);
    dr_say(w->cli, "%-28s %s%-11s%s %s\n", name, dr_tone_begin(w->cli, tone), thing->state,
           dr_tone_end(w->cli, tone), thing->reason);
    w->beat = dr_monotonic_ms() + HEARTBEAT_MS;
}

// Tells `thing` when its state or reason is another than before.
static enum dr_rc
compare(struct dr_watch_report *w, size_t at, const struct thing *thing,
        const Drover__V1__Rollout *r, uint64_t log_index, struct dr_err *err)
{
    char from[64] = "";
    char *now = NULL;
    if (at >= w->n_shown || asprintf(&now, "%s\n%s", thing->state, thing->reason) < 0) {
        return at >= w->n_shown ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (w->shown[at] != NULL) {
        snprintf(from, sizeof(from), "%.*s", (int)strcspn(w->shown[at], "\n"), w->shown[at]);
    }
    bool is_new = w->shown[at] == NULL || !dr_str_eq(w->shown[at], now);
    free(w->shown[at]);
    w->shown[at] = now;
    if (!is_new) {
        return DR_OK;
    }
    json_t *change = change_json(thing, r, from, log_index);
    if (change == NULL) {
        return DR_OK; // a text that is no UTF-8: nothing that a coordinator sends
    }
    if (w->was_shown && !dr_str_eq(from, thing->state)) {
        tell_hook(w, change);
    }
    if (w->cli->format == DR_CLI_JSONL) {
        dr_print_json(w->cli, change); // takes it
        return DR_OK;
    }
    json_decref(change);
    if (!w->is_live) {
        print_line(w, thing, r);
    }
    return DR_OK;
}

// What the coordinator says of it; otherwise what stops or holds it.
static const char *
reason_of(const Drover__V1__StageStatus *stage)
{
    return stage->reason[0] != '\0'   ? stage->reason
           : stage->hold[0] != '\0'   ? stage->hold
           : stage->soaking_wave != 0 ? stage->waits
                                      : "";
}

static enum dr_rc
compare_stage(struct dr_watch_report *w, size_t *at, const Drover__V1__StageStatus *stage,
              const Drover__V1__Rollout *r, uint64_t log_index, struct dr_err *err)
{
    const struct thing thing = {"environment",
                                stage->environment,
                                "",
                                stage->state,
                                reason_of(stage),
                                stage->waits,
                                stage->next,
                                "",
                                0};
    enum dr_rc rc = compare(w, (*at)++, &thing, r, log_index, err);
    for (size_t t = 0; rc == DR_OK && t < stage->n_targets; t++) {
        const Drover__V1__TargetStatus *row = stage->targets[t];
        const struct thing target = {
            "target",   stage->environment, row->target, row->state, dr_rollout_reason(row),
            row->waits, row->next,          row->agent,  row->wave};
        rc = compare(w, (*at)++, &target, r, log_index, err);
    }
    return rc;
}

static enum dr_rc
make_room(struct dr_watch_report *w, const Drover__V1__Rollout *r, struct dr_err *err)
{
    size_t n = 1;
    if (w->shown != NULL) {
        return DR_OK;
    }
    for (size_t i = 0; i < r->n_stages; i++) {
        n += 1 + r->stages[i]->n_targets;
    }
    w->shown = calloc(n, sizeof(*w->shown));
    w->rates = calloc(n, sizeof(*w->rates));
    if (w->shown == NULL || w->rates == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    w->n_shown = n;
    w->n_rates = n;
    return DR_OK;
}

// The target that has run longest stands for all of them: there is one line for it.
static void
show_progress(struct dr_watch_report *w, const Drover__V1__Rollout *r)
{
    const Drover__V1__TargetStatus *longest = NULL;
    for (size_t i = 0; i < r->n_stages; i++) {
        for (size_t t = 0; t < r->stages[i]->n_targets; t++) {
            const Drover__V1__TargetStatus *row = r->stages[i]->targets[t];
            bool has = row->progress != NULL && dr_rollout_moves(row->state);
            if (has &&
                (longest == NULL || row->progress->elapsed_ms > longest->progress->elapsed_ms)) {
                longest = row;
            }
        }
    }
    if (longest == NULL) {
        dr_progress_end(&w->progress);
        return;
    }
    const Drover__V1__Progress *p = longest->progress;
    const struct dr_progress_at at = {.name = longest->target,
                                      .phase = p->phase,
                                      .blockers = p->blockers,
                                      .elapsed_ms = p->elapsed_ms,
                                      .done = p->server_done,
                                      .total = p->server_total};
    dr_progress_show(w->cli, &w->progress, &at);
}

enum dr_rc
dr_watch_take(struct dr_watch_report *w, const Drover__V1__Rollout *r, uint64_t log_index,
              struct dr_err *err)
{
    const char *why = r->is_paused && r->pause_reason[0] != '\0' ? r->pause_reason : r->reason;
    const struct thing whole = {"rollout", "", "", r->state, why, r->waits, r->next, "", 0};
    size_t at = 1;
    enum dr_rc rc = make_room(w, r, err);
    for (size_t i = 0; rc == DR_OK && i < r->n_stages; i++) {
        rc = compare_stage(w, &at, r->stages[i], r, log_index, err);
    }
    rc = rc == DR_OK ? compare(w, 0, &whole, r, log_index, err) : rc; // it follows from the others
    w->was_shown = true;
    if (rc == DR_OK) {
        dr_live_note(w->rates, w->n_rates, r);
        w->is_dirty = true;
        if (!w->is_live) {
            show_progress(w, r);
        }
        fflush(stdout);
    }
    return rc;
}

// ---- the tree

static void
write_all(const struct dr_buf *out)
{
    fflush(stdout);
    for (size_t at = 0; at < out->len;) {
        ssize_t n = write(STDOUT_FILENO, out->data + at, out->len - at);
        if (n <= 0) {
            return; // the terminal has gone
        }
        at += (size_t)n;
    }
}

static struct dr_live_look
look_of(const struct dr_watch_report *w)
{
    struct winsize size = {0};
    struct dr_live_look look = {.width = WIDTH,
                                .height = HEIGHT,
                                .is_colored = w->cli->color,
                                .now = dr_now_unix_s(),
                                .rates = w->rates,
                                .n_rates = w->n_rates};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        look.width = size.ws_col;
        look.height = size.ws_row;
    }
    return look;
}

static void
draw(struct dr_watch_report *w, const Drover__V1__Rollout *r, const struct dr_live_look *look)
{
    struct dr_buf text = {0};
    struct dr_buf out = {0};
    dr_live_draw(r, look, &text);
    if (text.len > 0) {
        dr_live_paint(&w->screen, look, &text, &out);
        write_all(&out);
    }
    dr_buf_fini(&text);
    dr_buf_fini(&out);
    w->drawn_ms = dr_monotonic_ms();
    w->drawn_s = look->now;
    w->is_dirty = false;
}

static void
leave(struct dr_watch_report *w)
{
    struct dr_buf out = {0};
    dr_live_leave(&w->screen, &out);
    if (out.len > 0) {
        write_all(&out);
    }
    dr_buf_fini(&out);
}

void
dr_watch_note(struct dr_watch_report *w, const char *text)
{
    leave(w);
    dr_progress_end(&w->progress);
    dr_print_note(w->cli, "%s", text);
}

// A line while nothing changes, for logs that nobody sits in front of.
static void
show_life(struct dr_watch_report *w, const Drover__V1__Rollout *r)
{
    if (dr_monotonic_ms() < w->beat) {
        return;
    }
    w->beat = dr_monotonic_ms() + HEARTBEAT_MS;
    if (!isatty(STDOUT_FILENO)) {
        dr_say(w->cli, "%-28s %-11s %s\n", r->id, r->state,
               r->waits[0]    ? r->waits
               : r->reason[0] ? r->reason
                              : "nothing new");
        fflush(stdout);
    }
}

void
dr_watch_tick(struct dr_watch_report *w, const Drover__V1__Rollout *r)
{
    const char *trouble = NULL;
    if (dr_hook_trouble(w->hook, &trouble)) {
        const char *note = dr_arena_printf(
            w->cli->arena, "note: the hook failed after %u tries, and is not told of again: %s",
            DR_HOOK_TRIES, dr_print_safe(w->cli, trouble));
        dr_watch_note(w, note ? note : "note: the hook failed");
    }
    if (r == NULL) {
        return;
    }
    if (!w->is_live) {
        show_life(w, r);
        return;
    }
    const struct dr_live_look look = look_of(w);
    bool is_due = w->is_dirty || look.now != w->drawn_s || look.width != w->screen.width ||
                  look.height != w->screen.height;
    if (is_due && dr_monotonic_ms() - w->drawn_ms >= DR_WATCH_DRAW_MS) {
        draw(w, r, &look);
    }
}

uint32_t
dr_watch_patience(const struct dr_watch_report *w)
{
    int64_t now = dr_monotonic_ms();
    int64_t left = w->beat > now ? w->beat - now : 1;
    if (w->is_live) {
        left = w->is_dirty ? w->drawn_ms + DR_WATCH_DRAW_MS - now : DR_WATCH_TICK_MS;
    } else if (w->hook != NULL && left > 1000) {
        left = 1000; // its trouble is told soon
    }
    return left > 0 ? (uint32_t)left : 1;
}

void
dr_watch_end(struct dr_watch_report *w, const Drover__V1__Rollout *r, bool is_hurried)
{
    if (w->is_live && r != NULL) {
        const struct dr_live_look look = look_of(w);
        draw(w, r, &look);
    }
    leave(w);
    dr_progress_end(&w->progress);
    size_t lost = 0;
    if (w->hook != NULL) {
        struct dr_watch_report last = {.cli = w->cli, .hook = w->hook};
        dr_hook_wait(w->hook, is_hurried ? 0 : DR_HOOK_END_MS);
        dr_watch_tick(&last, NULL);
        lost = dr_hook_end(&w->hook);
    }
    if (lost > 0) {
        dr_print_note(w->cli, "note: %zu changes did not reach the hook", lost);
    }
    for (size_t i = 0; i < w->n_shown; i++) {
        free(w->shown[i]);
    }
    free(w->shown);
    free(w->rates);
    w->shown = NULL;
    w->rates = NULL;
    w->n_shown = w->n_rates = 0;
}
