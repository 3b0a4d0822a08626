// The next root, from the one in force.

#include "coordinator/cli/root_change.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/signing.h"

#include "base/clock.h"
#include "base/file.h"

#include <string.h>
#include <unistd.h>

static enum dr_rc
copy_root(struct dr_cli *cli, const Drover__V1__Root *root, Drover__V1__Root **out,
          struct dr_err *err)
{
    struct dr_bytes packed;
    ProtobufCMessage *message = NULL;
    enum dr_rc rc = dr_strict_encode(cli->arena, &root->base, &packed, err);
    rc = rc == DR_OK
             ? dr_strict_decode(cli->arena, &drover__v1__root__descriptor, packed, &message, err)
             : rc;
    *out = (Drover__V1__Root *)message;
    return rc;
}

// A proposal that waits is not overtaken in silence.
static enum dr_rc
refuse_pending(struct dr_root_change *change, struct dr_err *err)
{
    struct dr_cli *cli = change->cli;
    const char *path = dr_trust_file_path(cli, "root", change->now.root.msg->version + 1);
    if (!dr_path_exists(path)) {
        return DR_OK;
    }
    if (dr_cli_has(cli, "discard")) {
        return unlink(path) == 0 ? DR_OK : dr_err_set(err, DR_E_IO, "'%s' cannot be removed", path);
    }
    dr_err_set(err, DR_E_EXISTS, "%s waits for signatures already", dr_project_shown(cli, path));
    return dr_err_hint(err, "drover sign %s, or --discard to put another in its place",
                       dr_project_shown(cli, path));
}

enum dr_rc
dr_root_change_open(struct dr_cli *cli, struct dr_root_change *out, struct dr_err *err)
{
    *out = (struct dr_root_change){.cli = cli};
    enum dr_rc rc = dr_trust_now_need(cli, &out->now, err);
    rc = rc == DR_OK ? refuse_pending(out, err) : rc;
    return rc == DR_OK ? copy_root(cli, out->now.root.msg, &out->next, err) : rc;
}

void
dr_root_change_close(struct dr_root_change *change)
{
    dr_trust_now_close(&change->now);
}

// ---- people and roles

enum dr_rc
dr_root_add_person(struct dr_root_change *change, const struct dr_public *key, struct dr_err *err)
{
    Drover__V1__Root *root = change->next;
    Drover__V1__Person **people =
        dr_arena_array(change->cli->arena, root->n_people + 1, sizeof(*people));
    Drover__V1__Person *person = dr_person_new(change->cli->arena, key);
    if (people == NULL || person == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (dr_root_person_index(root, key->name) >= 0) {
        dr_err_set(err, DR_E_EXISTS, "the root names '%s' already", key->name);
        return dr_err_hint(err, "drover people replace-key %s --public-key FILE", key->name);
    }
    memcpy(people, root->people, root->n_people * sizeof(*people));
    people[root->n_people++] = person;
    root->people = people;
    return DR_OK;
}

static void
role_take(Drover__V1__Role *role, uint32_t index)
{
    size_t n = 0;
    for (size_t i = 0; i < role->n_people; i++) {
        if (role->people[i] != index) {
            role->people[n++] = role->people[i];
        }
    }
    role->n_people = n;
}

void
dr_root_take_roles(Drover__V1__Root *root, uint32_t person)
{
    role_take(root->root, person);
    role_take(root->fleet, person);
    role_take(root->reviewers, person);
    for (size_t i = 0; i < root->n_approvers; i++) {
        role_take(root->approvers[i]->role, person);
    }
}

// Indexes behind a person who has gone move up.
static void
role_shift(Drover__V1__Role *role, uint32_t index)
{
    for (size_t i = 0; i < role->n_people; i++) {
        role->people[i] -= role->people[i] > index;
    }
}

void
dr_root_remove_person(Drover__V1__Root *root, uint32_t index)
{
    dr_root_take_roles(root, index);
    memmove(&root->people[index], &root->people[index + 1],
            (root->n_people - index - 1) * sizeof(Drover__V1__Person *));
    root->n_people--;
    role_shift(root->root, index);
    role_shift(root->fleet, index);
    role_shift(root->reviewers, index);
    for (size_t i = 0; i < root->n_approvers; i++) {
        role_shift(root->approvers[i]->role, index);
    }
}

static Drover__V1__Role *
find_role(Drover__V1__Root *root, const char *name)
{
    if (dr_str_eq(name, "root") || dr_str_eq(name, "fleet") || dr_str_eq(name, "reviewers")) {
        return name[0] == 'f' ? root->fleet : name[1] == 'o' ? root->root : root->reviewers;
    }
    for (size_t i = 0; i < root->n_approvers; i++) {
        if (dr_str_eq(root->approvers[i]->environment, name)) {
            return root->approvers[i]->role;
        }
    }
    return NULL;
}

static enum dr_rc
no_role(struct dr_root_change *change, const char *name, struct dr_err *err)
{
    struct dr_buf names = {0};
    for (size_t i = 0; i < change->next->n_approvers; i++) {
        dr_buf_printf(&names, ", %s", change->next->approvers[i]->environment);
    }
    dr_err_set(err, DR_E_USAGE, "there is no role '%s'", name);
    dr_err_hint(err, "root, fleet, reviewers%s", names.data ? names.data : "");
    dr_buf_fini(&names);
    return err->rc;
}

static enum dr_rc
role_add(struct dr_cli *cli, Drover__V1__Role *role, uint32_t person, struct dr_err *err)
{
    uint32_t *people = dr_arena_array(cli->arena, role->n_people + 1, sizeof(*people));
    size_t n = 0;
    if (people == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (dr_role_has(role, person)) {
        return DR_OK;
    }
    for (size_t i = 0; i < role->n_people; i++) {
        if (n == i && role->people[i] > person) {
            people[n++] = person;
        }
        people[n++] = role->people[i];
    }
    if (n == role->n_people) {
        people[n++] = person;
    }
    role->people = people;
    role->n_people = n;
    return DR_OK;
}

static enum dr_rc
give_all(struct dr_root_change *change, uint32_t person, struct dr_err *err)
{
    Drover__V1__Root *root = change->next;
    enum dr_rc rc = role_add(change->cli, root->root, person, err);
    rc = rc == DR_OK ? role_add(change->cli, root->fleet, person, err) : rc;
    rc = rc == DR_OK ? role_add(change->cli, root->reviewers, person, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < root->n_approvers; i++) {
        rc = role_add(change->cli, root->approvers[i]->role, person, err);
    }
    return rc;
}

enum dr_rc
dr_root_give_roles(struct dr_root_change *change, uint32_t person, const char *list,
                   struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (list == NULL) {
        return give_all(change, person, err);
    }
    for (const char *p = list; rc == DR_OK && *p != '\0';) {
        size_t len = strcspn(p, ",");
        const char *name = dr_arena_strn(change->cli->arena, p, len);
        Drover__V1__Role *role = name ? find_role(change->next, name) : NULL;
        rc = role ? role_add(change->cli, role, person, err)
                  : no_role(change, name ? name : "", err);
        p += len + (p[len] == ',' ? 1 : 0);
    }
    return rc;
}

// The environment that comes first by the policies; NULL when no fleet tells.
static const char *
first_environment(struct dr_root_change *change)
{
    struct dr_fleet_draft fleet;
    struct dr_err ignored = {0};
    const Drover__V1__Environment *best = NULL;
    if (dr_fleet_draft_load(change->cli, 0, &fleet, &ignored) != DR_OK) {
        return NULL;
    }
    for (size_t i = 0; i < fleet.n_entries; i++) {
        const Drover__V1__Environment *e = fleet.entries[i]->environment;
        best = e != NULL && (best == NULL || e->rank < best->rank) ? e : best;
    }
    return best && change->next->n_approvers > 1 ? best->name : NULL;
}

static void
set_usual(struct dr_root_change *change, uint32_t threshold)
{
    Drover__V1__Root *root = change->next;
    const char *first = first_environment(change);
    root->root->threshold = root->fleet->threshold = root->reviewers->threshold = threshold;
    for (size_t i = 0; i < root->n_approvers; i++) {
        if (first == NULL || !dr_str_eq(root->approvers[i]->environment, first)) {
            root->approvers[i]->role->threshold = threshold;
        }
    }
}

enum dr_rc
dr_root_set_thresholds(struct dr_root_change *change, const char *text, struct dr_err *err)
{
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        char *part = dr_arena_strn(change->cli->arena, p, len);
        char *equals = part ? strchr(part, '=') : NULL;
        uint64_t number = 0;
        if (part == NULL || !dr_parse_u64(equals ? equals + 1 : part, 1, DR_PEOPLE_MAX, &number)) {
            dr_err_set(err, DR_E_USAGE, "'%s' is no threshold", part ? part : "");
            return dr_err_hint(err, "--threshold 2, or --threshold production=2,root=3");
        }
        if (equals == NULL) {
            set_usual(change, (uint32_t)number);
        } else {
            *equals = '\0';
            Drover__V1__Role *role = find_role(change->next, part);
            if (role == NULL) {
                return no_role(change, part, err);
            }
            role->threshold = (uint32_t)number;
        }
        p += len + (p[len] == ',' ? 1 : 0);
    }
    return DR_OK;
}

// ---- the end

static enum dr_rc
check_thresholds(const struct dr_root_change *change, const Drover__V1__Role *role,
                 const char *name, struct dr_err *err)
{
    if (role->threshold <= role->n_people) {
        return DR_OK;
    }
    if (role->n_people == 0) {
        dr_err_set(err, DR_E_USAGE, "nobody would be left in role '%s'", name);
        return dr_err_hint(err, "drover people add FILE");
    }
    dr_err_set(err, DR_E_USAGE, "role '%s' would need %u signatures of %zu people", name,
               role->threshold, role->n_people);
    return dr_err_hint(err, "drover %s ... --threshold %s=%zu", change->cli->command->name, name,
                       role->n_people);
}

static enum dr_rc
check(const struct dr_root_change *change, struct dr_err *err)
{
    const Drover__V1__Root *root = change->next;
    enum dr_rc rc = check_thresholds(change, root->root, "root", err);
    rc = rc == DR_OK ? check_thresholds(change, root->fleet, "fleet", err) : rc;
    rc = rc == DR_OK ? check_thresholds(change, root->reviewers, "reviewers", err) : rc;
    for (size_t i = 0; rc == DR_OK && i < root->n_approvers; i++) {
        rc = check_thresholds(change, root->approvers[i]->role, root->approvers[i]->environment,
                              err);
    }
    return rc == DR_OK ? dr_root_check(root, err) : rc;
}

static enum dr_rc
draft(struct dr_root_change *change, struct dr_trust_file *out, struct dr_err *err)
{
    struct dr_cli *cli = change->cli;
    struct dr_bytes payload;
    uint64_t valid_ms = 0;
    Drover__V1__Root *root = change->next;
    enum dr_rc rc = dr_cli_duration(cli, "expires", 3650ull * 86400 * 1000,
                                    (uint64_t)DR_ROOT_VALID_S * 1000, &valid_ms, err);
    root->version = change->now.root.msg->version + 1;
    root->issued = dr_now_unix_s();
    root->expires = root->issued + (int64_t)(valid_ms / 1000);
    rc = rc == DR_OK ? check(change, err) : rc;
    rc = rc == DR_OK ? dr_strict_encode(cli->arena, &root->base, &payload, err) : rc;
    *out = (struct dr_trust_file){.kind = DR_TYPE_ROOT};
    return rc == DR_OK
               ? dr_envelope_build(cli->arena, DR_TYPE_ROOT, payload, NULL, 0, &out->envelope, err)
               : rc;
}

// --new-key: my next key, which the next root names already.
static enum dr_rc
add_new_key(struct dr_root_change *change, struct dr_signing *s, struct dr_err *err)
{
    struct dr_key key = {0};
    const char *path = dr_cli_option(change->cli, "new-key");
    if (path == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_remote_key_at(change->cli, path, &key, err);
    rc = rc == DR_OK ? dr_signing_add(s, &key, err) : rc;
    dr_key_fini(&key);
    return rc;
}

enum dr_rc
dr_root_change_finish(struct dr_root_change *change, struct dr_err *err)
{
    struct dr_trust_file file;
    struct dr_signing s = {0};
    struct dr_key key = {0};
    bool goes_on = false;
    enum dr_rc rc = draft(change, &file, err);
    const char *path =
        rc == DR_OK ? dr_trust_file_path(change->cli, "root", change->next->version) : NULL;
    rc = rc == DR_OK ? dr_signing_begin(change->cli, &change->now, path, &file, &s, err) : rc;
    if (rc == DR_OK) {
        dr_signing_describe(&s);
        rc = dr_ask_yes(change->cli, "Sign this root?", &goes_on, err);
    }
    if (rc == DR_OK && goes_on) {
        rc = dr_remote_signing_key(change->cli, &key, err);
        rc = rc == DR_OK ? dr_signing_add(&s, &key, err) : rc;
        rc = rc == DR_OK ? add_new_key(change, &s, err) : rc;
        rc = rc == DR_OK ? dr_signing_report(&s, err) : rc;
    } else if (rc == DR_OK) {
        dr_say(change->cli, "Nothing was signed.\n");
    }
    dr_key_fini(&key);
    dr_signing_fini(&s);
    return rc;
}
