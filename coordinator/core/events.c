// Events: append to the chain, and check it from the start.
#include "coordinator/core/events.h"

#include "base/clock.h"
#include "trust/try.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dr_events {
    struct dr_store *store;
    struct dr_loghash head;
};

void
dr_events_message(const struct dr_store_log *row, Drover__V1__LogEntry *out)
{
    // protobuf-c has no const; the message is only packed
    union {
        const char *from;
        char *to;
    } kind = {row->kind}, subject = {row->subject}, text = {row->text}, actor = {row->actor};
    union {
        const uint8_t *from;
        uint8_t *to;
    } document = {row->document}, previous = {row->previous}, hash = {row->hash};

    drover__v1__log_entry__init(out);
    out->index = row->index;
    out->time = row->time;
    out->kind = kind.to;
    out->subject = subject.to;
    out->text = text.to;
    out->actor = actor.to;
    out->document = (ProtobufCBinaryData){row->has_document ? 32 : 0, document.to};
    out->previous = (ProtobufCBinaryData){32, previous.to};
    out->hash = (ProtobufCBinaryData){32, hash.to};
}

static enum dr_rc
check_row(void *user, const struct dr_store_log *row, struct dr_err *err)
{
    Drover__V1__LogEntry message;

    dr_events_message(row, &message);
    return dr_loghash_verify(user, &message, err);
}

static enum dr_rc
check_all(struct dr_events *events, struct dr_err *err)
{
    struct dr_loghash state = {0};
    uint64_t before;

    do {
        before = state.index;
        DR_TRY(events->store->ops->log_list(events->store, state.index, DR_LIST_MAX, NULL,
                                            check_row, &state, err));
    } while (state.index != before);
    return DR_OK;
}

enum dr_rc
dr_events_reload(struct dr_events *events, struct dr_err *err)
{
    return events->store->ops->log_head(events->store, &events->head.index, events->head.hash, err);
}

enum dr_rc
dr_events_open(struct dr_store *store, bool check, struct dr_events **out, struct dr_err *err)
{
    struct dr_events *events = calloc(1, sizeof *events);

    if (events == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    events->store = store;
    enum dr_rc rc = dr_events_reload(events, err);
    if (rc == DR_OK && check) {
        rc = check_all(events, err);
    }
    if (rc != DR_OK) {
        free(events);
        return rc;
    }
    *out = events;
    return DR_OK;
}

void
dr_events_close(struct dr_events **events)
{
    if (events != NULL) {
        free(*events);
        *events = NULL;
    }
}

uint64_t
dr_events_next(const struct dr_events *events)
{
    return events->head.index + 1;
}

const struct dr_loghash *
dr_events_head(const struct dr_events *events)
{
    return &events->head;
}

enum dr_rc
dr_events_add(struct dr_events *events, const struct dr_event *event, uint64_t *out_index,
              struct dr_err *err, const char *fmt, ...)
{
    char text[DR_EVENT_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);

    struct dr_store_log row = {.index = events->head.index + 1,
                               .time = dr_now_unix_s(),
                               .kind = event->kind,
                               .subject = event->subject != NULL ? event->subject : "",
                               .text = text,
                               .actor = event->actor != NULL ? event->actor : "",
                               .has_document = event->document != NULL};
    Drover__V1__LogEntry message;

    if (event->document != NULL) {
        memcpy(row.document, event->document, 32);
    }
    memcpy(row.previous, events->head.hash, 32);
    dr_events_message(&row, &message);
    DR_TRY(dr_loghash_compute(&message, row.hash, err));
    DR_TRY(events->store->ops->log_add(events->store, &row, err));
    events->head.index = row.index;
    memcpy(events->head.hash, row.hash, 32);
    if (out_index != NULL) {
        *out_index = row.index;
    }
    return DR_OK;
}
