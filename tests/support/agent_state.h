// The agent's state in a folder of its own, for tests.
#ifndef DR_TESTS_SUPPORT_AGENT_STATE_H
#define DR_TESTS_SUPPORT_AGENT_STATE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/state.h"
#include "proto/documents.pb-c.h"
#include "support/test_tmp.h"

#include <string.h>

#define TARGET "production/orders"

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_agent_state *state;
};

static inline void
open_state(struct world *w)
{
    struct dr_err err = {0};
    if (dr_agent_state_open(w->tmp.path, &w->state, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
}

static inline void
reopen(struct world *w)
{
    dr_agent_state_close(&w->state);
    open_state(w);
}

static inline int
setup(void **state)
{
    static struct world w;
    dr_tmp_init(&w.tmp);
    w.arena = dr_arena_new(64u << 20);
    open_state(&w);
    *state = &w;
    return 0;
}

static inline int
teardown(void **state)
{
    struct world *w = *state;
    dr_agent_state_close(&w->state);
    dr_arena_free(&w->arena);
    dr_tmp_fini(&w->tmp);
    return 0;
}

static inline struct dr_bytes
text(const char *value)
{
    return (struct dr_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
}

// Opens a READY whose digest is 32 times `fill`, with one attestation in the outbox.
static inline enum dr_rc
open_ready(struct world *w, uint8_t fill, struct dr_err *err)
{
    struct dr_agent_outgoing one = {.envelope = text("envelope"),
                                    .kind = DROVER__V1__ATTESTATION_KIND__READY};
    struct dr_agent_change change = {
        .target = TARGET, .outgoing = &one, .n_outgoing = 1, .ready = text("payload")};
    memset(one.sha256, fill, 32);
    memset(change.ready_sha256, fill, 32);
    memset(change.attest.epoch, 7, sizeof change.attest.epoch);
    change.attest.counter = fill;
    memset(change.attest.previous, fill, 32);
    return dr_agent_state_commit(w->state, &change, err);
}

#endif
