// Lists of verified attestations and sign-offs, each once.
#include "trust/gate.h"

#include "trust/try.h"

#include <string.h>

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){data.data, data.len};
}

enum dr_rc
dr_gate_load_evidence(struct dr_arena *arena, const struct dr_fleet *fleet,
                      const struct dr_fleet_entry *entries, size_t n_entries,
                      const ProtobufCBinaryData *wires, size_t n_wires, bool skip_bad,
                      struct dr_attestation **out, size_t *out_n, struct dr_err *err)
{
    struct dr_attestation *list = dr_arena_array(arena, n_wires, sizeof(*list));
    size_t n = 0;
    if (!list) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu attestations", n_wires);
    }
    for (size_t i = 0; i < n_wires; i++) {
        enum dr_rc rc =
            dr_attest_load(arena, fleet, entries, n_entries, bytes_of(wires[i]), &list[n], err);
        bool is_new = rc == DR_OK;
        for (size_t k = 0; is_new && k < n; k++) {
            is_new = memcmp(list[k].sha256, list[n].sha256, 32) != 0;
        }
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
