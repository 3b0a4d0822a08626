// key new, key show: a person's keys.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/key_files.h"
#include "coordinator/cli/print.h"

#include "base/file.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum dr_rc
dr_key_new_passphrase(struct dr_cli *cli, int fd, struct dr_secret **out, struct dr_err *err)
{
    struct dr_secret *again = NULL;
    *out = NULL;
    if (dr_cli_has(cli, "no-passphrase")) {
        return DR_OK;
    }
    enum dr_rc rc = dr_secret_ask("New passphrase: ", fd, out, err);
    if (rc != DR_OK) {
        return dr_err_hint(err, "--passphrase-fd N, or --no-passphrase for an unattended key");
    }
    if (fd < 0) {
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
    for (size_t i = 0; rc != DR_OK && i < 3; i++) { // all three or none; they are new
        (void)unlink(paths[i]);
    }
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
    uint64_t fd = UINT64_MAX;
    enum dr_rc rc = refuse_existing(paths, 3, err);
    rc = rc == DR_OK ? dr_cli_number(cli, "passphrase-fd", 0, 1023, UINT64_MAX, &fd, err) : rc;
    rc = rc == DR_OK ? dr_key_new_passphrase(cli, fd == UINT64_MAX ? -1 : (int)fd, &passphrase, err)
                     : rc;
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
        dr_say(cli,
               "%s/%s.key        signs; keep it\n%s/%s.transport  names you to the coordinator\n"
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
    dr_say(cli, "Name:      %s\nSigning:   ed25519 %s (key id %s)\nTransport: x25519 %s\n",
           key->name, signing, shown, transport);
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
        if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
            dr_print_json(cli, json_pack("{s:s, s:b, s:b}", "schema", "drover.v1.KeyFile",
                                         "isSecret", true, "asksPassphrase", asks));
        } else if (rc == DR_OK) {
            dr_say(cli, "a secret key, %s; its public half is in the .pub file beside it\n",
                   asks ? "with a passphrase" : "unattended");
        }
    }
    free(text);
    return rc;
}
