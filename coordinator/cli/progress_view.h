// Progress for people: a bar on a terminal, a line per 30 s elsewhere, and who is in the way, once
// per change.
#ifndef DR_CLI_PROGRESS_VIEW_H
#define DR_CLI_PROGRESS_VIEW_H

#include "coordinator/cli/cli.h"

#include "proto/service.pb-c.h"

#include <jansson.h>

#define DR_PROGRESS_LOG_MS  30000u
#define DR_PROGRESS_BAR_MS  1000u // a shorter unit gets no bar
#define DR_PROGRESS_KEY_MAX 512u

// A unit that goes on. Strings are lent; `done` of `total` are counts of the server (total 0: it
// has none).
struct dr_progress_at {
    const char *name;  // whose: "" or a target
    const char *phase; // "building index: scanning table: 12 of 100 blocks"
    const char *blockers;
    uint64_t elapsed_ms, done, total;
};

// What was shown so far; `{0}` begins.
struct dr_progress_line {
    bool is_open;     // a bar stands on the terminal
    uint64_t periods; // of DR_PROGRESS_LOG_MS that were told
    uint64_t elapsed_ms;
    char blockers[DR_PROGRESS_KEY_MAX];
};

// What to write to standard error now, nothing most of the time: blockers when they are others
// than before, then the bar (terminal) or a line (30 s are over). Pure but for `line`.
void dr_progress_render(struct dr_progress_line *line, const struct dr_progress_at *at,
                        bool is_terminal, struct dr_buf *out);
// The same, written; nothing with --quiet or JSON. `dr_progress_end` takes the bar away.
void dr_progress_show(const struct dr_cli *cli, struct dr_progress_line *line,
                      const struct dr_progress_at *at);
void dr_progress_end(struct dr_progress_line *line);

// "a1, unit 1/2, building index: ..., 12s, waits for pid 11 (app, 3 s): SELECT ?" in the cli's
// arena; "" for NULL.
const char *dr_progress_text(const struct dr_cli *cli, const Drover__V1__Progress *progress);
// A new reference; null for NULL.
json_t *dr_progress_json(const Drover__V1__Progress *progress);

#endif
