// What a watch tells of a rollout: a live tree on a terminal, a line per change elsewhere, an
// object per change with --output jsonl, and a hook on each change of a state.
#ifndef DR_CLI_WATCH_REPORT_H
#define DR_CLI_WATCH_REPORT_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/hook.h"
#include "coordinator/cli/live.h"
#include "coordinator/cli/progress_view.h"

#define DR_WATCH_DRAW_MS 100 // at most ten drawings a second
#define DR_WATCH_TICK_MS 250 // how soon a resize is seen

// `{0}`, then dr_watch_begin.
struct dr_watch_report {
    struct dr_cli *cli;
    struct dr_hook *hook; // NULL: none
    char **shown;         // rollout, then each environment and its targets: "state\nreason"
    size_t n_shown;
    struct dr_live_rate *rates;
    size_t n_rates;
    struct dr_live_screen screen;
    struct dr_progress_line progress;
    bool is_live, is_dirty, was_shown;
    int64_t drawn_ms, drawn_s;
    int64_t beat; // when the next sign of life is due; monotonic ms
};

// Starts the hook of --hook. Before anything that starts a thread, and after dr_cli_cancel_fd.
// DR_E_USAGE, errors of the hook.
DR_MUST_CHECK enum dr_rc
dr_watch_begin(struct dr_watch_report *w, struct dr_cli *cli, struct dr_err *err);
// What is new in an event. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_watch_take(struct dr_watch_report *w, const Drover__V1__Rollout *rollout, uint64_t log_index,
              struct dr_err *err);
// Draws when something is due; call it at least each dr_watch_patience ms. `rollout` may be NULL.
void dr_watch_tick(struct dr_watch_report *w, const Drover__V1__Rollout *rollout);
uint32_t dr_watch_patience(const struct dr_watch_report *w);
// A line on standard error that does not disturb the tree.
void dr_watch_note(struct dr_watch_report *w, const char *text);
// The last drawing, then the terminal as it was; what the hook still has to do gets its time unless
// `is_hurried`.
void dr_watch_end(struct dr_watch_report *w, const Drover__V1__Rollout *rollout, bool is_hurried);

#endif
