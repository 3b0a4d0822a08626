// Push, part two: the bundle, an approval with everything that an agent's checks need. It is made
// when it is sent: what has changed since, the trust that the agent lacks and the stops of now, is
// in it, and nothing large waits in the store for an agent that is away.
#include "base/clock.h"
#include "coordinator/core/large.h"
#include "coordinator/core/push.h"
#include "coordinator/core/push_cache.h"
#include "trust/attest.h"
#include "trust/gate.h"
#include "trust/strict.h"
#include "trust/try.h"
#include "trust/verify.h"

#include <stdio.h>
#include <string.h>

struct maker {
    struct dr_core *core;
    struct dr_arena *arena;
    const struct dr_push_approval *of;
    Drover__V1__Bundle *bundle;
};

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "a bundle is too large");
}

static enum dr_rc
add_leaf(struct maker *m, size_t index, Drover__V1__ProvenEntry **out, struct dr_err *err)
{
    return dr_proven_make(m->arena, &m->of->tree, m->of->leaves[index], index, out, err);
}

static enum dr_rc
find_leaf(const struct dr_push_approval *of, const char *target, size_t *out, struct dr_err *err)
{
    *out = dr_push_leaf(of, target);
    return *out < of->n_leaves
               ? DR_OK
               : dr_err_set(err, DR_E_NOT_FOUND, "the approval has no leaf for '%s'", target);
}

// The target's own leaf, and those of the canaries when it comes later.
static enum dr_rc
add_leaves(struct maker *m, const char *target, struct dr_err *err)
{
    size_t own;
    size_t canaries =
        m->of->approval.msg->n_wave_sizes > 0 ? m->of->approval.msg->wave_sizes[0] : 0;

    DR_TRY(find_leaf(m->of, target, &own, err));
    DR_TRY(add_leaf(m, own, &m->bundle->leaf, err));
    if (m->of->decoded[own]->wave <= 1) {
        return DR_OK;
    }
    m->bundle->canaries = dr_arena_array(m->arena, canaries + 1, sizeof *m->bundle->canaries);
    if (m->bundle->canaries == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < canaries; i++) {
        DR_TRY(add_leaf(m, i, &m->bundle->canaries[m->bundle->n_canaries++], err));
    }
    return DR_OK;
}

static bool
has_entry(const struct maker *m, uint64_t index)
{
    for (size_t i = 0; i < m->bundle->n_evidence_entries; i++) {
        if (m->bundle->evidence_entries[i]->index == index) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
add_evidence_entry(struct maker *m, const char *target, struct dr_err *err)
{
    const struct dr_fleet_entry *entry = dr_directory_target(m->core->directory, target);

    if (entry == NULL || has_entry(m, entry->index)) {
        return DR_OK;
    }
    return dr_directory_proof(m->core->directory, entry, m->arena,
                              &m->bundle->evidence_entries[m->bundle->n_evidence_entries++], err);
}

static enum dr_rc
add_document(struct maker *m, const struct dr_store_document *row, struct dr_err *err)
{
    ProtobufCBinaryData bytes = dr_data(row->envelope.data, row->envelope.len);

    if (m->bundle->n_evidence + m->bundle->n_signoffs + 8 > DR_BUNDLE_ENVELOPES_MAX) {
        return no_room(err);
    }
    if (strcmp(row->kind, DR_TYPE_SIGNOFF) == 0) {
        m->bundle->signoffs[m->bundle->n_signoffs++] = bytes;
        return DR_OK;
    }
    m->bundle->evidence[m->bundle->n_evidence++] = bytes;
    return add_evidence_entry(m, row->target, err);
}

// ---- evidence against

#define AGAINST_MAX 16u // of one target, the newest

// What a target has said since, of which the newest of each kind counts.
struct since {
    struct maker *maker;
    uint64_t log_index; // of what it said before
    uint32_t seen;      // bit n: a document of subkind n is in
    bool has_probes;
};

static bool
answers_probes(const struct dr_store_document *row)
{
    struct dr_arena *arena = dr_arena_new(DR_DOCUMENT_MAX);
    struct dr_attestation state;
    bool answers = arena != NULL &&
                   dr_attest_decode(arena, row->envelope, false, &state, NULL) == DR_OK &&
                   state.msg->n_probes > 0;

    dr_arena_free(&arena);
    return answers;
}

static enum dr_rc
add_since(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct since *since = user;
    const uint32_t bit = 1u << row->subkind;
    bool is_state = row->subkind == DROVER__V1__ATTESTATION_KIND__STATE;
    bool is_new = (since->seen & bit) == 0;
    struct dr_store_document copy = *row;

    if (row->log_index <= since->log_index || (!is_new && (!is_state || since->has_probes))) {
        return DR_OK;
    }
    bool answers = is_state && answers_probes(row);
    if (!is_new && !answers) {
        return DR_OK;
    }
    since->seen |= bit;
    since->has_probes = since->has_probes || answers;
    copy.envelope.data = dr_arena_copy(since->maker->arena, row->envelope.data, row->envelope.len);
    return copy.envelope.data == NULL ? no_room(err) : add_document(since->maker, &copy, err);
}

static enum dr_rc
add_all_since(struct maker *m, const char *target, uint32_t kinds, uint64_t log_index,
              struct dr_err *err)
{
    struct since since = {.maker = m, .log_index = log_index};
    const struct dr_store_filter filter = {.kind = DR_TYPE_ATTESTATION,
                                           .target = target,
                                           .subkinds = kinds,
                                           .newest_first = true,
                                           .limit = AGAINST_MAX};

    return m->core->store->ops->document_list(m->core->store, &filter, add_since, &since, err);
}

// How each canary ended, which later waves must see, and what has come after that.
static enum dr_rc
add_canaries(struct maker *m, struct dr_err *err)
{
    const uint32_t all = 1u << DROVER__V1__ATTESTATION_KIND__APPLIED |
                         1u << DROVER__V1__ATTESTATION_KIND__REVERTED |
                         1u << DROVER__V1__ATTESTATION_KIND__FAILED;
    bool is_down = dr_approval_is_down(m->of->approval.msg->mode);
    uint32_t end =
        is_down ? DROVER__V1__ATTESTATION_KIND__REVERTED : DROVER__V1__ATTESTATION_KIND__APPLIED;

    for (size_t i = 0; i < m->bundle->n_canaries; i++) {
        const char *target = m->of->decoded[i]->target;
        struct dr_store_document row;

        DR_TRY(
            m->core->store->ops->document_latest(m->core->store, target, end, m->arena, &row, err));
        DR_TRY(add_document(m, &row, err));
        DR_TRY(add_all_since(m, target, all & ~(1u << end), row.log_index, err));
    }
    return DR_OK;
}

// Is it the last listed word of a target of another environment? What that has said since then
// may close a gate, listed or not.
static bool
is_last_of_other(const struct dr_push_approval *of, size_t index)
{
    const struct dr_store_document *row = &of->listed[index];
    bool is_other = strcmp(row->kind, DR_TYPE_ATTESTATION) == 0 &&
                    strcmp(row->environment, of->environment) != 0;

    for (size_t i = 0; is_other && i < of->n_listed; i++) {
        is_other = strcmp(of->listed[i].target, row->target) != 0 ||
                   of->listed[i].log_index <= row->log_index;
    }
    return is_other;
}

static enum dr_rc
add_against(struct maker *m, struct dr_err *err)
{
    const uint32_t kinds = 1u << DROVER__V1__ATTESTATION_KIND__STATE |
                           1u << DROVER__V1__ATTESTATION_KIND__REVERTED |
                           1u << DROVER__V1__ATTESTATION_KIND__FAILED;

    for (size_t i = 0; i < m->of->n_listed; i++) {
        const struct dr_store_document *row = &m->of->listed[i];

        if (is_last_of_other(m->of, i)) {
            DR_TRY(add_all_since(m, row->target, kinds, row->log_index, err));
        }
    }
    return DR_OK;
}

struct stops {
    struct maker *maker;
};

static enum dr_rc
add_stop(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct maker *m = ((struct stops *)user)->maker;
    struct dr_store_document copy = *row;

    if (dr_approval_lists(m->of->approval.msg, row->sha256)) {
        return DR_OK;
    }
    copy.envelope.data = dr_arena_copy(m->arena, row->envelope.data, row->envelope.len);
    return copy.envelope.data == NULL ? no_room(err) : add_document(m, &copy, err);
}

static enum dr_rc
add_wide_stop(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    return row->environment[0] == '\0' ? add_stop(user, row, err) : DR_OK;
}

// VETO, CANCEL, FREEZE and LIFT: an honest coordinator shows them all.
static enum dr_rc
add_stops(struct maker *m, const char *environment, struct dr_err *err)
{
    struct stops stops = {m};
    const uint32_t kinds =
        1u << DROVER__V1__SIGNOFF_KIND__VETO | 1u << DROVER__V1__SIGNOFF_KIND__CANCEL |
        1u << DROVER__V1__SIGNOFF_KIND__FREEZE | 1u << DROVER__V1__SIGNOFF_KIND__LIFT;
    struct dr_store_filter filter = {.kind = DR_TYPE_SIGNOFF,
                                     .environment = environment,
                                     .subkinds = kinds,
                                     .only_complete = true,
                                     .newest_first = true,
                                     .limit = 64};

    DR_TRY(m->core->store->ops->document_list(m->core->store, &filter, add_stop, &stops, err));
    // One that freezes everything names no environment.
    filter.environment = NULL;
    filter.subkinds = 1u << DROVER__V1__SIGNOFF_KIND__FREEZE;
    return m->core->store->ops->document_list(m->core->store, &filter, add_wide_stop, &stops, err);
}

// What a freeze or a veto holds is not sent: its agent would refuse it for good, and here it waits
// until that is lifted. A CANCEL is the agent's to answer.
static enum dr_rc
check_stops(struct maker *m, struct dr_err *err)
{
    const Drover__V1__Approval *approval = m->of->approval.msg;
    struct dr_signoff *stops;
    size_t n;

    DR_TRY(dr_gate_load_signoffs(m->arena, &m->core->trust->root, m->of->environment,
                                 m->bundle->signoffs, m->bundle->n_signoffs, true, &stops, &n,
                                 err));
    return dr_signoff_check_stops(&m->core->trust->root, stops, n, m->of->environment,
                                  approval->plan_sha256.data, INT64_MAX, dr_now_unix_s(), err);
}

// Backups and rehearsals of the approved targets open a gate only for the target itself.
static bool
is_of_another(const struct maker *m, const struct dr_store_document *row, const char *target)
{
    const uint32_t own =
        1u << DROVER__V1__ATTESTATION_KIND__BACKUP | 1u << DROVER__V1__ATTESTATION_KIND__REHEARSED;

    return strcmp(row->kind, DR_TYPE_ATTESTATION) == 0 && (own >> row->subkind & 1u) != 0 &&
           !dr_approval_is_stamp(m->of->approval.msg->mode) &&
           strcmp(row->environment, m->of->environment) == 0 && strcmp(row->target, target) != 0;
}

static enum dr_rc
fill(struct maker *m, const char *target, struct dr_err *err)
{
    size_t max = DR_BUNDLE_ENVELOPES_MAX + 1;

    m->bundle->evidence = dr_arena_array(m->arena, max, sizeof *m->bundle->evidence);
    m->bundle->signoffs = dr_arena_array(m->arena, max, sizeof *m->bundle->signoffs);
    m->bundle->evidence_entries =
        dr_arena_array(m->arena, max, sizeof *m->bundle->evidence_entries);
    if (m->bundle->evidence == NULL || m->bundle->signoffs == NULL ||
        m->bundle->evidence_entries == NULL) {
        return no_room(err);
    }
    m->bundle->approval = dr_data(m->of->envelope.data, m->of->envelope.len);
    DR_TRY(add_leaves(m, target, err));
    for (size_t i = 0; i < m->of->n_listed; i++) {
        if (!is_of_another(m, &m->of->listed[i], target)) {
            DR_TRY(add_document(m, &m->of->listed[i], err));
        }
    }
    DR_TRY(add_canaries(m, err));
    DR_TRY(add_against(m, err));
    DR_TRY(add_stops(m, m->of->environment, err));
    return check_stops(m, err);
}

// The stops alone, before anything is queued.
static enum dr_rc
check_before(struct dr_core *core, const struct dr_push_approval *of, struct dr_err *err)
{
    Drover__V1__Bundle bundle;
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    struct maker m = {.core = core, .arena = arena, .of = of, .bundle = &bundle};

    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    drover__v1__bundle__init(&bundle);
    bundle.signoffs = dr_arena_array(arena, DR_BUNDLE_ENVELOPES_MAX + 1, sizeof *bundle.signoffs);
    enum dr_rc rc = bundle.signoffs == NULL ? no_room(err) : add_stops(&m, of->environment, err);
    if (rc == DR_OK && bundle.n_signoffs > 0) {
        rc = check_stops(&m, err);
    }
    dr_arena_free(&arena);
    return rc;
}

enum dr_rc
dr_push_bundle_make(struct dr_core *core, const struct dr_rollout *rollout,
                    const struct dr_rollout_target *target, struct dr_arena *arena,
                    Drover__V1__Bundle **out, struct dr_err *err)
{
    struct maker m = {
        .core = core, .arena = arena, .bundle = dr_arena_alloc(arena, sizeof *m.bundle)};

    if (m.bundle == NULL) {
        return no_room(err);
    }
    drover__v1__bundle__init(m.bundle);
    m.bundle->rollout = dr_arena_str(arena, rollout->id);
    m.bundle->target = dr_arena_str(arena, target->name);
    DR_TRY(dr_push_trust_update(core, target->agent, false, arena, &m.bundle->trust, err));
    DR_TRY(dr_push_approval(core, target->approval, &m.of, err));
    DR_TRY(fill(&m, target->name, err));
    size_t len = drover__v1__bundle__get_packed_size(m.bundle);
    if (m.bundle->rollout == NULL || m.bundle->target == NULL || len > DR_DOCUMENT_MAX) {
        return no_room(err);
    }
    *out = m.bundle;
    return DR_OK;
}

enum dr_rc
dr_push_bundle(struct dr_core *core, const struct dr_rollout *rollout,
               const struct dr_rollout_target *target, struct dr_err *err)
{
    const struct dr_push_approval *of;
    Drover__V1__Bundle stub;
    char id[sizeof rollout->id], name[DR_TARGET_NAME_MAX], key[DR_TARGET_NAME_MAX + 16];
    uint8_t bytes[DR_TARGET_NAME_MAX + 64], push_id[16];
    uint64_t seq;
    size_t own;

    // all that it will be made of is here
    DR_TRY(dr_push_approval(core, target->approval, &of, err));
    DR_TRY(find_leaf(of, target->name, &own, err));
    DR_TRY(check_before(core, of, err));
    if (of->n_listed + (of->decoded[own]->wave > 1 ? of->approval.msg->wave_sizes[0] : 0) + 8 >
        DR_BUNDLE_ENVELOPES_MAX) {
        return no_room(err);
    }
    (void)snprintf(id, sizeof id, "%s", rollout->id);
    (void)snprintf(name, sizeof name, "%s", target->name);
    (void)snprintf(key, sizeof key, "bundle %s", target->name);
    drover__v1__bundle__init(&stub);
    stub.rollout = id;
    stub.target = name;
    size_t len = drover__v1__bundle__pack(&stub, bytes);
    dr_random(push_id, sizeof push_id);
    DR_TRY(core->store->ops->push_add(core->store, target->agent,
                                      DROVER__V1__PUSH_KIND__PUSH_BUNDLE, key, push_id,
                                      (struct dr_bytes){bytes, len}, &seq, err));
    struct dr_agent *agent = dr_core_agent(core, target->agent);
    if (agent != NULL) {
        agent->has_mail = true;
    }
    return DR_OK;
}
