// Offers of unknown agents. See enroll.h.
#include "coordinator/core/enroll.h"

#include "base/clock.h"
#include "trust/keyfile.h"
#include "trust/keywords.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 255u

struct offer {
    char agent[DR_NAME_MAX + 1], environment[DR_NAME_MAX + 1];
    uint8_t signing[32], transport[32];
    char host[HOST_MAX + 1], address[64], version[64];
    const char *state;
    int64_t first, last;
    char targets[DR_ENROLL_TARGETS_MAX][130];
    size_t n_targets;
};

struct dr_enroll {
    struct offer *offers[DR_ENROLL_MAX];
    size_t n;
};

void
dr_enroll_free(struct dr_enroll **enroll)
{
    if (*enroll != NULL) {
        for (size_t i = 0; i < (*enroll)->n; i++) {
            free((*enroll)->offers[i]);
        }
        free(*enroll);
        *enroll = NULL;
    }
}

static bool
is_plain(const char *text, size_t most)
{
    return strlen(text) <= most && dr_utf8_plain(text, strlen(text), NULL);
}

static enum dr_rc
check(const struct dr_call *call, const Drover__V1__EnrollRequest *r, struct dr_err *err)
{
    bool is_good = dr_name_is_valid(r->agent) && r->signing_key.len == 32 &&
                   dr_data_is(r->transport_key, dr_call_caller(call)->key) &&
                   is_plain(r->host, HOST_MAX) && is_plain(r->version, 63) &&
                   (r->environment[0] == '\0' || dr_name_is_valid(r->environment)) &&
                   r->n_targets <= DR_ENROLL_TARGETS_MAX;
    for (size_t i = 0; is_good && i < r->n_targets; i++) {
        is_good = dr_target_name_is_valid(r->targets[i]);
    }
    return is_good ? DR_OK
                   : dr_err_set(err, DR_E_INVALID,
                                "an offer needs a name, a signing key and the "
                                "transport key in use");
}

// What the fleet says of an agent of that name.
static const char *
state_of(const struct dr_core *core, const struct dr_call *call, const char *name)
{
    bool is_retired = false;
    if (dr_call_caller(call)->kind == DR_CALLER_AGENT) {
        return "active";
    }
    for (size_t i = 0; i < core->trust->n_entries; i++) {
        const Drover__V1__Target *target = core->trust->entries[i].msg->target;
        if (target != NULL && strcmp(target->agent, name) == 0) {
            if (target->state == DROVER__V1__TARGET_STATE__ACTIVE) {
                return "other-key";
            }
            is_retired = true;
        }
    }
    return is_retired ? "retired" : "offered";
}

static void
drop(struct dr_enroll *enroll, size_t i)
{
    free(enroll->offers[i]);
    enroll->n--;
    memmove(&enroll->offers[i], &enroll->offers[i + 1], (enroll->n - i) * sizeof *enroll->offers);
}

// Those that were not heard of for an hour go; the one of this key, or NULL.
static struct offer *
find(struct dr_enroll *enroll, const Drover__V1__EnrollRequest *r, int64_t now)
{
    struct offer *found = NULL;
    for (size_t i = enroll->n; i > 0; i--) {
        struct offer *one = enroll->offers[i - 1];
        bool is_it = dr_data_is(r->transport_key, one->transport);
        if (is_it && dr_data_is(r->signing_key, one->signing) &&
            strcmp(one->agent, r->agent) == 0) {
            found = one;
        } else if (is_it || now - one->last > DR_ENROLL_FORGET_S) {
            drop(enroll, i - 1);
        }
    }
    return found;
}

static enum dr_rc
add(struct dr_enroll *enroll, const char *address, struct offer **out, struct dr_err *err)
{
    const char *colon = strrchr(address, ':');
    size_t host = colon == NULL ? strlen(address) : (size_t)(colon - address);
    size_t same = 0;
    for (size_t i = 0; i < enroll->n; i++) {
        same += strncmp(enroll->offers[i]->address, address, host) == 0 &&
                enroll->offers[i]->address[host] == (colon == NULL ? '\0' : ':');
    }
    if (enroll->n >= DR_ENROLL_MAX || same >= DR_ENROLL_PER_ADDRESS) {
        return dr_err_set(err, DR_E_LIMIT, "too many offers wait: ask those who sign the fleet");
    }
    struct offer *one = calloc(1, sizeof *one);
    if (one == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enroll->offers[enroll->n++] = one;
    *out = one;
    return DR_OK;
}

static void
fill(struct offer *one, struct dr_call *call, const Drover__V1__EnrollRequest *r, int64_t now)
{
    (void)snprintf(one->agent, sizeof one->agent, "%s", r->agent);
    (void)snprintf(one->environment, sizeof one->environment, "%s", r->environment);
    (void)snprintf(one->host, sizeof one->host, "%s", r->host);
    (void)snprintf(one->version, sizeof one->version, "%s", r->version);
    (void)snprintf(one->address, sizeof one->address, "%s", dr_call_address(call));
    memcpy(one->signing, r->signing_key.data, 32);
    memcpy(one->transport, r->transport_key.data, 32);
    one->first = one->first == 0 ? now : one->first;
    one->last = now;
    one->n_targets = r->n_targets;
    for (size_t i = 0; i < r->n_targets; i++) {
        (void)snprintf(one->targets[i], sizeof one->targets[i], "%s", r->targets[i]);
    }
}

static enum dr_rc
note(struct dr_core *core, const struct offer *one, struct dr_err *err)
{
    const struct dr_event event = {"offer", one->agent, "", NULL};
    char signing[65], transport[65], words[DR_KEY_WORDS_SIZE];
    const char *what = strcmp(one->state, "other-key") == 0
                           ? "agent offered another key than the fleet names"
                       : strcmp(one->state, "retired") == 0 ? "agent that the fleet retired offered"
                                                            : "agent offered";
    dr_hex(signing, one->signing, 32);
    dr_hex(transport, one->transport, 32);
    dr_key_words(one->signing, one->transport, words);
    return dr_events_add(core->events, &event, NULL, err,
                         "%s from %s (%s): %s ed25519:%s x25519:%s", what, one->address, one->host,
                         words, signing, transport);
}

enum dr_rc
dr_enroll_offer(struct dr_core *core, struct dr_call *call,
                const Drover__V1__EnrollRequest *request, const char **out_state,
                struct dr_err *err)
{
    int64_t now = dr_now_unix_s();
    enum dr_rc rc = check(call, request, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *state = state_of(core, call, request->agent);
    *out_state = state;
    if (strcmp(state, "active") == 0) {
        return DR_OK;
    }
    if (core->enroll == NULL && (core->enroll = calloc(1, sizeof *core->enroll)) == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    struct offer *one = find(core->enroll, request, now);
    bool is_news = one == NULL || strcmp(one->state, state) != 0;
    rc = one != NULL ? DR_OK : add(core->enroll, dr_call_address(call), &one, err);
    if (rc != DR_OK) {
        return rc;
    }
    one->state = state;
    fill(one, call, request, now);
    if (is_news && core->offers >= DR_OFFERS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "too many offers were made: wait an hour");
    }
    core->offers += is_news;
    return is_news ? note(core, one, err) : DR_OK;
}

static enum dr_rc
show(const struct offer *one, struct dr_arena *arena, Drover__V1__AgentOffer **out,
     struct dr_err *err)
{
    Drover__V1__AgentOffer *row = dr_arena_alloc(arena, sizeof *row);
    char words[DR_KEY_WORDS_SIZE];
    if (row == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    drover__v1__agent_offer__init(row);
    dr_key_words(one->signing, one->transport, words);
    row->agent = dr_arena_str(arena, one->agent);
    row->environment = dr_arena_str(arena, one->environment);
    row->host = dr_arena_str(arena, one->host);
    row->address = dr_arena_str(arena, one->address);
    row->version = dr_arena_str(arena, one->version);
    row->state = dr_arena_str(arena, one->state);
    row->words = dr_arena_str(arena, words);
    row->signing_key.data = dr_arena_copy(arena, one->signing, 32);
    row->transport_key.data = dr_arena_copy(arena, one->transport, 32);
    row->signing_key.len = row->transport_key.len = 32;
    row->first_seen = one->first;
    row->last_seen = one->last;
    row->targets = dr_arena_array(arena, one->n_targets + 1, sizeof *row->targets);
    for (size_t i = 0; row->targets != NULL && i < one->n_targets; i++) {
        row->targets[row->n_targets++] = dr_arena_str(arena, one->targets[i]);
    }
    bool is_whole = row->agent && row->environment && row->host && row->address && row->version &&
                    row->state && row->words && row->signing_key.data && row->transport_key.data &&
                    row->targets && (one->n_targets == 0 || row->targets[one->n_targets - 1]);
    *out = row;
    return is_whole ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

enum dr_rc
dr_enroll_list(const struct dr_core *core, struct dr_arena *arena, Drover__V1__AgentOffer ***out,
               size_t *out_n, struct dr_err *err)
{
    const struct dr_enroll *enroll = core->enroll;
    int64_t now = dr_now_unix_s();
    *out_n = 0;
    *out = dr_arena_array(arena, DR_ENROLL_MAX, sizeof **out);
    if (*out == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; enroll != NULL && i < enroll->n; i++) {
        struct dr_caller who = {0};
        dr_directory_caller(core->directory, enroll->offers[i]->transport, &who);
        bool waits = who.kind == DR_CALLER_UNKNOWN; // one that was added meanwhile does not
        if (waits && now - enroll->offers[i]->last <= DR_ENROLL_FORGET_S) {
            enum dr_rc rc = show(enroll->offers[i], arena, &(*out)[*out_n], err);
            if (rc != DR_OK) {
                return rc;
            }
            (*out_n)++;
        }
    }
    return DR_OK;
}
