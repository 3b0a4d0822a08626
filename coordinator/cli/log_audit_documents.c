// The signatures of one document, under what was in force at its place in the log. What the log
// says of a document (how many have signed, whom it concerns) has to be what the document says.
#include "coordinator/cli/log_audit_inner.h"

#include "base/str.h"
#include "trust/approval.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORCE_MAX (512u << 20)

// One document on its way through the checks.
struct check {
    struct dr_arena *arena, *scratch;
    struct dr_log_force *force;
    struct dr_log_numbers *numbers;
    const Drover__V1__LogEntry *entry;
    const Drover__V1__Document *document;
    struct dr_envelope envelope;
    uint32_t said, needed; // signatures, as the entry says
};

bool
dr_log_is_in_force(const Drover__V1__LogEntry *entry)
{
    // The second is what a coordinator finds in its folder when it starts.
    return dr_str_eq(entry->kind, "trust") ||
           (dr_str_eq(entry->kind, "document") && dr_str_eq(entry->subject, "trust"));
}

// "approval: 1 of 2 signatures"; anything else says that all is there.
static void
read_said(struct check *c)
{
    char words[3][24] = {"", "", ""};
    uint64_t said = 0, needed = 0;
    const char *colon = strrchr(c->entry->text, ':');
    c->said = c->needed = 1;
    if (colon != NULL && sscanf(colon, ": %23s %23s %23s", words[0], words[1], words[2]) == 3 &&
        dr_str_eq(words[1], "of") && dr_parse_u64(words[0], 0, UINT16_MAX, &said) &&
        dr_parse_u64(words[2], 1, UINT16_MAX, &needed)) {
        c->said = (uint32_t)said;
        c->needed = (uint32_t)needed;
    }
}

static bool
is_said_complete(const struct check *c)
{
    return c->said >= c->needed;
}

// Before it is complete: as many valid signatures of the role as the entry says.
static enum dr_rc
check_pending(const struct check *c, const Drover__V1__Role *role, struct dr_err *err)
{
    struct dr_signers signers;
    DR_TRY(dr_quorum_count(c->scratch, c->force->root.msg, role, &c->envelope, &signers, err));
    if (signers.n < c->said || signers.n < 1) {
        return dr_err_set(err, DR_E_QUORUM, "%u of the %u signatures that it speaks of are valid",
                          signers.n, c->said);
    }
    return DR_OK;
}

// Does the last word of the subject say whom the document concerns?
static enum dr_rc
check_subject(const struct check *c, const char *concerned, struct dr_err *err)
{
    const char *subject = c->entry->subject;
    size_t len = strlen(subject), want = strlen(concerned);
    bool ends = len >= want && strcmp(subject + len - want, concerned) == 0 &&
                (len == want || want == 0 || subject[len - want - 1] == ' ');
    return ends ? DR_OK
                : dr_err_set(err, DR_E_BAD_LOG, "its document is about '%.130s'", concerned);
}

static enum dr_rc
fresh_arena(struct dr_arena **out, struct dr_err *err)
{
    *out = dr_arena_new(FORCE_MAX);
    return *out != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// What was in force goes, what is in `*take` comes.
static void
replace_arena(struct dr_arena **held, struct dr_arena **take)
{
    dr_arena_free(held);
    *held = *take;
    *take = NULL;
}

// ---- root, fleet, chain

static bool
is_known_root(const struct dr_log_force *force, const uint8_t sha256[32])
{
    for (size_t i = 0; i < force->n_roots; i++) {
        if (memcmp(force->roots[i], sha256, 32) == 0) {
            return true;
        }
    }
    return false;
}

// The fleet held is looked at again: the new root may name other people.
static void
review_fleet(struct check *c)
{
    struct dr_fleet again;
    struct dr_err ignored = {0};
    c->force->is_fleet_good =
        c->force->fleet.msg != NULL &&
        dr_fleet_load(c->scratch, &c->force->root, c->force->fleet.wire, &again, &ignored) == DR_OK;
}

static enum dr_rc
check_root(struct check *c, struct dr_err *err)
{
    struct dr_log_force *force = c->force;
    struct dr_arena *arena = NULL;
    struct dr_root next;
    if (is_known_root(force, c->envelope.sha256)) {
        return DR_OK;
    }
    if (!dr_log_is_in_force(c->entry)) {
        return check_pending(c, force->root.msg->root, err);
    }
    DR_TRY(fresh_arena(&arena, err));
    enum dr_rc rc = dr_root_next(arena, &force->root, c->envelope.wire, &next, err);
    if (rc == DR_OK) {
        force->root = next;
        memcpy(force->roots[force->n_roots++], next.sha256, 32);
        replace_arena(&force->root_arena, &arena);
        review_fleet(c);
    }
    dr_arena_free(&arena);
    return rc;
}

static enum dr_rc
load_fleet(struct check *c, struct dr_arena *arena, struct dr_fleet *out,
           struct dr_fleet_entry **out_entries, struct dr_err *err)
{
    const struct dr_log_force *force = c->force;
    size_t n = c->document->n_parts;
    struct dr_bytes *leaves = dr_arena_array(c->scratch, n + 1, sizeof(*leaves));
    if (leaves == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a fleet of %zu entries is too large", n);
    }
    for (size_t i = 0; i < n; i++) {
        leaves[i] = (struct dr_bytes){c->document->parts[i].data, c->document->parts[i].len};
    }
    DR_TRY(dr_fleet_load(arena, &force->root, c->envelope.wire, out, err));
    if (force->fleet.msg != NULL) {
        DR_TRY(dr_fleet_follows(force->fleet.msg, force->fleet.sha256, out, err));
    }
    return dr_fleet_entries_check_next(arena, out, leaves, n, force->entries, force->n_entries,
                                       out_entries, err);
}

static enum dr_rc
check_fleet(struct check *c, struct dr_err *err)
{
    struct dr_log_force *force = c->force;
    struct dr_arena *arena = NULL;
    struct dr_fleet fleet;
    struct dr_fleet_entry *entries = NULL;
    if (!dr_log_is_in_force(c->entry)) {
        return check_pending(c, force->root.msg->fleet, err);
    }
    DR_TRY(fresh_arena(&arena, err));
    enum dr_rc rc = load_fleet(c, arena, &fleet, &entries, err);
    if (rc == DR_OK) {
        force->fleet = fleet;
        force->entries = entries;
        force->n_entries = c->document->n_parts;
        force->is_fleet_good = true;
        replace_arena(&force->fleet_arena, &arena);
    }
    dr_arena_free(&arena);
    return rc;
}

static enum dr_rc
check_chain(struct check *c, struct dr_err *err)
{
    struct dr_log_force *force = c->force;
    struct dr_arena *arena = NULL;
    struct dr_chain chain;
    if (!dr_log_is_in_force(c->entry)) {
        return check_pending(c, force->root.msg->reviewers, err);
    }
    DR_TRY(fresh_arena(&arena, err));
    enum dr_rc rc = dr_chain_load(arena, &force->root, c->envelope.wire, &chain, err);
    if (rc == DR_OK && force->chain.msg != NULL) {
        rc = dr_chain_follows(&force->chain, &chain, err);
    }
    if (rc == DR_OK) {
        force->chain = chain;
        replace_arena(&force->chain_arena, &arena);
    }
    dr_arena_free(&arena);
    return rc;
}

// ---- approvals, sign-offs, attestations

static enum dr_rc
check_approval(struct check *c, struct dr_err *err)
{
    struct dr_approval approval;
    Drover__V1__ApprovalLeaf **decoded = NULL;
    size_t n = c->document->n_parts;
    struct dr_bytes *leaves = dr_arena_array(c->scratch, n + 1, sizeof(*leaves));
    if (leaves == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "an approval of %zu leaves is too large", n);
    }
    for (size_t i = 0; i < n; i++) {
        leaves[i] = (struct dr_bytes){c->document->parts[i].data, c->document->parts[i].len};
    }
    DR_TRY(dr_approval_decode(c->scratch, c->envelope.wire, &approval, err));
    const char *environment = approval.msg->environment;
    DR_TRY(check_subject(c, environment, err));
    const Drover__V1__Role *role = dr_root_approvers(c->force->root.msg, environment);
    if (role == NULL) {
        return dr_err_set(err, DR_E_QUORUM, "the root names no approvers of '%s'", environment);
    }
    if (is_said_complete(c)) {
        DR_TRY(dr_approval_load(c->scratch, &c->force->root, environment, c->envelope.wire,
                                &approval, err));
    } else {
        DR_TRY(check_pending(c, role, err));
    }
    return dr_approval_leaves_check(c->scratch, &approval, leaves, n, &decoded, err);
}

static enum dr_rc
check_signoff(struct check *c, struct dr_err *err)
{
    struct dr_signoff signoff;
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(c->scratch, &drover__v1__signoff__descriptor, c->envelope.payload,
                            &message, err));
    const char *environment = ((const Drover__V1__Signoff *)(const void *)message)->environment;
    DR_TRY(check_subject(c, environment, err));
    const Drover__V1__Role *role = dr_root_approvers(c->force->root.msg, environment);
    if (!is_said_complete(c) && role != NULL) { // only a lift waits for more
        return check_pending(c, role, err);
    }
    return dr_signoff_load(c->scratch, &c->force->root, environment, c->envelope.wire, &signoff,
                           err);
}

static enum dr_rc
add_number(struct check *c, const struct dr_attestation *attestation, struct dr_err *err)
{
    const Drover__V1__Attestation *msg = attestation->msg;
    struct dr_log_numbers *numbers = c->numbers;
    if (numbers->n == numbers->cap) {
        size_t cap = numbers->cap == 0 ? 256 : 2 * numbers->cap;
        struct dr_log_number *grown = reallocarray(numbers->list, cap, sizeof(*grown));
        if (grown == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        numbers->list = grown;
        numbers->cap = cap;
    }
    struct dr_log_number *number = &numbers->list[numbers->n];
    *number = (struct dr_log_number){
        .agent = dr_arena_str(c->arena, msg->agent), .counter = msg->counter, .entry = c->entry};
    if (number->agent == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    memcpy(number->epoch, msg->epoch.data, sizeof(number->epoch));
    memcpy(number->sha256, attestation->sha256, 32);
    if (msg->previous_sha256.len == 32) {
        memcpy(number->previous, msg->previous_sha256.data, 32);
    }
    numbers->n++;
    return DR_OK;
}

static enum dr_rc
check_attestation(struct check *c, struct dr_err *err)
{
    struct dr_log_force *force = c->force;
    struct dr_attestation attestation;
    DR_TRY(dr_attest_decode(c->scratch, c->envelope.wire, false, &attestation, err));
    const Drover__V1__Attestation *msg = attestation.msg;
    const ProtobufCEnumValue *kind = protobuf_c_enum_descriptor_get_value(
        &drover__v1__attestation_kind__descriptor, (int)msg->kind);
    if (!force->is_fleet_good) {
        return dr_err_set(err, DR_E_NO_FLEET, "no fleet was in force");
    }
    const struct dr_fleet_entry *entry =
        dr_fleet_target(force->entries, force->n_entries, msg->target);
    if (entry == NULL) {
        return dr_err_set(err, DR_E_BAD_EVIDENCE, "fleet %" PRIu64 " has no target '%s'",
                          force->fleet.msg->version, msg->target);
    }
    DR_TRY(
        dr_attest_load(c->scratch, &force->fleet, entry, 1, c->envelope.wire, &attestation, err));
    DR_TRY(check_subject(c, msg->target, err));
    if (!dr_str_eq(c->entry->actor, msg->agent) ||
        strncmp(c->entry->text, kind->name, strlen(kind->name)) != 0) {
        return dr_err_set(err, DR_E_BAD_LOG, "its document is a %s of agent '%s'", kind->name,
                          msg->agent);
    }
    return add_number(c, &attestation, err);
}

static const struct {
    const char *type;
    enum dr_log_kind kind;
    enum dr_rc (*check)(struct check *c, struct dr_err *err);
} KINDS[] = {
    {DR_TYPE_ROOT, DR_LOG_ROOT, check_root},
    {DR_TYPE_FLEET, DR_LOG_FLEET, check_fleet},
    {DR_TYPE_CHAIN, DR_LOG_CHAIN, check_chain},
    {DR_TYPE_APPROVAL, DR_LOG_APPROVAL, check_approval},
    {DR_TYPE_ATTESTATION, DR_LOG_ATTESTATION, check_attestation},
    {DR_TYPE_SIGNOFF, DR_LOG_SIGNOFF, check_signoff},
};

enum dr_rc
dr_log_check_document(struct dr_arena *arena, struct dr_arena *scratch, struct dr_log_force *force,
                      struct dr_log_numbers *numbers, const Drover__V1__LogEntry *entry,
                      const Drover__V1__Document *document, enum dr_log_kind *out_kind,
                      struct dr_err *err)
{
    struct check c = {.arena = arena,
                      .scratch = scratch,
                      .force = force,
                      .numbers = numbers,
                      .entry = entry,
                      .document = document};
    DR_TRY(dr_envelope_parse((struct dr_bytes){document->envelope.data, document->envelope.len},
                             NULL, &c.envelope, err));
    if (memcmp(c.envelope.sha256, entry->document.data, 32) != 0) {
        return dr_err_set(err, DR_E_BAD_LOG, "its document is not the one that it names");
    }
    read_said(&c);
    for (size_t i = 0; i < DR_COUNT_OF(KINDS); i++) {
        if (c.envelope.type.len == strlen(KINDS[i].type) &&
            memcmp(c.envelope.type.data, KINDS[i].type, c.envelope.type.len) == 0) {
            DR_TRY(KINDS[i].check(&c, err));
            *out_kind = KINDS[i].kind;
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_WRONG_TYPE, "there is no such kind of document");
}
