// Verified: the digests of whole envelopes, in a hash table.
#include "coordinator/core/verified.h"

#include "trust/try.h"

#include <stdlib.h>
#include <string.h>

// An envelope by its digest: in the core's table, or in that of one list.
struct dr_verified {
    UT_hash_handle hh;
    uint8_t sha256[32];
};

static struct dr_verified *
find(struct dr_verified *table, const uint8_t sha256[32])
{
    struct dr_verified *found = NULL;

    HASH_FIND(hh, table, sha256, 32, found);
    return found;
}

// Without memory it is verified again the next time.
static void
remember(struct dr_core *core, const uint8_t sha256[32])
{
    if (HASH_COUNT(core->verified) >= DR_VERIFIED_MAX) {
        dr_verified_forget(core);
    }
    struct dr_verified *row = calloc(1, sizeof *row);
    if (row != NULL) {
        memcpy(row->sha256, sha256, 32);
        HASH_ADD(hh, core->verified, sha256, 32, row);
    }
}

enum dr_rc
dr_verified_attestation(struct dr_core *core, struct dr_arena *arena, struct dr_bytes wire,
                        struct dr_attestation *out, struct dr_err *err)
{
    const struct dr_trust *trust = core->trust;
    uint8_t sha256[32];

    dr_sha256(wire, sha256);
    if (find(core->verified, sha256) != NULL) {
        DR_TRY(dr_attest_decode(arena, wire, false, out, err));
        out->entry = dr_fleet_target(trust->entries, trust->n_entries, out->msg->target);
        return DR_OK;
    }
    DR_TRY(dr_attest_load(arena, &trust->fleet, trust->entries, trust->n_entries, wire, out, err));
    remember(core, sha256);
    return DR_OK;
}

enum dr_rc
dr_verified_evidence(struct dr_core *core, struct dr_arena *arena, const ProtobufCBinaryData *wires,
                     size_t n_wires, struct dr_attestation **out, size_t *out_n, struct dr_err *err)
{
    struct dr_attestation *list = dr_arena_array(arena, n_wires + 1, sizeof *list);
    struct dr_verified *rows = dr_arena_array(arena, n_wires + 1, sizeof *rows);
    struct dr_verified *seen = NULL;
    size_t n = 0;

    if (list == NULL || rows == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu attestations", n_wires);
    }
    for (size_t i = 0; i < n_wires; i++) {
        struct dr_err ignored = {0};
        const struct dr_bytes wire = {wires[i].data, wires[i].len};

        if (dr_verified_attestation(core, arena, wire, &list[n], &ignored) == DR_OK &&
            find(seen, list[n].sha256) == NULL) {
            struct dr_verified *row = &rows[n];

            memcpy(row->sha256, list[n++].sha256, 32);
            HASH_ADD(hh, seen, sha256, 32, row);
        }
    }
    HASH_CLEAR(hh, seen);
    *out = list;
    *out_n = n;
    return DR_OK;
}

void
dr_verified_forget(struct dr_core *core)
{
    struct dr_verified *row = core->verified;

    HASH_CLEAR(hh, core->verified);
    while (row != NULL) {
        struct dr_verified *next = row->hh.next;

        free(row);
        row = next;
    }
}
