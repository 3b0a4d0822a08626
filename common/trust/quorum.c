// Each person counts once, whichever keys sign; a key belongs to one person only (root.c sees to
// that).
#include "trust/quorum.h"

#include "trust/root.h"
#include "trust/try.h"

#include <string.h>

// The person whose key made `sig`; -1 when it is nobody's valid signature.
static int
signer_of(const Drover__V1__Root *root, const struct dr_signature *sig, struct dr_bytes pae)
{
    for (size_t i = 0; i < root->n_people; i++) {
        const Drover__V1__Person *person = root->people[i];
        for (size_t k = 0; k < person->n_keys; k++) {
            if (dr_envelope_sig_is_valid(sig, person->keys[k]->public_key.data, pae)) {
                return (int)i;
            }
        }
    }
    return -1;
}

enum dr_rc
dr_quorum_count(struct dr_arena *arena, const Drover__V1__Root *root, const Drover__V1__Role *role,
                const struct dr_envelope *envelope, struct dr_signers *out, struct dr_err *err)
{
    struct dr_signers signers = {0};
    struct dr_bytes pae;
    DR_TRY(dr_envelope_pae(arena, envelope->type, envelope->payload, &pae, err));
    for (size_t i = 0; i < envelope->n_sigs; i++) {
        int person = signer_of(root, &envelope->sigs[i], pae);
        if (person >= 0 && (!role || dr_role_has(role, (uint32_t)person)) &&
            !signers.signed_by[person]) {
            signers.signed_by[person] = true;
            signers.n++;
        }
    }
    *out = signers;
    return DR_OK;
}

enum dr_rc
dr_quorum_check(struct dr_arena *arena, const Drover__V1__Root *root, const Drover__V1__Role *role,
                const char *role_name, const struct dr_envelope *envelope,
                struct dr_signers *out_or_null, struct dr_err *err)
{
    struct dr_signers signers;
    DR_TRY(dr_quorum_count(arena, root, role, envelope, &signers, err));
    // A threshold of 0 must never open anything (CVE-2026-23992).
    if (role->threshold < 1 || signers.n < role->threshold) {
        return dr_err_set(err, DR_E_QUORUM, "%u of %u signatures of %s", signers.n, role->threshold,
                          role_name);
    }
    if (out_or_null) {
        *out_or_null = signers;
    }
    return DR_OK;
}

enum dr_rc
dr_quorum_prune(struct dr_arena *arena, const Drover__V1__Root *root,
                const struct dr_envelope *envelope, struct dr_bytes *out, struct dr_err *err)
{
    struct dr_signature kept[DR_ENVELOPE_SIGS_MAX];
    char type[DR_ENVELOPE_TYPE_MAX + 1] = {0};
    size_t n = 0;
    struct dr_bytes pae;
    DR_TRY(dr_envelope_pae(arena, envelope->type, envelope->payload, &pae, err));
    memcpy(type, envelope->type.data, envelope->type.len);
    for (size_t i = 0; i < envelope->n_sigs; i++) {
        if (signer_of(root, &envelope->sigs[i], pae) >= 0) {
            kept[n++] = envelope->sigs[i];
        }
    }
    return dr_envelope_build(arena, type, envelope->payload, kept, n, out, err);
}
