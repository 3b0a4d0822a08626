// Root and fleet documents as files.

#include "coordinator/cli/trust_files.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "trust/envelope.h"
#include "trust/strict.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum dr_rc
dr_trust_file_read(struct dr_cli *cli, const char *path, struct dr_trust_file *out,
                   struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    struct dr_envelope envelope;
    enum dr_rc rc = dr_file_read(path, DR_TRUST_FILE_MAX, &text, &len, err);
    uint8_t *bytes = rc == DR_OK ? dr_arena_copy(cli->arena, text, len) : NULL;
    free(text);
    if (rc != DR_OK) {
        return rc;
    }
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    *out = (struct dr_trust_file){.envelope = {bytes, len}};
    if (len < 4 || memcmp(bytes, "DRV1", 4) != 0) {
        Drover__V1__Document *document =
            drover__v1__document__unpack(dr_arena_protobuf(cli->arena), len, bytes);
        if (document == NULL) {
            dr_err_set(err, DR_E_BAD_ENVELOPE, "'%s' is no document of drover", path);
            return dr_err_hint(err, "a file such as trust/root.1.drv");
        }
        out->envelope = (struct dr_bytes){document->envelope.data, document->envelope.len};
        out->n_parts = document->n_parts;
        out->parts = dr_arena_array(cli->arena, document->n_parts + 1, sizeof(*out->parts));
        for (size_t i = 0; out->parts != NULL && i < document->n_parts; i++) {
            out->parts[i] = (struct dr_bytes){document->parts[i].data, document->parts[i].len};
        }
    }
    rc = dr_envelope_parse(out->envelope, NULL, &envelope, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "'%s'", path);
    }
    out->kind = dr_arena_strn(cli->arena, (const char *)envelope.type.data, envelope.type.len);
    return out->kind != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

enum dr_rc
dr_trust_file_write(const char *path, const struct dr_trust_file *file, struct dr_err *err)
{
    if (dr_str_eq(file->kind, DR_TYPE_ROOT)) {
        return dr_file_write(path, file->envelope.data, file->envelope.len, 0644, err);
    }
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;
    ProtobufCBinaryData *parts = calloc(file->n_parts + 1, sizeof(*parts));
    char kind[DR_ENVELOPE_TYPE_MAX + 1];
    snprintf(kind, sizeof(kind), "%s", file->kind);
    for (size_t i = 0; parts != NULL && i < file->n_parts; i++) {
        parts[i] = dr_data(file->parts[i].data, file->parts[i].len);
    }
    document.kind = kind;
    document.envelope = dr_data(file->envelope.data, file->envelope.len);
    document.parts = parts;
    document.n_parts = file->n_parts;
    uint8_t *packed = parts ? malloc(drover__v1__document__get_packed_size(&document) + 1) : NULL;
    enum dr_rc rc =
        packed == NULL
            ? dr_err_set(err, DR_E_NOMEM, "out of memory")
            : dr_file_write(path, packed, drover__v1__document__pack(&document, packed), 0644, err);
    free(packed);
    free(parts);
    return rc;
}

// Everybody, as the strictly ascending indexes that a role wants.
static Drover__V1__Role *
everybody(struct dr_arena *arena, size_t n, uint32_t threshold)
{
    Drover__V1__Role *role = dr_arena_alloc(arena, sizeof(*role));
    uint32_t *people = dr_arena_array(arena, n, sizeof(*people));
    if (role == NULL || people == NULL) {
        return NULL;
    }
    drover__v1__role__init(role);
    for (size_t i = 0; i < n; i++) {
        people[i] = (uint32_t)i;
    }
    role->people = people;
    role->n_people = n;
    role->threshold = threshold;
    return role;
}

Drover__V1__Person *
dr_person_new(struct dr_arena *arena, const struct dr_public *from)
{
    Drover__V1__Person *person = dr_arena_alloc(arena, sizeof(*person));
    Drover__V1__PersonKey *key = dr_arena_alloc(arena, sizeof(*key));
    Drover__V1__PersonKey **keys = dr_arena_array(arena, 1, sizeof(Drover__V1__PersonKey *));
    if (person == NULL || key == NULL || keys == NULL) {
        return NULL;
    }
    drover__v1__person__init(person);
    drover__v1__person_key__init(key);
    key->public_key = dr_data(from->signing, 32);
    key->kind = DROVER__V1__KEY_KIND__KEY_FILE;
    keys[0] = key;
    person->name = dr_arena_str(arena, from->name);
    person->keys = keys;
    person->n_keys = 1;
    person->transport_key = dr_data(from->transport, 32);
    return person;
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum dr_rc
add_approvers(struct dr_cli *cli, const struct dr_founders *f, Drover__V1__Root *root,
              struct dr_err *err)
{
    const char *names[DR_ENVIRONMENTS_MAX];
    memcpy(names, f->environments, sizeof(names));
    qsort(names, f->n_environments, sizeof(names[0]), by_text);
    root->approvers = dr_arena_array(cli->arena, f->n_environments, sizeof(*root->approvers));
    root->n_approvers = root->approvers ? f->n_environments : 0;
    for (size_t i = 0; i < root->n_approvers; i++) {
        Drover__V1__EnvironmentRole *row = dr_arena_alloc(cli->arena, sizeof(*row));
        bool is_first = dr_str_eq(names[i], f->environments[0]) && f->n_environments > 1;
        if (row == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        drover__v1__environment_role__init(row);
        row->environment = dr_arena_str(cli->arena, names[i]);
        row->role =
            everybody(cli->arena, f->n_people, is_first ? f->first_threshold : f->threshold);
        root->approvers[i] = row;
    }
    return DR_OK;
}

enum dr_rc
dr_root_found(struct dr_cli *cli, const struct dr_founders *f, int64_t now,
              struct dr_bytes *out_payload, const uint8_t **out_cluster_id, struct dr_err *err)
{
    Drover__V1__Root root = DROVER__V1__ROOT__INIT;
    uint8_t *cluster_id = dr_arena_alloc(cli->arena, DR_CLUSTER_ID_SIZE);
    root.people = dr_arena_array(cli->arena, f->n_people, sizeof(*root.people));
    if (cluster_id == NULL || root.people == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    dr_random(cluster_id, DR_CLUSTER_ID_SIZE);
    root.cluster_id = dr_data(cluster_id, DR_CLUSTER_ID_SIZE);
    root.version = 1;
    root.issued = now;
    root.expires = now + DR_ROOT_VALID_S;
    root.n_people = f->n_people;
    for (size_t i = 0; i < f->n_people; i++) {
        root.people[i] = dr_person_new(cli->arena, &f->people[i]);
    }
    root.root = everybody(cli->arena, f->n_people, f->threshold);
    root.fleet = everybody(cli->arena, f->n_people, f->threshold);
    root.reviewers = everybody(cli->arena, f->n_people, f->threshold);
    enum dr_rc rc = add_approvers(cli, f, &root, err);
    rc = rc == DR_OK ? dr_root_check(&root, err) : rc;
    *out_cluster_id = cluster_id;
    return rc == DR_OK ? dr_strict_encode(cli->arena, &root.base, out_payload, err) : rc;
}

static Drover__V1__Gate *
new_gate(struct dr_arena *arena, Drover__V1__GateKind kind, const char *item, bool after)
{
    Drover__V1__Gate *gate = dr_arena_alloc(arena, sizeof(*gate));
    char *text = dr_arena_str(arena, item);
    if (gate == NULL || text == NULL) {
        return NULL;
    }
    drover__v1__gate__init(gate);
    gate->kind = kind;
    gate->item = text;
    gate->after = after;
    return gate;
}

// The checklist of a deployment, in its order, for every environment behind the first: what a
// machine proves, and what a person signs for.
static const struct {
    Drover__V1__GateKind kind;
    const char *item;
    bool from_before; // takes its evidence from the environment before
    bool after;
} checklist[] = {
    {DROVER__V1__GATE_KIND__GATE_STAGED, "", true, false},
    {DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED, "", true, false},
    {DROVER__V1__GATE_KIND__GATE_VERIFIED, "", true, true},
    {DROVER__V1__GATE_KIND__GATE_SIGNOFF, "logs-reviewed", false, false},
    {DROVER__V1__GATE_KIND__GATE_SIGNOFF, "application-updated", false, false},
    {DROVER__V1__GATE_KIND__GATE_SIGNOFF, "monitored", false, true},
};

static enum dr_rc
add_checklist(struct dr_cli *cli, const char *before, Drover__V1__Environment *env,
              struct dr_err *err)
{
    for (size_t i = 0; i < DR_COUNT_OF(checklist); i++) {
        Drover__V1__Gate *gate =
            new_gate(cli->arena, checklist[i].kind, checklist[i].item, checklist[i].after);
        char *from = dr_arena_str(cli->arena, checklist[i].from_before ? before : "");
        if (gate == NULL || from == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        gate->from_environment = from;
        gate->min_targets = checklist[i].from_before ? 1 : 0;
        env->gates[env->n_gates++] = gate;
    }
    return DR_OK;
}

// The default policy: a backup everywhere, kept for 30 days behind the first environment; there
// also the checklist. Every environment that one comes behind proves the way back.
static enum dr_rc
default_policy(struct dr_cli *cli, const struct dr_founders *f, size_t i,
               Drover__V1__Environment *env, struct dr_err *err)
{
    bool is_later = i > 0;
    Drover__V1__Gate *backup = new_gate(cli->arena, DROVER__V1__GATE_KIND__GATE_BACKUP, "", false);
    env->gates = dr_arena_array(cli->arena, DR_COUNT_OF(checklist) + 1, sizeof(*env->gates));
    if (!backup || !env->gates) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    backup->max_age_s = 6 * 3600;
    backup->restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
    backup->keep_s = is_later ? 30 * 86400 : 0;
    env->gates[env->n_gates++] = backup;
    env->name = dr_arena_str(cli->arena, f->environments[i]);
    env->rank = (uint32_t)i + 1;
    env->approval_max_s = DR_APPROVAL_MAX_S;
    env->resume_window_s = DR_RESUME_WINDOW_MAX_S;
    env->prove = i + 1 < f->n_environments;
    return is_later ? add_checklist(cli, f->environments[i - 1], env, err) : DR_OK;
}

enum dr_rc
dr_fleet_found(struct dr_cli *cli, const struct dr_founders *f, const uint8_t *cluster_id,
               const uint8_t coordinator_key[32], int64_t now, struct dr_trust_file *out,
               struct dr_err *err)
{
    Drover__V1__Fleet fleet = DROVER__V1__FLEET__INIT;
    Drover__V1__FleetEntry **entries =
        dr_arena_array(cli->arena, f->n_environments, sizeof(*entries));
    Drover__V1__FleetEntry *rows = dr_arena_array(cli->arena, f->n_environments, sizeof(*rows));
    Drover__V1__Environment *envs = dr_arena_array(cli->arena, f->n_environments, sizeof(*envs));
    struct dr_bytes payload;
    if (entries == NULL || rows == NULL || envs == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < f->n_environments; i++) {
        drover__v1__fleet_entry__init(&rows[i]);
        drover__v1__environment__init(&envs[i]);
        enum dr_rc rc = default_policy(cli, f, i, &envs[i], err);
        if (rc != DR_OK) {
            return rc;
        }
        rows[i].environment = &envs[i];
        entries[i] = &rows[i];
    }
    fleet.cluster_id = dr_data(cluster_id, DR_CLUSTER_ID_SIZE);
    fleet.version = 1;
    fleet.issued = now;
    fleet.expires = now + DR_FLEET_VALID_S;
    fleet.coordinator_key = dr_data(coordinator_key, 32);
    *out = (struct dr_trust_file){.kind = DR_TYPE_FLEET, .n_parts = f->n_environments};
    enum dr_rc rc =
        dr_fleet_draft(cli->arena, fleet, entries, f->n_environments, &payload, &out->parts, err);
    return rc == DR_OK
               ? dr_envelope_build(cli->arena, DR_TYPE_FLEET, payload, NULL, 0, &out->envelope, err)
               : rc;
}

uint64_t
dr_trust_file_newest(const struct dr_cli *cli, const char *name)
{
    char folder[PATH_MAX];
    uint64_t best = 0;
    snprintf(folder, sizeof(folder), "%.*s/trust", (int)sizeof(folder) - 16, cli->project->folder);
    DIR *dir = opendir(folder);
    size_t n = strlen(name);
    for (struct dirent *row; dir != NULL && (row = readdir(dir)) != NULL;) {
        char number[24];
        uint64_t version = 0;
        size_t len = strlen(row->d_name);
        if (strncmp(row->d_name, name, n) != 0 || row->d_name[n] != '.' ||
            !dr_str_ends(row->d_name, ".drv") || len < n + 6 || len - n - 5 >= sizeof(number)) {
            continue;
        }
        snprintf(number, sizeof(number), "%.*s", (int)(len - n - 5), row->d_name + n + 1);
        if (dr_parse_u64(number, 1, UINT64_MAX, &version) && version > best) {
            best = version;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return best;
}

const char *
dr_trust_file_path(const struct dr_cli *cli, const char *name, uint64_t version)
{
    return dr_arena_printf(cli->arena, "%s/trust/%s.%llu.drv", cli->project->folder, name,
                           (unsigned long long)version);
}
