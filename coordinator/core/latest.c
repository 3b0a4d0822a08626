// Latest: filled from the store when asked, dropped when something new comes.
#include "coordinator/core/latest.h"

#include "trust/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Drover__V1__AttestationKind KINDS[DR_LATEST_KINDS] = {
    DROVER__V1__ATTESTATION_KIND__STATE,    DROVER__V1__ATTESTATION_KIND__APPLIED,
    DROVER__V1__ATTESTATION_KIND__REVERTED, DROVER__V1__ATTESTATION_KIND__READY,
    DROVER__V1__ATTESTATION_KIND__BACKUP,   DROVER__V1__ATTESTATION_KIND__DRIFT};

static enum dr_rc
fill(struct dr_core *core, struct dr_latest *latest, struct dr_err *err)
{
    for (size_t i = 0; i < DR_LATEST_KINDS; i++) {
        struct dr_latest_word *word = &latest->words[i];
        struct dr_store_word row;
        struct dr_err mine = {0};
        enum dr_rc rc = core->store->ops->document_latest_word(core->store, latest->target,
                                                               (uint32_t)KINDS[i], &row, &mine);

        if (rc == DR_E_NOT_FOUND) {
            continue;
        }
        if (rc != DR_OK) {
            *err = mine;
            return rc;
        }
        word->is_there = true;
        memcpy(word->sha256, row.sha256, 32);
        word->time = row.time;
        word->counter = row.version;
        word->log_index = row.log_index;
    }
    return DR_OK;
}

enum dr_rc
dr_latest_of(struct dr_core *core, const char *target, const struct dr_latest **out,
             struct dr_err *err)
{
    struct dr_latest *latest;

    HASH_FIND_STR(core->latest, target, latest);
    if (latest == NULL) {
        latest = calloc(1, sizeof *latest);
        if (latest == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        (void)snprintf(latest->target, sizeof latest->target, "%s", target);
        enum dr_rc rc = fill(core, latest, err);
        if (rc != DR_OK) {
            free(latest);
            return rc;
        }
        HASH_ADD_STR(core->latest, target, latest);
    }
    *out = latest;
    return DR_OK;
}

const struct dr_latest_word *
dr_latest_state(const struct dr_latest *latest)
{
    const struct dr_latest_word *best = NULL;

    for (size_t i = 0; i < DR_LATEST_BACKUP; i++) {
        const struct dr_latest_word *word = &latest->words[i];

        if (word->is_there && (best == NULL || word->time > best->time ||
                               (word->time == best->time && word->counter > best->counter))) {
            best = word;
        }
    }
    return best;
}

void
dr_latest_forget(struct dr_core *core, const char *target)
{
    struct dr_latest *latest;

    HASH_FIND_STR(core->latest, target, latest);
    if (latest != NULL) {
        HASH_DEL(core->latest, latest);
        free(latest);
    }
}

void
dr_latest_free(struct dr_core *core)
{
    struct dr_latest *latest = core->latest;

    HASH_CLEAR(hh, core->latest);
    while (latest != NULL) {
        struct dr_latest *next = latest->hh.next;

        free(latest);
        latest = next;
    }
}
