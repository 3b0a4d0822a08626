// key new, key show, sign: a person's keys and signatures on root and fleet files.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/key_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_files.h"

#include "base/file.h"
#include "base/secret.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The passphrase of a new key: NULL with --no-passphrase; asked twice on a terminal.
static enum dr_rc
new_passphrase(struct dr_cli *cli, struct dr_secret **out, struct dr_err *err)
{
    uint64_t fd = UINT64_MAX;
    struct dr_secret *again = NULL;
    *out = NULL;
    if (dr_cli_has(cli, "no-passphrase")) {
        return DR_OK;
    }
    enum dr_rc rc = dr_cli_number(cli, "passphrase-fd", 0, 1023, UINT64_MAX, &fd, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_secret_ask("New passphrase: ", fd == UINT64_MAX ? -1 : (int)fd, out, err);
    if (rc != DR_OK) {
        return dr_err_hint(err, "--passphrase-fd N, or --no-passphrase for an unattended key");
    }
    if (fd == UINT64_MAX) {
        rc = dr_secret_ask("The same again: ", -1, &again, err);
        if (rc == DR_OK &&
            (dr_secret_len(*out) != dr_secret_len(again) ||
             memcmp(dr_secret_bytes(*out), dr_secret_bytes(again), dr_secret_len(again)) != 0)) {
            rc = dr_err_set(err, DR_E_USAGE, "the two passphrases differ; nothing was written");
        }
    }
    if (rc == DR_OK && dr_secret_len(*out) == 0) {
        rc = dr_err_set(err, DR_E_USAGE, "the passphrase is empty");
        dr_err_hint(err, "--no-passphrase makes an unattended key on purpose");
    }
    dr_secret_free(&again);
    return rc;
}

static enum dr_rc
refuse_existing(const char *const *paths, size_t n, struct dr_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (paths[i] == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        if (dr_path_exists(paths[i])) {
            dr_err_set(err, DR_E_EXISTS, "there is a file '%s' already", paths[i]);
            return dr_err_hint(err, "another name, or move that key away: it is never overwritten");
        }
    }
    return DR_OK;
}

static enum dr_rc
write_key_files(const char *const paths[3], const char *name, const struct dr_key *signing,
                const struct dr_key *transport, struct dr_secret *passphrase, struct dr_public *out,
                struct dr_err *err)
{
    struct dr_buf line = {0};
    char comment[160];
    snprintf(out->name, sizeof(out->name), "%s", name);
    memcpy(out->signing, signing->public_key, 32);
    memcpy(out->transport, transport->public_key, 32);
    snprintf(comment, sizeof(comment), "drover signing key of %s", name);
    enum dr_rc rc =
        dr_keyfile_save(paths[0], signing, passphrase, DR_KEY_COST_MODERATE, comment, err);
    snprintf(comment, sizeof(comment), "drover transport key of %s", name);
    rc = rc == DR_OK
             ? dr_keyfile_save(paths[1], transport, NULL, DR_KEY_COST_MODERATE, comment, err)
             : rc;
    dr_public_format(&line, out);
    rc = rc == DR_OK ? dr_file_create(paths[2], line.data, line.len, 0644, err) : rc;
    dr_buf_fini(&line);
    return rc;
}

enum dr_rc
dr_key_files_make(struct dr_cli *cli, const char *folder, const char *name,
                  struct dr_public *out_public, struct dr_key *out_signing, struct dr_err *err)
{
    struct dr_key signing = {0};
    struct dr_key transport = {0};
    struct dr_secret *passphrase = NULL;
    const char *const paths[3] = {dr_arena_printf(cli->arena, "%s/%s.key", folder, name),
                                  dr_arena_printf(cli->arena, "%s/%s.transport", folder, name),
                                  dr_arena_printf(cli->arena, "%s/%s.pub", folder, name)};
    if (!dr_name_is_valid(name)) {
        dr_err_set(err, DR_E_USAGE, "'%s' cannot be a person's name", name);
        return dr_err_hint(err, "lower-case letters, digits, '.', '_' and '-', at most %u",
                           DR_NAME_MAX);
    }
    enum dr_rc rc = refuse_existing(paths, 3, err);
    rc = rc == DR_OK ? new_passphrase(cli, &passphrase, err) : rc;
    rc = rc == DR_OK ? dr_dir_make(folder, 0700, err) : rc;
    rc = rc == DR_OK ? dr_key_generate(DR_KEY_SIGNING, &signing, err) : rc;
    rc = rc == DR_OK ? dr_key_generate(DR_KEY_TRANSPORT, &transport, err) : rc;
    rc = rc == DR_OK
             ? write_key_files(paths, name, &signing, &transport, passphrase, out_public, err)
             : rc;
    dr_secret_free(&passphrase);
    dr_key_fini(&transport);
    if (rc == DR_OK && out_signing != NULL) {
        *out_signing = signing;
    } else {
        dr_key_fini(&signing);
    }
    return rc;
}

enum dr_rc
dr_cmd_key_new(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_public key = {0};
    struct dr_buf line = {0};
    const char *folder = dr_cli_option(cli, "dir") ? dr_cli_option(cli, "dir") : ".drover/keys";
    enum dr_rc rc = dr_key_files_make(cli, folder, cli->args[0], &key, NULL, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_public_format(&line, &key);
    if (cli->format != DR_CLI_TEXT) {
        char signing[65];
        char transport[65];
        dr_hex(signing, key.signing, 32);
        dr_hex(transport, key.transport, 32);
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s}", "schema", "drover.v1.PublicKey",
                                     "name", key.name, "ed25519", signing, "x25519", transport));
    } else {
        printf("%s/%s.key        signs; keep it\n%s/%s.transport  names you to the coordinator\n"
               "%s/%s.pub        give it away:\n%s",
               folder, key.name, folder, key.name, folder, key.name, line.data);
    }
    dr_buf_fini(&line);
    return DR_OK;
}

static void
print_public(const struct dr_cli *cli, const struct dr_public *key)
{
    char signing[65];
    char transport[65];
    uint8_t id[32];
    char shown[20];
    dr_hex(signing, key->signing, 32);
    dr_hex(transport, key->transport, 32);
    dr_keyid(key->signing, id);
    dr_print_digest(shown, id, 32);
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s}", "schema", "drover.v1.PublicKey",
                                     "name", key->name, "ed25519", signing, "x25519", transport));
        return;
    }
    printf("Name:      %s\nSigning:   ed25519 %s (key id %s)\nTransport: x25519 %s\n", key->name,
           signing, shown, transport);
}

enum dr_rc
dr_cmd_key_show(struct dr_cli *cli, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    bool asks = false;
    struct dr_public key = {0};
    enum dr_rc rc = dr_file_read(cli->args[0], DR_KEYFILE_MAX, &text, &len, err);
    if (rc == DR_OK && dr_str_starts(text, DR_PUBLIC_FORMAT)) {
        rc = dr_public_parse(text, &key, err);
        if (rc == DR_OK) {
            print_public(cli, &key);
        }
    } else if (rc == DR_OK) {
        rc = dr_keyfile_needs_passphrase(cli->args[0], &asks, err);
        if (rc == DR_OK) {
            printf("a secret key, %s; its public half is in the .pub file beside it\n",
                   asks ? "with a passphrase" : "unattended");
        }
    }
    free(text);
    return rc;
}

static const char *
root_pin_text(struct dr_cli *cli, const struct dr_trust_file *file)
{
    uint8_t pin[32];
    char hex[65];
    dr_sha256(file->envelope, pin);
    dr_hex(hex, pin, 32);
    return dr_arena_str(cli->arena, hex);
}

// Says what a root means, in words, from the bytes that are signed.
static enum dr_rc
describe_root(struct dr_cli *cli, const struct dr_envelope *envelope, Drover__V1__Root **out,
              struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    char expires[32];
    enum dr_rc rc = dr_strict_decode(cli->arena, &drover__v1__root__descriptor, envelope->payload,
                                     &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    const Drover__V1__Root *root = (const Drover__V1__Root *)message;
    *out = (Drover__V1__Root *)message;
    dr_format_time(expires, root->expires);
    printf("root version %llu, until %s: %zu people (", (unsigned long long)root->version, expires,
           root->n_people);
    for (size_t i = 0; i < root->n_people; i++) {
        printf("%s%s", i ? ", " : "", dr_print_safe(cli, root->people[i]->name));
    }
    printf("), root %u, fleet %u, reviewers %u", root->root->threshold, root->fleet->threshold,
           root->reviewers->threshold);
    for (size_t i = 0; i < root->n_approvers; i++) {
        printf(", %s %u", dr_print_safe(cli, root->approvers[i]->environment),
               root->approvers[i]->role->threshold);
    }
    printf("\n");
    return DR_OK;
}

static enum dr_rc
describe_fleet(struct dr_cli *cli, const struct dr_envelope *envelope,
               const struct dr_trust_file *file, struct dr_err *err)
{
    struct dr_fleet fleet = {.wire = file->envelope};
    struct dr_fleet_entry *entries = NULL;
    ProtobufCMessage *message = NULL;
    enum dr_rc rc = dr_strict_decode(cli->arena, &drover__v1__fleet__descriptor, envelope->payload,
                                     &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    fleet.msg = (const Drover__V1__Fleet *)message;
    rc = dr_fleet_entries_check(cli->arena, &fleet, file->parts, file->n_parts, &entries, err);
    if (rc != DR_OK) {
        return rc;
    }
    printf("fleet version %llu\n", (unsigned long long)fleet.msg->version);
    for (size_t i = 0; i < file->n_parts; i++) {
        const Drover__V1__Target *t = entries[i].msg->target;
        const Drover__V1__Environment *e = entries[i].msg->environment;
        if (t != NULL) {
            printf("  target %s, agent %s\n", dr_print_safe(cli, t->name),
                   dr_print_safe(cli, t->agent));
        } else {
            printf("  environment %s, %zu gates\n", dr_print_safe(cli, e->name), e->n_gates);
        }
    }
    return DR_OK;
}

// Notes the pin in drover.conf the first time that the root is complete.
static enum dr_rc
note_pin(struct dr_cli *cli, const char *pin, struct dr_err *err)
{
    struct dr_err ignored = {0};
    char *text = NULL;
    size_t len = 0;
    if (dr_project_maybe(cli, &ignored) != DR_OK || cli->project->conf_path[0] == '\0' ||
        cli->project->has_root_pin) {
        return DR_OK;
    }
    enum dr_rc rc = dr_file_read(cli->project->conf_path, 1 << 20, &text, &len, err);
    struct dr_buf out = {0};
    dr_buf_printf(&out, "%sroot_sha256 = \"%s\"\n", text ? text : "", pin);
    rc = rc == DR_OK ? dr_file_write(cli->project->conf_path, out.data, out.len, 0644, err) : rc;
    dr_buf_fini(&out);
    free(text);
    if (rc == DR_OK) {
        printf("noted root_sha256 in %s\n", cli->project->conf_path);
    }
    return rc;
}

// How far a root file is: complete when its own root role has signed it.
static enum dr_rc
say_root_progress(struct dr_cli *cli, const struct dr_trust_file *file,
                  const Drover__V1__Root *root, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_signers signers = {0};
    enum dr_rc rc = dr_envelope_parse(file->envelope, DR_TYPE_ROOT, &envelope, err);
    rc = rc == DR_OK ? dr_quorum_count(cli->arena, root, root->root, &envelope, &signers, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    printf("Signed: %u of %u\n", signers.n, root->root->threshold);
    if (signers.n < root->root->threshold || root->version != 1) {
        return DR_OK;
    }
    const char *pin = root_pin_text(cli, file);
    printf("Root complete, SHA-256 %s\n", pin);
    return note_pin(cli, pin, err);
}

// A signed fleet or later root goes to the coordinator when there is one.
static void
offer_to_coordinator(struct dr_cli *cli, const struct dr_trust_file *file)
{
    struct dr_remote remote = {0};
    struct dr_err err = {0};
    Drover__V1__PutDocumentReply *reply = NULL;
    if (cli->project == NULL || cli->project->coordinator[0] == '\0' ||
        !cli->project->has_root_pin) {
        return;
    }
    enum dr_rc rc = dr_remote_open(cli, &remote, &err);
    rc = rc == DR_OK ? dr_remote_put(&remote, file->kind, file->envelope, file->parts,
                                     file->n_parts, &reply, &err)
                     : rc;
    if (rc == DR_OK) {
        printf("Coordinator: %u of %u signatures%s\n", reply->signatures, reply->needed,
               reply->complete ? ", in force" : "");
    } else {
        dr_print_note(cli, "note: not handed to the coordinator: %s", err.message);
    }
    dr_remote_close(&remote);
}

enum dr_rc
dr_cmd_sign(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_trust_file file = {0};
    struct dr_envelope envelope;
    struct dr_key key = {0};
    Drover__V1__Root *root = NULL;
    enum dr_rc rc = dr_project_maybe(cli, err);
    rc = rc == DR_OK ? dr_trust_file_read(cli, cli->args[0], &file, err) : rc;
    rc = rc == DR_OK ? dr_envelope_parse(file.envelope, NULL, &envelope, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    bool is_root = dr_str_eq(file.kind, DR_TYPE_ROOT);
    if (!is_root && !dr_str_eq(file.kind, DR_TYPE_FLEET)) {
        dr_err_set(err, DR_E_USAGE, "'%s' is a %s document", cli->args[0], file.kind);
        return dr_err_hint(err, "drover approve chain and drover approve sign these");
    }
    rc = is_root ? describe_root(cli, &envelope, &root, err)
                 : describe_fleet(cli, &envelope, &file, err);
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
    rc = rc == DR_OK ? dr_envelope_add(cli->arena, &envelope, &key, &file.envelope, err) : rc;
    rc = rc == DR_OK ? dr_trust_file_write(cli->args[0], &file, err) : rc;
    dr_key_fini(&key);
    if (rc == DR_OK && is_root) {
        rc = say_root_progress(cli, &file, root, err);
    } else if (rc == DR_OK) {
        printf("Signed: %s\n", cli->args[0]);
    }
    if (rc == DR_OK && (!is_root || root->version > 1)) {
        offer_to_coordinator(cli, &file);
    }
    return rc;
}
