// Root rules: TUF 1.0.34 section 5.3 (N+1 signed by N and by N+1), with people in the place of
// keys.
#include "trust/root.h"

#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <string.h>

static enum dr_rc
check_role(const Drover__V1__Root *root, const Drover__V1__Role *role, const char *name,
           struct dr_err *err)
{
    if (!role || role->threshold < 1 || role->threshold > role->n_people) {
        return dr_err_set(err, DR_E_BAD_ROOT,
                          "role '%s' needs a threshold between 1 and the number of its people",
                          name);
    }
    for (size_t i = 0; i < role->n_people; i++) {
        if (role->people[i] >= root->n_people ||
            (i > 0 && role->people[i] <= role->people[i - 1])) {
            return dr_err_set(err, DR_E_BAD_ROOT, "role '%s' does not name its people in order",
                              name);
        }
    }
    return DR_OK;
}

// How many of the root's signing keys and transport keys equal `key`.
static size_t
count_key(const Drover__V1__Root *root, ProtobufCBinaryData key)
{
    size_t n = 0;
    for (size_t i = 0; i < root->n_people; i++) {
        const Drover__V1__Person *person = root->people[i];
        n += dr_data_eq(person->transport_key, key);
        for (size_t k = 0; k < person->n_keys; k++) {
            n += dr_data_eq(person->keys[k]->public_key, key);
        }
    }
    return n;
}

static enum dr_rc
check_person(const Drover__V1__Root *root, size_t index, struct dr_err *err)
{
    const Drover__V1__Person *person = root->people[index];
    if (!dr_name_is_valid(person->name) || dr_root_person_index(root, person->name) != (int)index ||
        person->n_keys == 0) {
        return dr_err_set(err, DR_E_BAD_ROOT,
                          "person %zu needs a name of a-z 0-9 . _ - of their own, and a key",
                          index + 1);
    }
    for (size_t k = 0; k < person->n_keys; k++) {
        const Drover__V1__PersonKey *key = person->keys[k];
        if (key->public_key.len != DR_KEY_SIZE || !dr_signing_key_is_sane(key->public_key.data) ||
            key->kind == DROVER__V1__KEY_KIND__KEY_KIND_NONE) {
            return dr_err_set(err, DR_E_BAD_ROOT, "a key of '%s' is not an Ed25519 key",
                              person->name);
        }
        if (count_key(root, key->public_key) != 1) {
            return dr_err_set(err, DR_E_BAD_ROOT, "a key of '%s' stands there twice", person->name);
        }
    }
    if (person->transport_key.len > 0 && count_key(root, person->transport_key) != 1) {
        return dr_err_set(err, DR_E_BAD_ROOT, "the transport key of '%s' stands there twice",
                          person->name);
    }
    return DR_OK;
}

enum dr_rc
dr_root_check(const Drover__V1__Root *root, struct dr_err *err)
{
    if (root->version < 1 || root->version == UINT64_MAX || root->issued < 0 ||
        root->expires <= root->issued || root->n_people == 0 || root->n_people > DR_PEOPLE_MAX ||
        root->cluster_id.len != DR_CLUSTER_ID_SIZE) {
        return dr_err_set(err, DR_E_BAD_ROOT,
                          "a root needs a cluster id, a version from 1, an expiry after its issue "
                          "and people");
    }
    for (size_t i = 0; i < root->n_people; i++) {
        DR_TRY(check_person(root, i, err));
    }
    DR_TRY(check_role(root, root->root, "root", err));
    DR_TRY(check_role(root, root->fleet, "fleet", err));
    DR_TRY(check_role(root, root->reviewers, "reviewers", err));
    for (size_t i = 0; i < root->n_approvers; i++) {
        const char *name = root->approvers[i]->environment;
        if (!dr_name_is_valid(name) ||
            (i > 0 && strcmp(root->approvers[i - 1]->environment, name) >= 0)) {
            return dr_err_set(err, DR_E_BAD_ROOT, "the environments do not stand in order");
        }
        DR_TRY(check_role(root, root->approvers[i]->role, name, err));
    }
    return DR_OK;
}

// Copies and parses, counts the quorum under `signers_of` (NULL: the root's own), then decodes:
// what was verified is what is used.
static enum dr_rc
load(struct dr_arena *arena, const Drover__V1__Root *signers_of, struct dr_bytes wire,
     struct dr_root *out, struct dr_err *err)
{
    struct dr_root root = {0};
    struct dr_envelope envelope;
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_ROOT, &envelope, err));
    root.wire = envelope.wire;
    if (signers_of) {
        DR_TRY(dr_quorum_check(arena, signers_of, signers_of->root, "the old root", &envelope, NULL,
                               err));
    }
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__root__descriptor, envelope.payload, &message, err));
    root.msg = (const Drover__V1__Root *)message;
    DR_TRY(dr_root_check(root.msg, err));
    DR_TRY(dr_quorum_check(arena, root.msg, root.msg->root, "the new root", &envelope, NULL, err));
    memcpy(root.sha256, envelope.sha256, 32);
    dr_sha256(root.wire, root.file_sha256);
    *out = root;
    return DR_OK;
}

enum dr_rc
dr_root_first(struct dr_arena *arena, struct dr_bytes wire, const uint8_t pinned[32],
              struct dr_root *out, struct dr_err *err)
{
    uint8_t found[32];
    char hex[65];
    dr_sha256(wire, found);
    if (pinned && memcmp(found, pinned, 32) != 0) {
        dr_hex(hex, found, 32);
        return dr_err_set(err, DR_E_NOT_PINNED, "the root file's SHA-256 is %s, another is pinned",
                          hex);
    }
    return load(arena, NULL, wire, out, err);
}

enum dr_rc
dr_root_next(struct dr_arena *arena, const struct dr_root *current, struct dr_bytes wire,
             struct dr_root *out, struct dr_err *err)
{
    struct dr_root next;
    struct dr_envelope envelope;
    const Drover__V1__Root *held = current->msg;
    DR_TRY(dr_envelope_parse(wire, DR_TYPE_ROOT, &envelope, err));
    if (memcmp(envelope.sha256, current->sha256, 32) == 0) {
        return dr_err_set(err, DR_E_EXISTS, "root %" PRIu64 " is held already", held->version);
    }
    DR_TRY(load(arena, held, wire, &next, err));
    if (!dr_data_eq(next.msg->cluster_id, held->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the root is of another cluster");
    }
    if (next.msg->version != held->version + 1) {
        enum dr_rc rc = next.msg->version == held->version  ? DR_E_EQUIVOCATION
                        : next.msg->version < held->version ? DR_E_ROLLBACK
                                                            : DR_E_FAST_FORWARD;
        return dr_err_set(err, rc, "root %" PRIu64 " cannot follow root %" PRIu64,
                          next.msg->version, held->version);
    }
    *out = next;
    return DR_OK;
}

enum dr_rc
dr_root_check_time(const Drover__V1__Root *root, int64_t now, struct dr_err *err)
{
    char when[32];
    dr_format_time(when, root->expires);
    return now < root->expires ? DR_OK
                               : dr_err_set(err, DR_E_FREEZE_ROOT, "root %" PRIu64 " expired at %s",
                                            root->version, when);
}

const Drover__V1__Role *
dr_root_approvers(const Drover__V1__Root *root, const char *environment)
{
    for (size_t i = 0; i < root->n_approvers; i++) {
        if (strcmp(root->approvers[i]->environment, environment) == 0) {
            return root->approvers[i]->role;
        }
    }
    return NULL;
}

const Drover__V1__Person *
dr_root_person_by_transport(const Drover__V1__Root *root, const uint8_t key[32])
{
    for (size_t i = 0; i < root->n_people; i++) {
        if (dr_data_is(root->people[i]->transport_key, key)) {
            return root->people[i];
        }
    }
    return NULL;
}

const Drover__V1__Person *
dr_root_person_by_signing(const Drover__V1__Root *root, const uint8_t key[32])
{
    for (size_t i = 0; i < root->n_people; i++) {
        for (size_t k = 0; k < root->people[i]->n_keys; k++) {
            if (dr_data_is(root->people[i]->keys[k]->public_key, key)) {
                return root->people[i];
            }
        }
    }
    return NULL;
}

int
dr_root_person_index(const Drover__V1__Root *root, const char *name)
{
    for (size_t i = 0; i < root->n_people; i++) {
        if (strcmp(root->people[i]->name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool
dr_role_has(const Drover__V1__Role *role, uint32_t person)
{
    for (size_t i = 0; i < role->n_people; i++) {
        if (role->people[i] == person) {
            return true;
        }
    }
    return false;
}
