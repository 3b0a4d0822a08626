// Lists of verified attestations and sign-offs, each once.
#include "trust/gate.h"

#include "trust/try.h"

#include <string.h>

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){data.data, data.len};
}

// Which attestations are in the list: a table of places + 1 by the digest's first bytes, less than
// half full.
struct seen {
    uint32_t *places;
    size_t mask;
};

// Is the last one, number `n`, not there before?
static bool
note_new(struct seen *seen, const struct dr_attestation *list, size_t n)
{
    uint32_t hash;
    memcpy(&hash, list[n].sha256, sizeof(hash));
    size_t at = hash & seen->mask;
    while (seen->places[at] != 0) {
        if (memcmp(list[seen->places[at] - 1].sha256, list[n].sha256, 32) == 0) {
            return false;
        }
        at = (at + 1) & seen->mask;
    }
    seen->places[at] = (uint32_t)n + 1;
    return true;
}

enum dr_rc
dr_gate_load_evidence(struct dr_arena *arena, const struct dr_fleet *fleet,
                      const struct dr_fleet_entry *entries, size_t n_entries,
                      const ProtobufCBinaryData *wires, size_t n_wires, bool skip_bad,
                      struct dr_attestation **out, size_t *out_n, struct dr_err *err)
{
    struct dr_attestation *list = dr_arena_array(arena, n_wires, sizeof(*list));
    size_t n = 0;
    struct seen seen = {.mask = 1};
    while (seen.mask < 2 * n_wires) {
        seen.mask = 2 * seen.mask + 1;
    }
    seen.places = dr_arena_array(arena, seen.mask + 1, sizeof(*seen.places));
    if (!list || !seen.places) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu attestations", n_wires);
    }
    for (size_t i = 0; i < n_wires; i++) {
        enum dr_rc rc =
            dr_attest_load(arena, fleet, entries, n_entries, bytes_of(wires[i]), &list[n], err);
        bool is_new = rc == DR_OK && note_new(&seen, list, n);
        if (rc != DR_OK && !skip_bad) {
            return dr_err_set(err, DR_E_BAD_EVIDENCE, "attestation %zu does not verify", i + 1);
        }
        n += is_new;
    }
    *out = list;
    *out_n = n;
    return DR_OK;
}

enum dr_rc
dr_gate_load_signoffs(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                      const ProtobufCBinaryData *wires, size_t n_wires, bool skip_bad,
                      struct dr_signoff **out, size_t *out_n, struct dr_err *err)
{
    struct dr_signoff *list = dr_arena_array(arena, n_wires, sizeof(*list));
    size_t n = 0;
    if (!list) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu sign-offs", n_wires);
    }
    for (size_t i = 0; i < n_wires; i++) {
        enum dr_rc rc =
            dr_signoff_load(arena, root, environment, bytes_of(wires[i]), &list[n], err);
        if (rc != DR_OK && !skip_bad) {
            return dr_err_set(err, DR_E_BAD_EVIDENCE, "sign-off %zu does not verify", i + 1);
        }
        n += rc == DR_OK;
    }
    *out = list;
    *out_n = n;
    return DR_OK;
}
