// Attestations: counted and chained per agent and epoch. Sign-offs: one person's word; lifting a
// stop takes a quorum.
#include "trust/attest.h"

#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

static bool
kind_is_sound(const Drover__V1__Attestation *msg)
{
    switch (msg->kind) {
    case DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE:
        return false;
    case DROVER__V1__ATTESTATION_KIND__READY:
        return msg->nonce.len == 32 && msg->ledger_head.len == 32;
    case DROVER__V1__ATTESTATION_KIND__BACKUP:
        return msg->backup != NULL;
    case DROVER__V1__ATTESTATION_KIND__APPLIED:
    case DROVER__V1__ATTESTATION_KIND__REVERTED:
        return msg->plan_sha256.len == 32 && msg->approval_sha256.len == 32;
    case DROVER__V1__ATTESTATION_KIND__FAILED:
    case DROVER__V1__ATTESTATION_KIND__REFUSED:
        return msg->code[0] != '\0';
    default:
        return true;
    }
}

static enum dr_rc
check_attestation(const Drover__V1__Attestation *msg, struct dr_err *err)
{
    if (!kind_is_sound(msg) || !dr_target_name_is_valid(msg->target) ||
        !dr_name_is_valid(msg->environment) || !dr_name_is_valid(msg->agent) ||
        msg->engine == DROVER__V1__ENGINE__ENGINE_NONE || msg->counter < 1 || msg->time < 1 ||
        (msg->counter == 1) != (msg->previous_sha256.len == 0) || msg->flags > DR_READY_FLAGS_ALL) {
        return dr_err_set(err, DR_E_BAD_EVIDENCE,
                          "an attestation of '%s' lacks what its kind needs", msg->target);
    }
    return DR_OK;
}

static enum dr_rc
decode_attestation(struct dr_arena *arena, struct dr_bytes payload, struct dr_attestation *out,
                   struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__attestation__descriptor, payload, &message, err));
    DR_TRY(check_attestation((const Drover__V1__Attestation *)message, err));
    out->msg = (const Drover__V1__Attestation *)message;
    dr_sha256(payload, out->sha256);
    return DR_OK;
}

enum dr_rc
dr_attest_build(struct dr_arena *arena, Drover__V1__Attestation msg, const struct dr_key *key,
                const struct dr_attest_state *state, struct dr_bytes *out, uint8_t out_sha256[32],
                struct dr_attest_state *out_state, struct dr_err *err)
{
    struct dr_attest_state next = *state;
    struct dr_bytes payload;
    if (state->counter == 0) {
        dr_random(next.epoch, sizeof(next.epoch));
    }
    next.counter++;
    msg.epoch = dr_data(next.epoch, sizeof(next.epoch));
    msg.counter = next.counter;
    msg.previous_sha256 = dr_data(state->previous, state->counter == 0 ? 0 : 32);
    DR_TRY(check_attestation(&msg, err));
    DR_TRY(dr_strict_encode(arena, &msg.base, &payload, err));
    DR_TRY(dr_envelope_sign(arena, DR_TYPE_ATTESTATION, payload, key, out, err));
    dr_sha256(payload, next.previous);
    memcpy(out_sha256, next.previous, 32);
    *out_state = next;
    return DR_OK;
}

enum dr_rc
dr_attest_decode(struct dr_arena *arena, struct dr_bytes bytes, bool payload_only,
                 struct dr_attestation *out, struct dr_err *err)
{
    struct dr_attestation attestation = {.wire = bytes};
    struct dr_envelope envelope = {.payload = bytes};
    if (!payload_only) {
        DR_TRY(dr_envelope_copy(arena, bytes, DR_TYPE_ATTESTATION, &envelope, err));
        attestation.wire = envelope.wire;
    }
    DR_TRY(decode_attestation(arena, envelope.payload, &attestation, err));
    *out = attestation;
    return DR_OK;
}

// The agent key among `entries` that signed; NULL when none did.
static const uint8_t *
find_signer(const struct dr_fleet_entry *entries, size_t n_entries,
            const struct dr_envelope *envelope, struct dr_bytes pae)
{
    for (size_t i = 0; i < n_entries; i++) {
        const Drover__V1__Target *target = entries[i].msg->target;
        for (size_t k = 0; target && k < envelope->n_sigs; k++) {
            const struct dr_signature *sig = &envelope->sigs[k];
            // Thousands of entries are looked through, so the key's name is compared before all
            // else.
            if (memcmp(sig->keyid, entries[i].agent_keyid, 32) == 0 &&
                dr_envelope_sig_is_valid(sig, target->agent_signing_key.data, pae)) {
                return target->agent_signing_key.data;
            }
        }
    }
    return NULL;
}

enum dr_rc
dr_attest_load(struct dr_arena *arena, const struct dr_fleet *fleet,
               const struct dr_fleet_entry *entries, size_t n_entries, struct dr_bytes wire,
               struct dr_attestation *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_bytes pae;
    struct dr_attestation attestation = {0};
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_ATTESTATION, &envelope, err));
    DR_TRY(dr_envelope_pae(arena, envelope.type, envelope.payload, &pae, err));
    const uint8_t *key = find_signer(entries, n_entries, &envelope, pae);
    if (!key) {
        return dr_err_set(err, DR_E_BAD_SIGNATURE, "no agent of the fleet signed this attestation");
    }
    DR_TRY(decode_attestation(arena, envelope.payload, &attestation, err));
    const Drover__V1__Attestation *msg = attestation.msg;
    if (!dr_data_eq(msg->cluster_id, fleet->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the attestation is of another cluster");
    }
    attestation.entry = dr_fleet_target(entries, n_entries, msg->target);
    const Drover__V1__Target *target = attestation.entry ? attestation.entry->msg->target : NULL;
    if (!target || !dr_data_is(target->agent_signing_key, key) ||
        strcmp(target->agent, msg->agent) != 0 ||
        strcmp(target->environment, msg->environment) != 0 || target->engine != msg->engine) {
        return dr_err_set(err, DR_E_BAD_EVIDENCE,
                          "the agent that signed does not speak for target '%s'", msg->target);
    }
    attestation.wire = envelope.wire;
    *out = attestation;
    return DR_OK;
}

enum dr_rc
dr_attest_follows(const struct dr_attestation *last, const struct dr_attestation *next,
                  struct dr_err *err)
{
    const Drover__V1__Attestation *a = last->msg, *b = next->msg;
    if (!dr_data_eq(a->epoch, b->epoch)) {
        return b->counter == 1
                   ? DR_OK
                   : dr_err_set(err, DR_E_COUNTER_GAP,
                                "agent '%s' began anew, and its first words are missing", b->agent);
    }
    if (memcmp(last->sha256, next->sha256, 32) == 0) {
        return dr_err_set(err, DR_E_EXISTS, "the attestation is there already");
    }
    if (b->counter > a->counter + 1) {
        return dr_err_set(err, DR_E_COUNTER_GAP, "attestations of agent '%s' are missing",
                          b->agent);
    }
    if (b->counter <= a->counter || !dr_data_is(b->previous_sha256, last->sha256)) {
        return dr_err_set(err, DR_E_COUNTER_REUSED,
                          "agent '%s' signed different attestations under one number", b->agent);
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------ sign-offs

static enum dr_rc
check_signoff(const Drover__V1__Signoff *msg, struct dr_err *err)
{
    bool is_freeze = msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE;
    bool is_lift = msg->kind == DROVER__V1__SIGNOFF_KIND__LIFT;
    bool is_item = msg->kind == DROVER__V1__SIGNOFF_KIND__ITEM;
    if (msg->kind == DROVER__V1__SIGNOFF_KIND__SIGNOFF_NONE || msg->time < 1 ||
        (msg->expires != 0 && msg->expires <= msg->time) ||
        (!dr_name_is_valid(msg->environment) && !(is_freeze && msg->environment[0] == '\0')) ||
        (!is_freeze && !is_lift && msg->plan_sha256.len != 32) ||
        (is_item && msg->item[0] == '\0') || (is_lift && msg->seen_sha256.len != 32)) {
        return dr_err_set(err, DR_E_BAD_EVIDENCE, "the sign-off lacks what its kind needs");
    }
    return DR_OK;
}

enum dr_rc
dr_signoff_build(struct dr_arena *arena, Drover__V1__Signoff msg, const struct dr_key *key,
                 struct dr_bytes *out, uint8_t out_sha256[32], struct dr_err *err)
{
    uint8_t random[16];
    struct dr_bytes payload;
    if (msg.signoff_id.len == 0) {
        dr_random(random, sizeof(random));
        msg.signoff_id = dr_data(random, sizeof(random));
    }
    DR_TRY(check_signoff(&msg, err));
    DR_TRY(dr_strict_encode(arena, &msg.base, &payload, err));
    DR_TRY(dr_envelope_sign(arena, DR_TYPE_SIGNOFF, payload, key, out, err));
    dr_sha256(payload, out_sha256);
    return DR_OK;
}

enum dr_rc
dr_signoff_load(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                struct dr_bytes wire, struct dr_signoff *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_signoff signoff = {0};
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_SIGNOFF, &envelope, err));
    DR_TRY(dr_quorum_count(arena, root->msg, NULL, &envelope, &signoff.signers, err));
    if (signoff.signers.n < 1) {
        return dr_err_set(err, DR_E_QUORUM, "nobody of the root signed the sign-off");
    }
    DR_TRY(
        dr_strict_decode(arena, &drover__v1__signoff__descriptor, envelope.payload, &message, err));
    signoff.msg = (const Drover__V1__Signoff *)message;
    DR_TRY(check_signoff(signoff.msg, err));
    if (!dr_data_eq(signoff.msg->cluster_id, root->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the sign-off is of another cluster");
    }
    if (signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__LIFT) {
        const Drover__V1__Role *role = dr_root_approvers(root->msg, environment);
        if (!role || strcmp(signoff.msg->environment, environment) != 0) {
            return dr_err_set(err, DR_E_WRONG_ENVIRONMENT, "the lift is for '%s', not for '%s'",
                              signoff.msg->environment, environment);
        }
        DR_TRY(dr_quorum_check(arena, root->msg, role, "the environment's approvers", &envelope,
                               &signoff.signers, err));
    }
    signoff.wire = envelope.wire;
    memcpy(signoff.sha256, envelope.sha256, 32);
    *out = signoff;
    return DR_OK;
}

// A stop's row: which code it gives and whom it concerns.
static enum dr_rc
stop_code(const Drover__V1__Signoff *msg, const char *environment, const uint8_t plan_sha256[32],
          int64_t not_before)
{
    bool is_here = strcmp(msg->environment, environment) == 0;
    bool is_plan = is_here && dr_data_is(msg->plan_sha256, plan_sha256);
    switch (msg->kind) {
    case DROVER__V1__SIGNOFF_KIND__VETO:
        return is_plan ? DR_E_VETOED : DR_OK;
    case DROVER__V1__SIGNOFF_KIND__CANCEL:
        // Two people's clocks: who cancels after an approval may seem to have done it before.
        return is_plan && not_before <= msg->time + DR_CLOCK_SKEW_S ? DR_E_CANCELLED : DR_OK;
    case DROVER__V1__SIGNOFF_KIND__FREEZE:
        return is_here || msg->environment[0] == '\0' ? DR_E_FROZEN : DR_OK;
    default:
        return DR_OK;
    }
}

static bool
is_lifted(const struct dr_signoff *signoffs, size_t n_signoffs, const uint8_t sha256[32],
          const char *environment, int64_t now)
{
    for (size_t i = 0; i < n_signoffs; i++) {
        const Drover__V1__Signoff *msg = signoffs[i].msg;
        bool is_over = msg->expires != 0 && msg->expires <= now;
        if (msg->kind == DROVER__V1__SIGNOFF_KIND__LIFT && !is_over &&
            dr_data_is(msg->seen_sha256, sha256) && strcmp(msg->environment, environment) == 0) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_signoff_check_stops(const struct dr_root *root, const struct dr_signoff *signoffs,
                       size_t n_signoffs, const char *environment, const uint8_t plan_sha256[32],
                       int64_t not_before, int64_t now, struct dr_err *err)
{
    for (size_t i = 0; i < n_signoffs; i++) {
        const struct dr_signoff *stop = &signoffs[i];
        enum dr_rc rc = stop_code(stop->msg, environment, plan_sha256, not_before);
        bool is_over = stop->msg->expires != 0 && stop->msg->expires <= now;
        if (rc == DR_OK || is_over ||
            is_lifted(signoffs, n_signoffs, stop->sha256, environment, now)) {
            continue;
        }
        size_t person = 0;
        while (!stop->signers.signed_by[person]) {
            person++;
        }
        return dr_err_set(err, rc, "'%s' stopped this: %s", root->msg->people[person]->name,
                          stop->msg->note[0] ? stop->msg->note : "no reason given");
    }
    return DR_OK;
}

const Drover__V1__ProbeResult *
dr_attest_probe(const Drover__V1__Attestation *msg, const char *name)
{
    for (size_t i = 0; i < msg->n_probes; i++) {
        if (strcmp(msg->probes[i]->name, name) == 0) {
            return msg->probes[i];
        }
    }
    return NULL;
}
