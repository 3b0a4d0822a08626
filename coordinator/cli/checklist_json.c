// The checklist's items with their evidence, for programs.

#include "coordinator/cli/checklist_show.h"
#include "coordinator/cli/print.h"

#include <string.h>

static json_t *
attestation_json(const struct dr_attestation *one)
{
    const ProtobufCEnumValue *kind = protobuf_c_enum_descriptor_get_value(
        &drover__v1__attestation_kind__descriptor, (int)one->msg->kind);
    json_t *heads = json_array(), *probes = json_object();
    char hex[65];
    dr_hex(hex, one->sha256, 32);
    for (size_t i = 0; i < one->msg->n_heads; i++) {
        json_array_append_new(heads, json_string(one->msg->heads[i]->id));
    }
    for (size_t i = 0; i < one->msg->n_probes; i++) {
        json_object_set_new(probes, one->msg->probes[i]->name,
                            json_string(one->msg->probes[i]->value));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "sha256", hex, "kind",
                     kind != NULL ? kind->name : "?", "target", one->msg->target, "agent",
                     one->msg->agent, "time", (json_int_t)one->msg->time, "heads", heads, "probes",
                     probes);
}

static json_t *
signoff_json(const struct dr_stage *s, const struct dr_signoff *one)
{
    const Drover__V1__Root *root = s->remote->trust->root.msg;
    json_t *people = json_array();
    char hex[65];
    dr_hex(hex, one->sha256, 32);
    for (size_t p = 0; p < root->n_people && p < DR_PEOPLE_MAX; p++) {
        if (one->signers.signed_by[p]) {
            json_array_append_new(people, json_string(root->people[p]->name));
        }
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:s}", "sha256", hex, "kind", "SIGNOFF", "signers",
                     people, "time", (json_int_t)one->msg->time, "note", one->msg->note);
}

static bool
has_document(const json_t *list, const uint8_t sha256[32])
{
    char hex[65];
    dr_hex(hex, sha256, 32);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (dr_str_eq(json_string_value(json_object_get(json_array_get(list, i), "sha256")), hex)) {
            return true;
        }
    }
    return false;
}

// Each document once, though several targets may have the same.
static void
add_documents(const struct dr_stage *s, const struct dr_gate_result *r, json_t *list)
{
    for (size_t e = 0; e < r->n_evidence; e++) {
        if (has_document(list, r->evidence[e])) {
            continue;
        }
        for (size_t i = 0; i < s->n_evidence; i++) {
            if (memcmp(s->evidence[i].sha256, r->evidence[e], 32) == 0) {
                json_array_append_new(list, attestation_json(&s->evidence[i]));
                break;
            }
        }
        for (size_t i = 0; i < s->n_signoffs; i++) {
            if (memcmp(s->signoffs[i].sha256, r->evidence[e], 32) == 0) {
                json_array_append_new(list, signoff_json(s, &s->signoffs[i]));
                break;
            }
        }
    }
}

json_t *
dr_checklist_json(const struct dr_stage *s, const struct dr_stage_gate *gate, size_t index)
{
    bool is_signed = gate->gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    json_t *documents = json_array();
    for (size_t t = 0; t < s->n_targets; t++) {
        if (index < s->targets[t].n_gates) {
            add_documents(s, &s->targets[t].gates[index], documents);
        }
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:o}", "environment",
                     s->said->environment, "item", dr_gate_name(gate->gate), "subject",
                     gate->gate->item, "shownBy", is_signed ? "person" : "machine", "open",
                     gate->is_open, "after", gate->is_after, "text", gate->text ? gate->text : "",
                     "next", gate->next ? gate->next : "", "documents", documents);
}
