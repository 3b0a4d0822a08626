// The flags of a READY by name: what an operator accepts with --ack, and what is shown.
#ifndef DR_CLI_READY_FLAGS_H
#define DR_CLI_READY_FLAGS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

#include <stdint.h>

// "no-backup,drift" to a set of ReadyFlag bits; NULL is none. DR_E_USAGE names what is unknown.
DR_MUST_CHECK enum dr_rc dr_ready_flags_parse(const char *text, uint32_t *out, struct dr_err *err);
// Back, in the arena; "" for none.
const char *dr_ready_flags_names(struct dr_arena *arena, uint32_t flags);

#endif
