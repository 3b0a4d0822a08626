// Evidence for people: what a gate counts, document by document.

#include "coordinator/cli/checklist_show.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"

#include "base/clock.h"
#include "trust/strict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCES_MAX 40u // objects of one target that are shown

static const char *
kind_name(Drover__V1__AttestationKind kind)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&drover__v1__attestation_kind__descriptor, (int)kind);
    return value != NULL ? value->name : "?";
}

// ---- the log

// Where the stage's evidence comes from.
static bool
is_source(const struct dr_stage *s, const char *environment)
{
    const Drover__V1__Environment *policy = s->policy->msg->environment;
    bool has_source = false;
    for (size_t i = 0; i < policy->n_gates; i++) {
        const char *from = policy->gates[i]->from_environment;
        has_source = has_source || from[0] != '\0';
        if (from[0] != '\0' && dr_str_eq(from, environment)) {
            return true;
        }
    }
    return !has_source && dr_str_eq(policy->name, environment);
}

static bool
is_run(const struct dr_stage *s, const Drover__V1__Attestation *msg)
{
    bool is_ours = false;
    for (size_t i = 0; i < s->n_plans; i++) {
        is_ours = is_ours || dr_data_eq(s->plans[i].named->plan_sha256, msg->plan_sha256);
    }
    return is_ours && is_source(s, msg->environment) &&
           (msg->kind == DROVER__V1__ATTESTATION_KIND__APPLIED ||
            msg->kind == DROVER__V1__ATTESTATION_KIND__REVERTED ||
            msg->kind == DROVER__V1__ATTESTATION_KIND__FAILED);
}

static int
by_time(const void *a, const void *b)
{
    const struct dr_attestation *const *left = a, *const *right = b;
    if ((*left)->msg->time != (*right)->msg->time) {
        return (*left)->msg->time < (*right)->msg->time ? -1 : 1;
    }
    int order = strcmp((*left)->msg->target, (*right)->msg->target);
    if (order == 0) {
        order = ((*left)->msg->counter > (*right)->msg->counter) -
                ((*left)->msg->counter < (*right)->msg->counter);
    }
    return order != 0 ? order : memcmp((*left)->sha256, (*right)->sha256, 32);
}

static void
put_text(const char *text, struct dr_buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        dr_buf_printf(out, "%c", (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    }
}

static void
put_run(const struct dr_stage *s, const struct dr_attestation *run, struct dr_buf *out)
{
    const Drover__V1__Attestation *msg = run->msg;
    char when[32], hex[65];
    dr_format_time(when, msg->time);
    dr_hex(hex, run->sha256, 32);
    dr_buf_printf(out, "%s %s %s, agent %s, %" PRIu32 " ms, sha256 %s\n", when, msg->target,
                  kind_name(msg->kind), msg->agent, msg->duration_ms, hex);
    if (msg->code[0] != '\0') {
        dr_buf_printf(out, "    %s: ", msg->code);
        put_text(msg->detail, out);
        dr_buf_str(out, "\n");
    }
    for (size_t i = 0; i < msg->n_units; i++) {
        const Drover__V1__UnitProof *unit = msg->units[i];
        char id[17];
        dr_hex(id, unit->revision_digest.data, unit->revision_digest.len < 8 ? 0 : 8);
        const char *name = id;
        for (size_t p = 0; p < s->n_plans; p++) {
            for (size_t r = 0; r < s->plans[p].plan->n_revisions; r++) {
                const Drover__V1__PlanRevision *revision = s->plans[p].plan->revisions[r];
                name = dr_data_eq(revision->digest, unit->revision_digest) ? revision->id : name;
            }
        }
        dr_format_time(when, unit->finished);
        dr_buf_printf(out, "    %s %s %s%s", when, name,
                      unit->mode == DROVER__V1__MODE__DOWN ? "down" : "up",
                      unit->leaks[0] != '\0' ? ", left and reset: " : "");
        put_text(unit->leaks, out);
        dr_buf_str(out, "\n");
    }
}

static void
make_log(const struct dr_stage *s, struct dr_buf *out)
{
    const struct dr_attestation **runs =
        dr_arena_array(s->remote->cli->arena, s->n_evidence + 1, sizeof(*runs));
    size_t n = 0;
    for (size_t i = 0; runs != NULL && i < s->n_evidence; i++) {
        if (is_run(s, s->evidence[i].msg)) {
            runs[n++] = &s->evidence[i];
        }
    }
    if (n > 1) {
        qsort(runs, n, sizeof(*runs), by_time);
    }
    for (size_t i = 0; i < n; i++) {
        put_run(s, runs[i], out);
    }
}

void
dr_checklist_log_sha256(const struct dr_stage *s, uint8_t out[32])
{
    struct dr_buf log = {0};
    make_log(s, &log);
    dr_sha256((struct dr_bytes){(const uint8_t *)log.data, log.len}, out);
    dr_buf_fini(&log);
}

// ---- documents

static void
say_age(const struct dr_cli *cli, int64_t time)
{
    char age[32], when[32];
    int64_t seconds = dr_now_unix_s() - time;
    dr_format_time(when, time);
    dr_format_duration(age, (uint64_t)(seconds > 0 ? seconds : 0) * 1000);
    dr_say(cli, ", %s ago (%s)\n", age, when);
}

static void
say_digest(const struct dr_cli *cli, const char *what, const uint8_t *sha256)
{
    char hex[65];
    dr_hex(hex, sha256, 32);
    dr_say(cli, "    %s %s\n", what, hex);
}

static void
say_attestation(const struct dr_cli *cli, const struct dr_attestation *one)
{
    const Drover__V1__Attestation *msg = one->msg;
    const Drover__V1__BackupRecord *backup = msg->backup;
    dr_say(cli, "  %s of %s, signed by agent %s", kind_name(msg->kind),
           dr_print_safe(cli, msg->target), dr_print_safe(cli, msg->agent));
    say_age(cli, msg->time);
    say_digest(cli, "document ", one->sha256);
    for (size_t i = 0; i < msg->n_heads; i++) {
        dr_say(cli, "    head      %s\n", dr_print_safe(cli, msg->heads[i]->id));
    }
    if (msg->fingerprint.len == 32) {
        say_digest(cli, "schema   ", msg->fingerprint.data);
    }
    for (size_t i = 0; i < msg->n_probes; i++) {
        dr_say(cli, "    probe     %s: %s\n", dr_print_safe(cli, msg->probes[i]->name),
               dr_print_safe(cli, msg->probes[i]->value));
    }
    if (backup != NULL) {
        char size[32], until[32];
        dr_format_size(size, backup->size_bytes);
        dr_format_time(until, backup->keep_until);
        dr_say(cli, "    backup    %s, %s, %s, kept until %s\n", dr_print_safe(cli, backup->tool),
               size, dr_print_safe(cli, backup->location),
               backup->keep_until > 0 ? until : "it is pruned");
        say_digest(cli, "file     ", backup->sha256.data);
    }
    if (msg->rehearsal != NULL) {
        dr_say(cli, "    rehearsal %zu units on %s %s\n", msg->rehearsal->n_units,
               msg->rehearsal->backup_sha256.len > 0 ? "a restored backup," : "a copy,",
               dr_print_safe(cli, msg->rehearsal->server_version));
        if (msg->rehearsal->no_way_back[0] != '\0') {
            dr_say(cli, "    no way back %s\n", dr_print_safe(cli, msg->rehearsal->no_way_back));
        }
    }
}

static void
say_signoff(const struct dr_stage *s, const struct dr_signoff *one)
{
    const struct dr_cli *cli = s->remote->cli;
    const Drover__V1__Root *root = s->remote->trust->root.msg;
    dr_say(cli, "  signed by");
    for (size_t p = 0; p < root->n_people && p < DR_PEOPLE_MAX; p++) {
        if (one->signers.signed_by[p]) {
            dr_say(cli, " %s", root->people[p]->name);
        }
    }
    say_age(cli, one->msg->time);
    if (one->msg->note[0] != '\0') {
        dr_say(cli, "    note      %s\n", dr_print_safe(cli, one->msg->note));
    }
    say_digest(cli, "document ", one->sha256);
    if (one->msg->seen_sha256.len == 32) {
        say_digest(cli, "looked at", one->msg->seen_sha256.data);
    }
    if (dr_str_eq(one->msg->item, DR_CHECKLIST_LOGS)) {
        uint8_t now[32];
        dr_checklist_log_sha256(s, now);
        dr_say(cli, "    %s\n",
               dr_data_is(one->msg->seen_sha256, now)
                   ? "this is the log of now"
                   : "the log is another one now: look again before you rely on it");
    }
}

static void
say_documents(const struct dr_stage *s, const struct dr_gate_result *r)
{
    for (size_t e = 0; e < r->n_evidence; e++) {
        for (size_t i = 0; i < s->n_evidence; i++) {
            if (memcmp(s->evidence[i].sha256, r->evidence[e], 32) == 0) {
                say_attestation(s->remote->cli, &s->evidence[i]);
            }
        }
        for (size_t i = 0; i < s->n_signoffs; i++) {
            if (memcmp(s->signoffs[i].sha256, r->evidence[e], 32) == 0) {
                say_signoff(s, &s->signoffs[i]);
            }
        }
    }
}

// ---- an item

static bool
is_item(const Drover__V1__Gate *gate, const char *item)
{
    const char *name = dr_gate_name(gate);
    size_t len = strlen(name);
    bool is_probe = gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED;
    return dr_str_eq(name, item) || (is_probe && strncmp(item, name, len) == 0 &&
                                     item[len] == ':' && dr_str_eq(item + len + 1, gate->item));
}

static enum dr_rc
no_item(const struct dr_stage *s, const char *item, struct dr_err *err)
{
    const Drover__V1__Environment *policy = s->policy->msg->environment;
    struct dr_buf known = {0};
    for (size_t i = 0; i < policy->n_gates; i++) {
        dr_buf_printf(&known, "%s%s", known.len ? ", " : "", dr_gate_name(policy->gates[i]));
    }
    dr_err_set(err, DR_E_NOT_FOUND, "the checklist of '%s' has no item '%s'", s->said->environment,
               item);
    dr_err_hint(err, "one of: %s", known.data ? known.data : "none");
    dr_buf_fini(&known);
    return err->rc;
}

static void
say_log(const struct dr_stage *s)
{
    struct dr_buf log = {0};
    uint8_t sha256[32];
    make_log(s, &log);
    dr_checklist_log_sha256(s, sha256);
    dr_say(s->remote->cli, "%s", log.data ? log.data : "");
    say_digest(s->remote->cli, log.len ? "the log is" : "no run yet:", sha256);
    dr_buf_fini(&log);
}

// How the newest run of this rollout's plan on the target ended; NULL: none did.
static const struct dr_attestation *
find_end(const struct dr_stage *s, const struct dr_stage_target *target)
{
    const struct dr_words all = {.items = s->evidence, .count = s->n_evidence};
    const struct dr_attestation *end = dr_words_newest(&all, target->said->target,
                                                       dr_approval_is_down(dr_stage_mode(s))
                                                           ? DROVER__V1__ATTESTATION_KIND__REVERTED
                                                           : DROVER__V1__ATTESTATION_KIND__APPLIED);
    bool is_ours = end != NULL && dr_data_eq(end->msg->plan_sha256, target->plan->plan_sha256);
    return is_ours ? end : NULL;
}

// In what targets are not as they were rehearsed, and what to do; false: in nothing.
static bool
say_differences(const struct dr_stage *s)
{
    const struct dr_cli *cli = s->remote->cli;
    bool any = false;
    for (size_t t = 0; t < s->n_targets; t++) {
        const struct dr_attestation *end = find_end(s, &s->targets[t]);
        if (end == NULL || end->msg->objects_count == 0) {
            continue;
        }
        const char *target = s->targets[t].said->target;
        dr_say(cli, "  of what the rehearsal of %s ended with, here is:\n", target);
        dr_drift_print(cli, end->msg, "    ", DIFFERENCES_MAX);
        dr_say(cli,
               "  next: drover rollout undo %s -t %s; or write a revision that mends it: "
               "drover revision -m MESSAGE\n",
               s->rollout->id, target);
        any = true;
    }
    return any;
}

static void
say_gate(const struct dr_stage *s, const struct dr_stage_gate *gate, size_t index)
{
    const struct dr_cli *cli = s->remote->cli;
    bool is_signed = gate->gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    dr_say(cli, "[%s] %s in %s, %s: %s%s\n", gate->is_open ? "x" : " ", dr_gate_name(gate->gate),
           s->said->environment, is_signed ? "a person signs" : "a machine proves",
           gate->text ? gate->text : "", gate->is_after ? " (asked for afterwards)" : "");
    if (is_signed && dr_str_eq(gate->gate->item, DR_CHECKLIST_LOGS)) {
        say_log(s);
    }
    for (size_t t = 0; t < s->n_targets; t++) {
        // A signature counts for all targets; each has evidence of its own otherwise.
        if (index < s->targets[t].n_gates && (t == 0 || !is_signed)) {
            say_documents(s, &s->targets[t].gates[index]);
        }
    }
    bool is_told = !gate->is_open && gate->gate->kind == DROVER__V1__GATE_KIND__GATE_VERIFIED &&
                   say_differences(s);
    bool signs = cli->args_count == 3 && dr_str_eq(cli->args[1], "sign"); // does that now
    if (!gate->is_open && !is_told && !signs && gate->next != NULL && gate->next[0] != '\0') {
        dr_say(cli, "  next: %s\n", gate->next);
    }
}

enum dr_rc
dr_checklist_show(const struct dr_stage *s, const char *item, json_t *list, struct dr_err *err)
{
    struct dr_stage_gate *gates = NULL;
    size_t n = 0, found = 0;
    enum dr_rc rc = dr_stage_gates(s, &gates, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        if (item != NULL && !is_item(gates[i].gate, item)) {
            continue;
        }
        if (list != NULL) {
            json_array_append_new(list, dr_checklist_json(s, &gates[i], i));
        } else {
            say_gate(s, &gates[i], i);
        }
        found++;
    }
    return rc == DR_OK && found == 0 && item != NULL ? no_item(s, item, err) : rc;
}
