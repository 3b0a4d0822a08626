// Events: the hash-chained log of everything that happened. An entry is written in the caller's
// transaction.
#ifndef DR_CORE_EVENTS_H
#define DR_CORE_EVENTS_H

#include "coordinator/core/store.h"
#include "trust/loghash.h"

#define DR_EVENT_TEXT_MAX 1024u

struct dr_events; // opaque: where the chain stands

// Takes up the chain where the store has it. With `check`, every entry's hash is computed again:
// DR_E_BAD_LOG.
DR_MUST_CHECK enum dr_rc
dr_events_open(struct dr_store *store, bool check, struct dr_events **out, struct dr_err *err);
void dr_events_close(struct dr_events **events);

// What happened: `kind` is one word ("rollout", "document", "agent", ...), `subject` words that one
// may filter by ("R-1 production/orders"), `actor` who did it ("" for the coordinator itself),
// `document` a digest or NULL.
struct dr_event {
    const char *kind, *subject, *actor;
    const uint8_t *document;
};
// Appends an entry with the formatted text (cut at DR_EVENT_TEXT_MAX). `*out_index` may be NULL.
DR_MUST_CHECK enum dr_rc
dr_events_add(struct dr_events *events, const struct dr_event *event, uint64_t *out_index,
              struct dr_err *err, const char *fmt, ...) DR_PRINTF(5, 6);
// The next entry's index, for rows that name the entry which records them.
uint64_t dr_events_next(const struct dr_events *events);
// After a rollback: back to what the store has.
DR_MUST_CHECK enum dr_rc dr_events_reload(struct dr_events *events, struct dr_err *err);
// The last entry. Valid until the next add.
const struct dr_loghash *dr_events_head(const struct dr_events *events);

// A row as the message that travels; strings and digests borrow from `row`, which must outlive it.
void dr_events_message(const struct dr_store_log *row, Drover__V1__LogEntry *out);

#endif
