// Progress of orders. See order_progress.h.
#include "coordinator/core/order_progress.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 8192u
#define FRESH_MS  5000 // an agent tells about twice a second

struct dr_order_progress {
    UT_hash_handle hh;
    char target[DR_TARGET_NAME_MAX];
    Drover__V1__Progress *progress;
    int64_t told_ms;
};

static enum dr_rc
find(struct dr_core *core, const char *target, struct dr_order_progress **out, struct dr_err *err)
{
    struct dr_order_progress *row = NULL;
    HASH_FIND_STR(core->order_progress, target, row);
    if (row == NULL) {
        row = calloc(1, sizeof *row);
        if (row == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        (void)snprintf(row->target, sizeof row->target, "%s", target);
        HASH_ADD_STR(core->order_progress, target, row);
    }
    *out = row;
    return DR_OK;
}

enum dr_rc
dr_order_progress_put(struct dr_core *core, const char *agent, const Drover__V1__Progress *progress,
                      int64_t now_ms, struct dr_err *err)
{
    uint8_t bytes[BYTES_MAX];
    struct dr_order_progress *row = NULL;
    const struct dr_fleet_entry *entry = dr_directory_target(core->directory, progress->target);
    size_t len = drover__v1__progress__get_packed_size(progress);
    if (entry == NULL || !dr_str_eq(entry->msg->target->agent, agent)) {
        return dr_err_set(err, DR_E_NOT_FOUND, "agent '%s' has no target '%.130s'", agent,
                          progress->target);
    }
    if (len > sizeof bytes) {
        return dr_err_set(err, DR_E_LIMIT, "progress of %zu bytes", len);
    }
    (void)drover__v1__progress__pack(progress, bytes);
    Drover__V1__Progress *copy = drover__v1__progress__unpack(NULL, len, bytes);
    if (copy == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = find(core, progress->target, &row, err);
    if (rc != DR_OK) {
        drover__v1__progress__free_unpacked(copy, NULL);
        return rc;
    }
    if (row->progress != NULL) {
        drover__v1__progress__free_unpacked(row->progress, NULL);
    }
    row->progress = copy;
    row->told_ms = now_ms;
    return DR_OK;
}

Drover__V1__Progress *
dr_order_progress_of(const struct dr_core *core, const char *target, int64_t now_ms)
{
    const struct dr_order_progress *row = NULL;
    HASH_FIND_STR(core->order_progress, target, row);
    return row == NULL || now_ms - row->told_ms > FRESH_MS ? NULL : row->progress;
}

void
dr_order_progress_free(struct dr_core *core)
{
    struct dr_order_progress *row = core->order_progress;
    HASH_CLEAR(hh, core->order_progress);
    while (row != NULL) {
        struct dr_order_progress *next = row->hh.next;
        drover__v1__progress__free_unpacked(row->progress, NULL);
        free(row);
        row = next;
    }
}
