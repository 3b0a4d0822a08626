// Differences between two roots or two fleets, line by line.

#include "coordinator/cli/trust_words.h"
#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/print.h"

#include "trust/root.h"
#include "trust/strict.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void
add_role(const Drover__V1__Role *role, const char *name, uint32_t person, struct dr_buf *out,
         size_t start)
{
    if (role != NULL && dr_role_has(role, person)) {
        dr_buf_printf(out, "%s%s", out->len > start ? ", " : "", name);
    }
}

void
dr_words_roles(const Drover__V1__Root *root, uint32_t person, struct dr_buf *out)
{
    size_t start = out->len;
    add_role(root->root, "root", person, out, start);
    add_role(root->fleet, "fleet", person, out, start);
    add_role(root->reviewers, "reviewers", person, out, start);
    for (size_t i = 0; i < root->n_approvers; i++) {
        add_role(root->approvers[i]->role, root->approvers[i]->environment, person, out, start);
    }
    dr_buf_str(out, out->len == start ? "no role" : "");
}

// " key 3b9f77c2 10ab44de" for each: what `drover key show` calls the key id, for comparing.
static void
add_key(const char *what, ProtobufCBinaryData key, struct dr_buf *out)
{
    uint8_t id[32];
    char shown[20];
    if (key.len != DR_KEY_SIZE) {
        return;
    }
    dr_keyid(key.data, id);
    dr_print_digest(shown, id, sizeof(id));
    dr_buf_printf(out, "%s%s", what, shown);
}

static void
add_signing_keys(const Drover__V1__Person *person, struct dr_buf *out)
{
    for (size_t i = 0; i < person->n_keys; i++) {
        add_key(i ? ", " : ", key id ", person->keys[i]->public_key, out);
    }
}

static bool
same_keys(const Drover__V1__Person *a, const Drover__V1__Person *b)
{
    bool same = a->n_keys == b->n_keys;
    for (size_t i = 0; same && i < a->n_keys; i++) {
        same = dr_data_eq(a->keys[i]->public_key, b->keys[i]->public_key);
    }
    return same;
}

static void
person_change(const Drover__V1__Root *old, const Drover__V1__Root *next, uint32_t index,
              struct dr_buf *out)
{
    const Drover__V1__Person *person = next->people[index];
    int was = old ? dr_root_person_index(old, person->name) : -1;
    struct dr_buf before = {0};
    struct dr_buf after = {0};
    dr_words_roles(next, index, &after);
    if (was < 0) {
        dr_buf_printf(out, "+ %s: %s", person->name, after.data);
        add_signing_keys(person, out);
        dr_buf_str(out, "\n");
        dr_buf_fini(&after);
        return;
    }
    dr_words_roles(old, (uint32_t)was, &before);
    if (!dr_str_eq(before.data, after.data)) {
        dr_buf_printf(out, "~ %s: %s -> %s\n", person->name, before.data, after.data);
    }
    if (!same_keys(old->people[was], person)) {
        dr_buf_printf(out, "~ %s: another signing key", person->name);
        add_signing_keys(person, out);
        dr_buf_str(out, "\n");
    }
    if (!dr_data_eq(old->people[was]->transport_key, person->transport_key)) {
        dr_buf_printf(out, "~ %s: another transport key", person->name);
        add_key(", key id ", person->transport_key, out);
        dr_buf_str(out, "\n");
    }
    dr_buf_fini(&before);
    dr_buf_fini(&after);
}

static void
role_change(const char *name, const Drover__V1__Role *old, const Drover__V1__Role *next,
            struct dr_buf *out)
{
    if (next == NULL) {
        dr_buf_printf(out, "- %s: nobody approves there any more\n", name);
    } else if (old == NULL) {
        dr_buf_printf(out, "+ %s: %u of %zu\n", name, next->threshold, next->n_people);
    } else if (old->threshold != next->threshold || old->n_people != next->n_people) {
        dr_buf_printf(out, "~ %s: %u of %zu -> %u of %zu\n", name, old->threshold, old->n_people,
                      next->threshold, next->n_people);
    }
}

void
dr_words_root_change(const Drover__V1__Root *old, const Drover__V1__Root *next, struct dr_buf *out)
{
    for (size_t i = 0; old != NULL && i < old->n_people; i++) {
        if (dr_root_person_index(next, old->people[i]->name) < 0) {
            dr_buf_printf(out, "- %s\n", old->people[i]->name);
        }
    }
    for (uint32_t i = 0; i < next->n_people; i++) {
        person_change(old, next, i, out);
    }
    role_change("root", old ? old->root : NULL, next->root, out);
    role_change("fleet", old ? old->fleet : NULL, next->fleet, out);
    role_change("reviewers", old ? old->reviewers : NULL, next->reviewers, out);
    for (size_t i = 0; i < next->n_approvers; i++) {
        const char *name = next->approvers[i]->environment;
        role_change(name, old ? dr_root_approvers(old, name) : NULL, next->approvers[i]->role, out);
    }
    for (size_t i = 0; old != NULL && i < old->n_approvers; i++) {
        if (dr_root_approvers(next, old->approvers[i]->environment) == NULL) {
            role_change(old->approvers[i]->environment, old->approvers[i]->role, NULL, out);
        }
    }
}

// ---- fleet

// The order of a fleet: targets by name, then environments by name.
static int
by_place(const void *x, const void *y)
{
    const Drover__V1__FleetEntry *a = *(Drover__V1__FleetEntry *const *)x;
    const Drover__V1__FleetEntry *b = *(Drover__V1__FleetEntry *const *)y;
    if ((a->target == NULL) != (b->target == NULL)) {
        return a->target == NULL ? 1 : -1;
    }
    return a->target != NULL ? strcmp(a->target->name, b->target->name)
                             : strcmp(a->environment->name, b->environment->name);
}

static const Drover__V1__FleetEntry *
find_entry(Drover__V1__FleetEntry *const *entries, size_t n, const Drover__V1__FleetEntry *like)
{
    Drover__V1__FleetEntry *const *found =
        n > 0 ? bsearch(&like, entries, n, sizeof(*entries), by_place) : NULL;
    return found ? *found : NULL;
}

static bool
same_message(const struct dr_cli *cli, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t len = protobuf_c_message_get_packed_size(a);
    uint8_t *x = dr_arena_alloc(cli->arena, len + 1);
    uint8_t *y = dr_arena_alloc(cli->arena, len + 1);
    if (len != protobuf_c_message_get_packed_size(b) || x == NULL || y == NULL) {
        return false;
    }
    protobuf_c_message_pack(a, x);
    protobuf_c_message_pack(b, y);
    return memcmp(x, y, len) == 0;
}

static const char *
engine_name(Drover__V1__Engine engine)
{
    return engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql";
}

// "database orders, system 7301, schema public", what is pinned of it.
static const char *
identity_text(const struct dr_cli *cli, const Drover__V1__DatabaseIdentity *identity)
{
    struct dr_buf text = {0};
    const char *const parts[3][2] = {{"database ", identity ? identity->database : ""},
                                     {"system ", identity ? identity->system_identifier : ""},
                                     {"schema ", identity ? identity->schema : ""}};
    for (size_t i = 0; i < DR_COUNT_OF(parts); i++) {
        if (parts[i][1][0] != '\0') {
            dr_buf_printf(&text, "%s%s%s", text.len ? ", " : "", parts[i][0],
                          dr_print_safe(cli, parts[i][1]));
        }
    }
    const char *kept = dr_arena_str(cli->arena, text.len ? text.data : "no database");
    dr_buf_fini(&text);
    return kept ? kept : "";
}

// "tier=canary region=eu"
static const char *
labels_text(const struct dr_cli *cli, const Drover__V1__Target *target)
{
    struct dr_buf text = {0};
    for (size_t i = 0; i < target->n_labels; i++) {
        dr_buf_printf(&text, "%s%s=%s", i ? " " : "", dr_print_safe(cli, target->labels[i]->key),
                      dr_print_safe(cli, target->labels[i]->value));
    }
    const char *kept = dr_arena_str(cli->arena, text.len ? text.data : "no labels");
    dr_buf_fini(&text);
    return kept ? kept : "";
}

static void
target_new(const struct dr_cli *cli, const Drover__V1__Target *next, struct dr_buf *out)
{
    dr_buf_printf(out, "+ target %s, agent %s, %s, %s, %s%s", next->name, next->agent,
                  engine_name(next->engine), identity_text(cli, next->identity),
                  labels_text(cli, next),
                  next->state == DROVER__V1__TARGET_STATE__RETIRED ? ", retired" : "");
    add_key(", key id ", next->agent_signing_key, out);
    add_key(", transport key id ", next->agent_transport_key, out);
    dr_buf_str(out, "\n");
}

static void
text_change(const char *target, const char *old, const char *next, struct dr_buf *out)
{
    if (!dr_str_eq(old, next)) {
        dr_buf_printf(out, "~ target %s: %s -> %s\n", target, old, next);
    }
}

static void
target_change(const struct dr_cli *cli, const Drover__V1__Target *old,
              const Drover__V1__Target *next, struct dr_buf *out)
{
    size_t start = out->len;
    if (old == NULL) {
        target_new(cli, next, out);
        return;
    }
    if (!dr_data_eq(old->agent_signing_key, next->agent_signing_key)) {
        dr_buf_printf(out, "~ target %s: another signing key of its agent", next->name);
        add_key(", key id ", next->agent_signing_key, out);
        dr_buf_str(out, "\n");
    }
    if (!dr_data_eq(old->agent_transport_key, next->agent_transport_key)) {
        dr_buf_printf(out, "~ target %s: another transport key of its agent", next->name);
        add_key(", key id ", next->agent_transport_key, out);
        dr_buf_str(out, "\n");
    }
    text_change(next->name, engine_name(old->engine), engine_name(next->engine), out);
    text_change(next->name, identity_text(cli, old->identity), identity_text(cli, next->identity),
                out);
    text_change(next->name, labels_text(cli, old), labels_text(cli, next), out);
    if (!dr_str_eq(old->agent, next->agent)) {
        dr_buf_printf(out, "~ target %s: agent %s -> %s\n", next->name, old->agent, next->agent);
    }
    if (old->state != next->state) {
        dr_buf_printf(out, "~ target %s: %s\n", next->name,
                      next->state == DROVER__V1__TARGET_STATE__RETIRED ? "retired"
                                                                       : "active again");
    }
    if (out->len == start && !same_message(cli, &old->base, &next->base)) {
        dr_buf_printf(out, "~ target %s: something that this drover has no words for\n",
                      next->name);
    }
}

// Lines of `b` that are not in `a`, each with `mark` before it.
static void
lines_missing(const char *a, const char *b, const char *mark, const char *name, struct dr_buf *out)
{
    while (*b != '\0') {
        size_t len = strcspn(b, "\n");
        bool found = false;
        for (const char *p = a; *p != '\0' && !found;) {
            size_t n = strcspn(p, "\n");
            found = n == len && memcmp(p, b, len) == 0;
            p += n + (p[n] == '\n' ? 1 : 0);
        }
        if (!found && len > 0) {
            size_t blanks = strspn(b, " ");
            dr_buf_printf(out, "%s policy %s: %.*s\n", mark, name, (int)(len - blanks), b + blanks);
        }
        b += len + (b[len] == '\n' ? 1 : 0);
    }
}

static void
policy_change(const struct dr_cli *cli, const Drover__V1__Environment *old,
              const Drover__V1__Environment *next, struct dr_buf *out)
{
    struct dr_buf before = {0};
    struct dr_buf after = {0};
    size_t start = out->len;
    if (old != NULL && same_message(cli, &old->base, &next->base)) {
        return;
    }
    if (old == NULL) {
        dr_buf_printf(out, "+ environment %s, %zu gates\n", next->name, next->n_gates);
    } else {
        dr_policy_text(old, &before);
    }
    dr_buf_str(&before, "");
    dr_policy_text(next, &after);
    lines_missing(after.data, before.data, "-", next->name, out);
    lines_missing(before.data, after.data, "+", next->name, out);
    if (out->len == start) {
        dr_buf_printf(out, "~ policy %s: its order, or something that has no words here\n",
                      next->name);
    }
    dr_buf_fini(&before);
    dr_buf_fini(&after);
}

void
dr_words_fleet_change(struct dr_cli *cli, const Drover__V1__Fleet *old,
                      Drover__V1__FleetEntry *const *old_entries, size_t old_n,
                      const Drover__V1__Fleet *next, Drover__V1__FleetEntry *const *entries,
                      size_t n, struct dr_buf *out)
{
    for (size_t i = 0; i < old_n; i++) {
        const Drover__V1__FleetEntry *e = old_entries[i];
        if (find_entry(entries, n, e) == NULL) {
            dr_buf_printf(out, "- %s %s\n", e->target ? "target" : "environment",
                          e->target ? e->target->name : e->environment->name);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__FleetEntry *was = find_entry(old_entries, old_n, entries[i]);
        if (entries[i]->target != NULL) {
            target_change(cli, was ? was->target : NULL, entries[i]->target, out);
        } else {
            policy_change(cli, was ? was->environment : NULL, entries[i]->environment, out);
        }
    }
    if (old == NULL || !dr_data_eq(old->coordinator_key, next->coordinator_key)) {
        dr_buf_str(out, old ? "~ another key of the coordinator" : "+ coordinator");
        add_key(", key id ", next->coordinator_key, out);
        dr_buf_str(out, "\n");
    }
}

json_t *
dr_words_lines(const struct dr_buf *words)
{
    json_t *list = json_array();
    for (const char *p = words->data; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "\n");
        json_array_append_new(list, json_stringn(p, len));
        p += len + (p[len] == '\n' ? 1 : 0);
    }
    return list;
}
