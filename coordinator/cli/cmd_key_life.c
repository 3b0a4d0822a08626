// key list, key passwd, key export-public: what a person does with key files that are there.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/key_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_now.h"

#include "base/file.h"
#include "base/secret.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 256u

static const char *
folder_of(const struct dr_cli *cli)
{
    const char *folder = dr_cli_option(cli, "dir");
    return folder != NULL ? folder : ".drover/keys";
}

// ---- list

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Names that end in .key or .transport, sorted.
static enum dr_rc
find_files(struct dr_cli *cli, const char *folder, const char **out, size_t *out_n,
           struct dr_err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no folder '%s' with keys", folder);
        return dr_err_hint(err, "--dir DIR, or drover key new NAME");
    }
    for (struct dirent *row; (row = readdir(dir)) != NULL && *out_n < KEYS_MAX;) {
        if (dr_str_ends(row->d_name, ".key") || dr_str_ends(row->d_name, ".transport")) {
            out[(*out_n)++] = dr_arena_str(cli->arena, row->d_name);
        }
    }
    closedir(dir);
    if (*out_n > 1) {
        qsort(out, *out_n, sizeof(*out), by_name);
    }
    return DR_OK;
}

// What the root says of the public file beside a key; "" when nobody can tell.
static const char *
known_as(struct dr_cli *cli, const Drover__V1__Root *root, const char *folder, const char *file)
{
    struct dr_public key = {0};
    struct dr_err ignored = {0};
    char *text = NULL;
    size_t len = 0;
    const char *dot = strrchr(file, '.');
    const char *path = dr_arena_printf(cli->arena, "%s/%.*s.pub", folder, (int)(dot - file), file);
    bool is_read = path && dr_file_read(path, DR_KEYFILE_MAX, &text, &len, &ignored) == DR_OK &&
                   dr_public_parse(text, &key, &ignored) == DR_OK;
    free(text);
    const char *name = is_read ? dr_arena_str(cli->arena, key.name) : NULL;
    if (name == NULL || root == NULL) {
        return name ? name : "";
    }
    const Drover__V1__Person *person = dr_str_ends(file, ".key")
                                           ? dr_root_person_by_signing(root, key.signing)
                                           : dr_root_person_by_transport(root, key.transport);
    const char *shown =
        dr_arena_printf(cli->arena, "%s, %s", key.name, person ? "in the root" : "not in the root");
    return shown ? shown : "";
}

static void
print_files(struct dr_cli *cli, const Drover__V1__Root *root, const char *folder,
            const char *const *files, size_t n)
{
    static const char *const columns[] = {"FILE", "KIND", "PASSPHRASE", "WHOSE", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    json_t *list = json_array();
    for (size_t i = 0; table != NULL && i < n; i++) {
        const char *path = dr_arena_printf(cli->arena, "%s/%s", folder, files[i]);
        const char *kind = dr_str_ends(files[i], ".key") ? "signing" : "transport";
        const char *whose = known_as(cli, root, folder, files[i]);
        bool asks = false;
        struct dr_err problem = {0};
        bool is_good = path && dr_keyfile_needs_passphrase(path, &asks, &problem) == DR_OK;
        const char *lock = !is_good ? problem.message : asks ? "yes" : "no";
        dr_table_row(table, SIZE_MAX, (const char *[]){path ? path : "", kind, lock, whose, NULL});
        json_array_append_new(list, json_pack("{s:s*, s:s, s:b, s:s}", "file", path, "kind", kind,
                                              "asksPassphrase", asks, "whose", whose));
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:O}", "schema", "drover.v1.Keys", "keys", list));
    } else if (n == 0) {
        dr_say(cli, "No key in %s. next: drover key new NAME\n", folder);
    } else if (table != NULL) {
        dr_table_print(table, stdout);
    }
    json_decref(list);
    dr_table_free(&table);
}

enum dr_rc
dr_cmd_key_list(struct dr_cli *cli, struct dr_err *err)
{
    const char *files[KEYS_MAX];
    size_t n = 0;
    struct dr_trust_now now = {0};
    struct dr_err ignored = {0};
    const char *folder = folder_of(cli);
    enum dr_rc rc = find_files(cli, folder, files, &n, err);
    if (rc == DR_OK) {
        (void)!dr_trust_now_open(cli, &now, &ignored); // keys can be listed without a project
        print_files(cli, now.root.msg, folder, files, n);
    }
    dr_trust_now_close(&now);
    return rc;
}

// ---- passwd

enum dr_rc
dr_cmd_key_passwd(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_key key = {0};
    struct dr_secret *passphrase = NULL;
    struct dr_secret *text = NULL;
    const char *path = cli->args[0];
    uint64_t fd = UINT64_MAX;
    enum dr_rc rc = dr_remote_key_at(cli, path, &key, err);
    rc = rc == DR_OK ? dr_cli_number(cli, "new-passphrase-fd", 0, 1023, UINT64_MAX, &fd, err) : rc;
    rc = rc == DR_OK ? dr_key_new_passphrase(cli, fd == UINT64_MAX ? -1 : (int)fd, &passphrase, err)
                     : rc;
    rc = rc == DR_OK ? dr_keyfile_encode(&key, passphrase, DR_KEY_COST_MODERATE,
                                         "drover signing key", &text, err)
                     : rc;
    rc = rc == DR_OK ? dr_file_write(path, dr_secret_bytes(text), dr_secret_len(text), 0600, err)
                     : rc;
    if (rc == DR_OK) {
        dr_say(cli, "%s: %s\n", path,
               passphrase != NULL ? "has a new passphrase" : "has no passphrase now");
        if (cli->format != DR_CLI_TEXT) {
            dr_print_json(cli, json_pack("{s:s, s:s, s:b}", "schema", "drover.v1.KeyFile", "file",
                                         path, "asksPassphrase", passphrase != NULL));
        }
    }
    dr_secret_free(&text);
    dr_secret_free(&passphrase);
    dr_key_fini(&key);
    return rc;
}

// ---- export-public

enum dr_rc
dr_cmd_key_export_public(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_public out = {0};
    struct dr_key signing = {0};
    struct dr_key transport = {0};
    struct dr_buf line = {0};
    const char *folder = folder_of(cli);
    const char *name = cli->args[0];
    const char *a = dr_arena_printf(cli->arena, "%s/%s.key", folder, name);
    const char *b = dr_arena_printf(cli->arena, "%s/%s.transport", folder, name);
    if (!dr_name_is_valid(name) || a == NULL || b == NULL) {
        dr_err_set(err, DR_E_USAGE, "'%s' cannot be a person's name", name);
        return dr_err_hint(err, "drover key list; then drover key export-public NAME");
    }
    enum dr_rc rc = dr_remote_key_at(cli, a, &signing, err);
    rc = rc == DR_OK ? dr_keyfile_load(b, DR_KEY_TRANSPORT, NULL, &transport, err) : rc;
    if (rc == DR_OK) {
        snprintf(out.name, sizeof(out.name), "%s", name);
        memcpy(out.signing, signing.public_key, 32);
        memcpy(out.transport, transport.public_key, 32);
        dr_public_format(&line, &out);
        if (cli->format == DR_CLI_TEXT) {
            dr_say(cli, "%s", line.data);
        } else {
            char x[65];
            char y[65];
            dr_hex(x, out.signing, 32);
            dr_hex(y, out.transport, 32);
            dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s}", "schema", "drover.v1.PublicKey",
                                         "name", out.name, "ed25519", x, "x25519", y));
        }
    }
    dr_buf_fini(&line);
    dr_key_fini(&signing);
    dr_key_fini(&transport);
    return rc;
}
