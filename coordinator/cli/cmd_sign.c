// sign: a person's signature on a root or fleet file.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/offer.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_files.h"

#include "base/file.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_MAX (1u << 20)

struct signing {
    struct dr_cli *cli;
    const char *path;
    struct dr_trust_file file;
    struct dr_envelope envelope;
    bool is_root;
    const Drover__V1__Root *root; // whose people may sign; NULL: no root file here
    const Drover__V1__Fleet *fleet;
    uint32_t signatures, needed;
};

static enum dr_rc
decode_root(struct signing *s, struct dr_bytes payload, const Drover__V1__Root **out,
            struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    enum dr_rc rc =
        dr_strict_decode(s->cli->arena, &drover__v1__root__descriptor, payload, &message, err);
    *out = (const Drover__V1__Root *)message;
    return rc == DR_OK ? dr_root_check(*out, err) : rc;
}

// Says what a root means, in words, from the bytes that are signed.
static enum dr_rc
describe_root(struct signing *s, struct dr_err *err)
{
    char expires[32];
    struct dr_buf people = {0};
    enum dr_rc rc = decode_root(s, s->envelope.payload, &s->root, err);
    if (rc != DR_OK) {
        return rc;
    }
    const Drover__V1__Root *root = s->root;
    dr_format_time(expires, root->expires);
    for (size_t i = 0; i < root->n_people; i++) {
        dr_buf_printf(&people, "%s%s", i ? ", " : "", root->people[i]->name);
    }
    dr_say(s->cli, "root version %llu, until %s: %zu people (%s), root %u, fleet %u, reviewers %u",
           (unsigned long long)root->version, expires, root->n_people,
           people.data ? people.data : "", root->root->threshold, root->fleet->threshold,
           root->reviewers->threshold);
    for (size_t i = 0; i < root->n_approvers; i++) {
        dr_say(s->cli, ", %s %u", root->approvers[i]->environment,
               root->approvers[i]->role->threshold);
    }
    dr_say(s->cli, "\n");
    dr_buf_fini(&people);
    return DR_OK;
}

// The newest root file of this project, to know who signs fleets; none is fine.
static void
find_root(struct signing *s)
{
    struct dr_trust_file file = {0};
    struct dr_envelope envelope;
    struct dr_err ignored = {0};
    uint64_t version = dr_trust_file_newest(s->cli, "root");
    if (version > 0 &&
        dr_trust_file_read(s->cli, dr_trust_file_path(s->cli, "root", version), &file, &ignored) ==
            DR_OK &&
        dr_envelope_parse(file.envelope, DR_TYPE_ROOT, &envelope, &ignored) == DR_OK &&
        decode_root(s, envelope.payload, &s->root, &ignored) != DR_OK) {
        s->root = NULL;
    }
}

static enum dr_rc
describe_fleet(struct signing *s, struct dr_err *err)
{
    struct dr_cli *cli = s->cli;
    struct dr_fleet fleet = {.wire = s->file.envelope};
    struct dr_fleet_entry *entries = NULL;
    ProtobufCMessage *message = NULL;
    enum dr_rc rc = dr_strict_decode(cli->arena, &drover__v1__fleet__descriptor,
                                     s->envelope.payload, &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    fleet.msg = (const Drover__V1__Fleet *)message;
    s->fleet = fleet.msg;
    rc = dr_fleet_entries_check(cli->arena, &fleet, s->file.parts, s->file.n_parts, &entries, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_say(cli, "fleet version %llu\n", (unsigned long long)fleet.msg->version);
    for (size_t i = 0; i < s->file.n_parts; i++) {
        const Drover__V1__Target *t = entries[i].msg->target;
        const Drover__V1__Environment *e = entries[i].msg->environment;
        if (t != NULL) {
            dr_say(cli, "  target %s, agent %s, %s\n", t->name, t->agent,
                   t->engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql");
        } else if (e != NULL) {
            dr_say(cli, "  environment %s, %zu gates\n", e->name, e->n_gates);
        }
    }
    find_root(s);
    return DR_OK;
}

static enum dr_rc
read_document(struct signing *s, struct dr_err *err)
{
    enum dr_rc rc = dr_trust_file_read(s->cli, s->path, &s->file, err);
    rc = rc == DR_OK ? dr_envelope_parse(s->file.envelope, NULL, &s->envelope, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    s->is_root = dr_str_eq(s->file.kind, DR_TYPE_ROOT);
    if (!s->is_root && !dr_str_eq(s->file.kind, DR_TYPE_FLEET)) {
        dr_err_set(err, DR_E_USAGE, "'%s' is a %s document", s->path, s->file.kind);
        return dr_err_hint(err, "drover approve chain and drover approve sign these");
    }
    return s->is_root ? describe_root(s, err) : describe_fleet(s, err);
}

// Somebody whom the root does not name may sign as often as he wants: it counts nothing.
static enum dr_rc
check_signer(const struct signing *s, const struct dr_key *key, struct dr_err *err)
{
    if (s->root == NULL || dr_root_person_by_signing(s->root, key->public_key) != NULL) {
        return DR_OK;
    }
    struct dr_buf names = {0};
    for (size_t i = 0; i < s->root->n_people; i++) {
        dr_buf_printf(&names, "%s%s", i ? ", " : "", s->root->people[i]->name);
    }
    dr_err_set(err, DR_E_PERMISSION,
               "this key belongs to nobody whom the root names; nothing was "
               "signed");
    dr_err_hint(err, "--key FILE with the key of one of: %s", names.data ? names.data : "");
    dr_buf_fini(&names);
    return err->rc;
}

static enum dr_rc
count_signatures(struct signing *s, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_signers signers = {0};
    if (s->root == NULL) {
        return DR_OK;
    }
    const Drover__V1__Role *role = s->is_root ? s->root->root : s->root->fleet;
    enum dr_rc rc = dr_envelope_parse(s->file.envelope, NULL, &envelope, err);
    rc = rc == DR_OK ? dr_quorum_count(s->cli->arena, s->root, role, &envelope, &signers, err) : rc;
    s->signatures = signers.n;
    s->needed = role->threshold;
    return rc;
}

// Notes the pin in drover.conf the first time that the root is complete.
static enum dr_rc
note_pin(struct signing *s, const char *pin, struct dr_err *err)
{
    const struct dr_project *p = s->cli->project;
    char *text = NULL;
    size_t len = 0;
    if (p->conf_path[0] == '\0' || p->has_root_pin) {
        return DR_OK;
    }
    enum dr_rc rc = dr_file_read(p->conf_path, CONF_MAX, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_buf out = {0};
    dr_buf_printf(&out, "%s%sroot_sha256 = \"%s\"\n", text,
                  len > 0 && text[len - 1] != '\n' ? "\n" : "", pin);
    rc = dr_file_write(p->conf_path, out.data, out.len, 0644, err);
    dr_buf_fini(&out);
    free(text);
    if (rc == DR_OK) {
        dr_say(s->cli, "noted root_sha256 in %s\n", dr_project_shown(s->cli, p->conf_path));
    }
    return rc;
}

static enum dr_rc
say_progress(struct signing *s, struct dr_err *err)
{
    uint8_t digest[32];
    char pin[65] = "";
    bool is_complete = s->needed > 0 && s->signatures >= s->needed;
    bool is_first = s->is_root && s->root->version == 1;
    uint64_t version = s->is_root ? s->root->version : s->fleet->version;
    enum dr_rc rc = DR_OK;
    if (s->needed > 0) {
        dr_say(s->cli, "Signed: %u of %u\n", s->signatures, s->needed);
    } else {
        dr_say(s->cli, "Signed: %s\n", s->path);
    }
    if (is_first && is_complete) {
        dr_sha256(s->file.envelope, digest);
        dr_hex(pin, digest, 32);
        dr_say(s->cli, "Root complete, SHA-256 %s\n", pin);
        rc = note_pin(s, pin, err);
    }
    if (s->cli->format != DR_CLI_TEXT) {
        dr_print_json(s->cli,
                      json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:b, s:s*}", "schema",
                                "drover.v1.Signed", "document", s->is_root ? "root" : "fleet",
                                "file", s->path, "version", (json_int_t)version, "signatures",
                                (int)s->signatures, "needed", (int)s->needed, "complete",
                                is_complete, "rootSha256", pin[0] ? pin : NULL));
    }
    return rc;
}

// The first root is pinned by the digest of the whole file: once it is complete, one signature more
// would cut off everybody who pinned it.
static bool
is_closed(const struct signing *s)
{
    return s->is_root && s->root->version == 1 && s->signatures >= s->needed;
}

static enum dr_rc
add_signature(struct signing *s, struct dr_err *err)
{
    struct dr_key key = {0};
    enum dr_rc rc = dr_remote_signing_key(s->cli, &key, err);
    rc = rc == DR_OK ? check_signer(s, &key, err) : rc;
    rc = rc == DR_OK ? dr_envelope_add(s->cli->arena, &s->envelope, &key, &s->file.envelope, err)
                     : rc;
    rc = rc == DR_OK ? dr_trust_file_write(s->path, &s->file, err) : rc;
    dr_key_fini(&key);
    return rc == DR_OK ? count_signatures(s, err) : rc;
}

enum dr_rc
dr_cmd_sign(struct dr_cli *cli, struct dr_err *err)
{
    struct signing s = {.cli = cli, .path = cli->args[0]};
    enum dr_rc rc = dr_project_maybe(cli, err);
    rc = rc == DR_OK ? read_document(&s, err) : rc;
    rc = rc == DR_OK ? count_signatures(&s, err) : rc;
    if (rc == DR_OK && is_closed(&s)) {
        dr_print_note(cli, "note: it had enough signatures already, so none was added");
    } else if (rc == DR_OK) {
        rc = add_signature(&s, err);
    }
    rc = rc == DR_OK ? say_progress(&s, err) : rc;
    if (rc == DR_OK && (!s.is_root || s.root->version > 1)) {
        dr_offer(cli, s.path, &s.file, NULL);
    }
    return rc;
}
