// The live tree of a rollout: what `rollout watch` draws on a terminal, again and again in place.
#ifndef DR_CLI_LIVE_H
#define DR_CLI_LIVE_H

#include "base/str.h"

#include "proto/service.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define DR_LIVE_KEY_MAX 96u

// Where one target's count stood when it was first seen in this unit: an estimate needs two.
struct dr_live_rate {
    char key[DR_LIVE_KEY_MAX];
    uint64_t done, elapsed_ms;
};

// What it is drawn for. `rates` has one for each target, over all stages in order; NULL: no
// estimates.
struct dr_live_look {
    size_t width, height; // of the terminal, in cells
    bool is_colored;
    int64_t now; // unix seconds
    const struct dr_live_rate *rates;
    size_t n_rates;
};

// What stands on the terminal; `{0}` begins.
struct dr_live_screen {
    size_t lines, width, height;
};

// Notes the counts of an event. Room for `n` targets.
void dr_live_note(struct dr_live_rate *rates, size_t n, const Drover__V1__Rollout *rollout);
// The lines of the tree, at most look->height - 1, none longer than the terminal is wide.
// Whatever a terminal would act on is escaped. Targets that are done or pending go first when there
// is no room.
void dr_live_draw(const Drover__V1__Rollout *rollout, const struct dr_live_look *look,
                  struct dr_buf *out);
// The bytes that put `text` in the place of what stands there, without a flicker.
void dr_live_paint(struct dr_live_screen *screen, const struct dr_live_look *look,
                   const struct dr_buf *text, struct dr_buf *out);
// The bytes that leave the terminal as it was, below the tree.
void dr_live_leave(struct dr_live_screen *screen, struct dr_buf *out);

#endif
