// Drift, for people and programs.

#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"

#include "trust/envelope.h"

#define READY_SHOWN_MAX 20u // objects of one target that an approval shows

const struct dr_attestation *
dr_drift_of(const struct dr_words *words, const char *target)
{
    const struct dr_attestation *word =
        dr_words_newest(words, target, DROVER__V1__ATTESTATION_KIND__DRIFT);
    bool is_there =
        word != NULL && (word->msg->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_DRIFT) != 0;
    return is_there ? word : NULL;
}

int64_t
dr_drift_since(const struct dr_attestation *drift)
{
    return drift == NULL ? 0 : drift->msg->started > 0 ? drift->msg->started : drift->msg->time;
}

const char *
dr_drift_state(const struct dr_cli *cli, const char *state, const struct dr_attestation *drift)
{
    const char *age = dr_print_age(cli, dr_drift_since(drift));
    bool is_ok = dr_str_eq(state, "ok");
    const char *text =
        dr_arena_printf(cli->arena, "%s%sdrift %s", is_ok ? "" : state, is_ok ? "" : ", ", age);
    return text == NULL ? state : text;
}

void
dr_drift_print(const struct dr_cli *cli, const Drover__V1__Attestation *drift, const char *indent,
               size_t max)
{
    size_t shown = drift->n_objects < max ? drift->n_objects : max;
    for (size_t i = 0; i < shown; i++) {
        dr_say(cli, "%s%s\n", indent, drift->objects[i]);
    }
    if (drift->objects_count > shown) {
        dr_say(cli, "%s... and %zu more\n", indent, (size_t)drift->objects_count - shown);
    }
    if (drift->n_objects == 0 && drift->detail[0] != '\0') {
        dr_say(cli, "%s%s\n", indent, drift->detail);
    }
}

static json_t *
digest_json(ProtobufCBinaryData digest)
{
    char hex[65] = "";
    if (digest.len == 32) {
        dr_hex(hex, digest.data, 32);
    }
    return json_string(hex);
}

json_t *
dr_drift_json(const char *target, const struct dr_attestation *drift)
{
    json_t *objects = json_array();
    const Drover__V1__Attestation none = DROVER__V1__ATTESTATION__INIT;
    const Drover__V1__Attestation *m = drift == NULL ? &none : drift->msg;
    for (size_t i = 0; i < m->n_objects; i++) {
        json_array_append_new(objects, json_string(m->objects[i]));
    }
    return json_pack("{s:s, s:b, s:I, s:o, s:I, s:o, s:o, s:o, s:s}", "target", target, "isDrift",
                     drift != NULL, "since", (json_int_t)dr_drift_since(drift), "objects", objects,
                     "objectsCount", (json_int_t)m->objects_count, "fingerprint",
                     digest_json(m->fingerprint), "fingerprintBefore",
                     digest_json(m->fingerprint_before), "difference",
                     digest_json(m->difference_sha256), "detail", m->detail);
}

// The newest words of an environment's targets about drift, verified.
static enum dr_rc
load(struct dr_remote *remote, const char *environment, struct dr_words *out, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__StatusReply found = DROVER__V1__STATUS_REPLY__INIT;
    char kind[] = DR_TYPE_ATTESTATION;
    request.kind = kind;
    request.environment = dr_arena_str(remote->cli->arena, environment);
    request.subkinds = 1u << DROVER__V1__ATTESTATION_KIND__DRIFT;
    request.latest = true;
    if (request.environment == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc =
        dr_remote_list(remote, request, &found.attestations, &found.n_attestations, err);
    return rc == DR_OK ? dr_words_load(remote, &found, out, err) : rc;
}

void
dr_drift_of_ready(struct dr_remote *remote, const Drover__V1__Attestation *ready)
{
    struct dr_words words = {0};
    struct dr_err ignored = {0}; // the flag alone is told then
    if ((ready->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_DRIFT) == 0 ||
        load(remote, ready->environment, &words, &ignored) != DR_OK) {
        return;
    }
    const struct dr_attestation *drift = dr_drift_of(&words, ready->target);
    if (drift != NULL && dr_data_eq(drift->msg->fingerprint, ready->fingerprint)) {
        dr_say(remote->cli, "    drift on %s, for %s:\n", ready->target,
               dr_print_age(remote->cli, dr_drift_since(drift)));
        dr_drift_print(remote->cli, drift->msg, "      ", READY_SHOWN_MAX);
    }
}
