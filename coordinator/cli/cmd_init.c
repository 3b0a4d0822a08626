// init: a project with its folders, keys, first root and fleet, and the configuration of drover and
// droverd.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/init_from.h"
#include "coordinator/cli/key_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "trust/strict.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX   9u
#define FOLDERS_MAX 4u

struct init {
    struct dr_cli *cli;
    const char *files[FILES_MAX];     // what this call makes
    const char *folders[FOLDERS_MAX]; // inner ones first; only those that were not there
    size_t n_files, n_folders;
    const char *name, *person, *keys, *coordinator;
    struct dr_public people[DR_PEOPLE_MAX];
    struct dr_founders founders;
    bool is_alone;         // one person, made here
    bool is_direct;        // --from without --coordinator: one database, until droverd is wanted
    const char *from_path; // NULL: without --from
    struct dr_init_from from;
    struct dr_key signing;
    uint8_t coordinator_key[32];
};

static const char *
login_name(void)
{
    const struct passwd *row = getpwuid(getuid());
    return row != NULL && dr_name_is_valid(row->pw_name) ? row->pw_name : "me";
}

static const char *
folder_name(struct dr_cli *cli)
{
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof(folder)) == NULL) {
        return "project";
    }
    const char *base = strrchr(folder, '/') + 1;
    char *name = dr_arena_str(cli->arena, base);
    for (char *p = name; p != NULL && *p != '\0'; p++) {
        bool is_upper = *p >= 'A' && *p <= 'Z';
        *p = is_upper ? (char)(*p - 'A' + 'a') : *p;
        *p = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' ||
                     *p == '.'
                 ? *p
                 : '-';
    }
    return name != NULL && dr_name_is_valid(name) ? name : "project";
}

// Splits "a,b,c" in the arena.
static size_t
split_list(struct dr_cli *cli, const char *text, const char **out, size_t max)
{
    size_t n = 0;
    for (const char *p = text; p != NULL && *p != '\0' && n < max;) {
        size_t len = strcspn(p, ",");
        out[n++] = dr_arena_strn(cli->arena, p, len);
        p += len + (p[len] == ',' ? 1 : 0);
    }
    return n;
}

static enum dr_rc
read_people(struct init *init, const char *list, struct dr_err *err)
{
    const char *paths[DR_PEOPLE_MAX];
    size_t n = split_list(init->cli, list, paths, DR_PEOPLE_MAX);
    for (size_t i = 0; i < n; i++) {
        char *text = NULL;
        size_t len = 0;
        enum dr_rc rc = dr_file_read(paths[i], DR_KEYFILE_MAX, &text, &len, err);
        if (rc == DR_OK && (rc = dr_public_parse(text, &init->people[i], err)) != DR_OK) {
            dr_err_wrap(err, "'%s'", paths[i]);
        }
        free(text);
        if (rc != DR_OK) {
            return dr_err_hint(err,
                               "public key files as `drover key new NAME` writes them: NAME.pub");
        }
    }
    init->founders.n_people = n;
    return n > 0 ? DR_OK : dr_err_set(err, DR_E_USAGE, "--people names nobody");
}

// What goes into the configuration files between quotes.
static enum dr_rc
check_values(const struct init *init, struct dr_err *err)
{
    const char *host = strstr(init->coordinator, "tcp://");
    bool has_scheme =
        host == init->coordinator || (host != NULL && dr_str_starts(init->coordinator, "tls+"));
    if (!has_scheme || strrchr(host + 6, ':') == NULL || strpbrk(init->coordinator, "\"\\$ ")) {
        dr_err_set(err, DR_E_USAGE, "'%s' is no address of a coordinator", init->coordinator);
        return dr_err_hint(err, "--coordinator tcp://HOST:7800");
    }
    if (strpbrk(init->keys, "\"\\$") != NULL) {
        return dr_err_set(err, DR_E_USAGE, "the folder '%s' cannot stand in drover.conf",
                          init->keys);
    }
    if (!dr_name_is_valid(init->name) || !dr_name_is_valid(init->person)) {
        dr_err_set(err, DR_E_USAGE, "'%s' cannot be the name of a %s",
                   dr_name_is_valid(init->name) ? init->person : init->name,
                   dr_name_is_valid(init->name) ? "person" : "project");
        return dr_err_hint(err, "lower-case letters, digits, '.', '_' and '-', at most %u",
                           DR_NAME_MAX);
    }
    return DR_OK;
}

static enum dr_rc
read_options(struct init *init, struct dr_err *err)
{
    struct dr_cli *cli = init->cli;
    const char *people = dr_cli_option(cli, "people");
    const char *environments = dr_cli_option(cli, "environments");
    uint64_t threshold = 1;
    uint64_t first = 1;
    init->name = dr_cli_option(cli, "name") ? dr_cli_option(cli, "name") : folder_name(cli);
    init->person = dr_cli_option(cli, "person") ? dr_cli_option(cli, "person") : login_name();
    init->keys = dr_cli_option(cli, "keys") ? dr_cli_option(cli, "keys") : ".drover/keys";
    init->coordinator = dr_cli_option(cli, "coordinator") ? dr_cli_option(cli, "coordinator")
                                                          : "tcp://127.0.0.1:7800";
    init->is_alone = people == NULL;
    init->from_path = dr_cli_option(cli, "from");
    init->is_direct = init->from_path != NULL && dr_cli_option(cli, "coordinator") == NULL;
    init->founders.people = init->people;
    init->founders.n_environments =
        split_list(cli, environments ? environments : "staging,production",
                   init->founders.environments, DR_ENVIRONMENTS_MAX);
    enum dr_rc rc = check_values(init, err);
    rc = rc == DR_OK && init->from_path != NULL
             ? dr_init_from_read(cli, init->from_path, &init->from, err)
             : rc;
    rc = rc == DR_OK && people != NULL ? read_people(init, people, err) : rc;
    init->founders.n_people = people != NULL ? init->founders.n_people : 1;
    rc = rc == DR_OK
             ? dr_cli_number(cli, "threshold", 1, init->founders.n_people, 1, &threshold, err)
             : rc;
    rc = rc == DR_OK
             ? dr_cli_number(cli, "staging-threshold", 1, init->founders.n_people, 1, &first, err)
             : rc;
    init->founders.threshold = (uint32_t)threshold;
    init->founders.first_threshold = (uint32_t)first;
    return rc;
}

// The coordinator's transport key, unattended: it names droverd and gives no authority.
static enum dr_rc
make_coordinator_key(struct init *init, struct dr_err *err)
{
    struct dr_key key = {0};
    const char *path = dr_arena_printf(init->cli->arena, "%s/coordinator.transport", init->keys);
    enum dr_rc rc = dr_key_generate(DR_KEY_TRANSPORT, &key, err);
    rc = rc == DR_OK ? dr_keyfile_save(path, &key, NULL, DR_KEY_COST_MODERATE,
                                       "drover coordinator transport key", err)
                     : rc;
    memcpy(init->coordinator_key, key.public_key, 32);
    dr_key_fini(&key);
    return rc;
}

static enum dr_rc
make_own_keys(struct init *init, struct dr_err *err)
{
    return init->is_alone ? dr_key_files_make(init->cli, init->keys, init->person, &init->people[0],
                                              &init->signing, err)
                          : DR_OK;
}

// Signs when the only person is here; otherwise leaves it for `drover sign`.
static enum dr_rc
sign_if_alone(struct init *init, struct dr_trust_file *file, struct dr_err *err)
{
    struct dr_envelope envelope;
    if (!init->is_alone) {
        return DR_OK;
    }
    enum dr_rc rc = dr_envelope_parse(file->envelope, NULL, &envelope, err);
    return rc == DR_OK
               ? dr_envelope_add(init->cli->arena, &envelope, &init->signing, &file->envelope, err)
               : rc;
}

static enum dr_rc
write_documents(struct init *init, uint8_t out_pin[32], struct dr_err *err)
{
    struct dr_trust_file root = {.kind = DR_TYPE_ROOT};
    struct dr_trust_file fleet = {0};
    struct dr_bytes payload;
    const uint8_t *cluster_id = NULL;
    int64_t now = dr_now_unix_s();
    enum dr_rc rc = dr_root_found(init->cli, &init->founders, now, &payload, &cluster_id, err);
    rc = rc == DR_OK ? dr_envelope_build(init->cli->arena, DR_TYPE_ROOT, payload, NULL, 0,
                                         &root.envelope, err)
                     : rc;
    rc = rc == DR_OK ? dr_fleet_found(init->cli, &init->founders, cluster_id, init->coordinator_key,
                                      now, &fleet, err)
                     : rc;
    rc = rc == DR_OK ? sign_if_alone(init, &root, err) : rc;
    rc = rc == DR_OK ? sign_if_alone(init, &fleet, err) : rc;
    rc = rc == DR_OK ? dr_trust_file_write("trust/root.1.drv", &root, err) : rc;
    rc = rc == DR_OK ? dr_trust_file_write("trust/fleet.1.drv", &fleet, err) : rc;
    if (rc == DR_OK) {
        dr_sha256(root.envelope, out_pin);
    }
    return rc;
}

static enum dr_rc
write_conf(struct init *init, const uint8_t pin[32], struct dr_err *err)
{
    char key[65];
    char hex[65];
    struct dr_buf text = {0};
    dr_hex(key, init->coordinator_key, 32);
    dr_hex(hex, pin, 32);
    dr_buf_printf(
        &text,
        "# drover: this project. Values may be overridden by DROVER_<NAME>, e.g. DROVER_KEY.\n"
        "project = \"%s\"\nrevisions = \"revisions\"\n\n",
        init->name);
    if (init->from.url != NULL) {
        dr_buf_printf(&text, "# the database, as in %s\nurl = \"%s\"\n\n", init->from.path,
                      init->from.url);
    }
    const char *off = init->is_direct ? "# " : "";
    dr_buf_printf(&text,
                  "# the coordinator and its public key%s\n%scoordinator = \"%s\"\n"
                  "%scoordinator_key = \"%s\"\n\n"
                  "# the first root and its digest: what every signature is traced back to\n"
                  "root = \"trust/root.1.drv\"\n",
                  init->is_direct ? "; without them commands work on one database" : "", off,
                  init->coordinator, off, key);
    if (init->is_alone) {
        dr_buf_printf(&text,
                      "root_sha256 = \"%s\"\n\n# who I am\nperson = \"%s\"\nkey = \"%s/%s.key\"\n"
                      "transport = \"%s/%s.transport\"\n",
                      hex, init->person, init->keys, init->person, init->keys, init->person);
    }
    enum dr_rc rc = dr_file_create("drover.conf", text.data, text.len, 0644, err);
    dr_buf_reset(&text);
    const char *host = strstr(init->coordinator, "://") + 3;
    bool is_here = dr_str_starts(host, "127.") || dr_str_starts(host, "localhost:") ||
                   dr_str_starts(host, "[::1]:");
    dr_buf_printf(&text,
                  "# droverd: the coordinator of project %s\nproject = \"%s\"\nlisten = "
                  "\"tcp://%s%s\"\n"
                  "state = \".drover/droverd\"\ntransport_key = \"%s/coordinator.transport\"\n"
                  "root = \"trust/root.1.drv\"\nfleet = \"trust/fleet.1.drv\"\n",
                  init->name, init->name, is_here ? "127.0.0.1" : "0.0.0.0", strrchr(host, ':'),
                  init->keys);
    rc = rc == DR_OK ? dr_file_create("droverd.conf", text.data, text.len, 0644, err) : rc;
    dr_buf_fini(&text);
    static const char ignore[] = "*\n";
    return rc == DR_OK ? dr_file_write(".drover/.gitignore", ignore, strlen(ignore), 0644, err)
                       : rc;
}

static void
say_next(const struct init *init, const uint8_t pin[32])
{
    char hex[65];
    dr_hex(hex, pin, 32);
    if (init->cli->format != DR_CLI_TEXT) {
        dr_print_json(init->cli, json_pack("{s:s, s:s, s:b, s:s*}", "schema", "drover.v1.Init",
                                           "project", init->name, "complete", init->is_alone,
                                           "rootSha256", init->is_alone ? hex : NULL));
        return;
    }
    dr_say(init->cli, "Project %s: drover.conf, droverd.conf, revisions/, trust/\n", init->name);
    if (init->is_alone) {
        dr_say(init->cli, "Signer:  %s, 1 of 1, key %s/%s.key\nRoot:    %s\n", init->person,
               init->keys, init->person, hex);
        if (init->from_path != NULL) {
            dr_init_from_say(init->cli, &init->from);
            return;
        }
        dr_say(init->cli,
               "next: drover revision -m \"...\"          write a revision\n"
               "      drover upgrade head --url URL     run it on one database\n"
               "      droverd --config droverd.conf     start the coordinator, then drover agent "
               "add\n");
        return;
    }
    dr_say(init->cli, "Signers: %zu %s, %u must sign (%s: %u)\n", init->founders.n_people,
           init->founders.n_people == 1 ? "person" : "people", init->founders.threshold,
           init->founders.environments[0], init->founders.first_threshold);
    dr_say(init->cli, "next: each of them types, on a copy that is passed on:\n"
                      "      drover sign trust/root.1.drv --key THEIR.key\n"
                      "      drover sign trust/fleet.1.drv --key THEIR.key\n");
}

static const char *
key_path(struct init *init, const char *name, const char *ending)
{
    return dr_arena_printf(init->cli->arena, "%s/%s.%s", init->keys, name, ending);
}

// Notes what this call is going to make. DR_E_EXISTS when one of the files is there: nothing is
// ever overwritten.
static enum dr_rc
list_files(struct init *init, struct dr_err *err)
{
    const char *const files[FILES_MAX] = {
        "drover.conf",
        "droverd.conf",
        "trust/root.1.drv",
        "trust/fleet.1.drv",
        key_path(init, "coordinator", "transport"),
        init->is_alone ? key_path(init, init->person, "key") : "",
        init->is_alone ? key_path(init, init->person, "transport") : "",
        init->is_alone ? key_path(init, init->person, "pub") : "",
    };
    const char *const folders[FOLDERS_MAX] = {init->keys, ".drover", "trust", "revisions"};
    for (size_t i = 0; i < FILES_MAX && files[i] != NULL; i++) {
        if (files[i][0] == '\0') {
            continue;
        }
        if (dr_path_exists(files[i])) {
            dr_err_set(err, DR_E_EXISTS, "there is a '%s' here already", files[i]);
            return dr_err_hint(err, "%s",
                               i == 0 ? "drover history; this folder is a project"
                                      : "drover init in an empty folder, or move that file away");
        }
        init->files[init->n_files++] = files[i];
    }
    if (!dr_path_exists(".drover/.gitignore")) {
        init->files[init->n_files++] = ".drover/.gitignore";
    }
    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        if (!dr_path_exists(folders[i])) {
            init->folders[init->n_folders++] = folders[i];
        }
    }
    return DR_OK;
}

// After a failure: what this call made goes away, so that the same command can be typed again.
static void
take_back(const struct init *init)
{
    for (size_t i = 0; i < init->n_files; i++) {
        (void)unlink(init->files[i]);
    }
    for (size_t i = 0; i < init->n_folders; i++) {
        (void)rmdir(init->folders[i]); // not when something else lies in it
    }
}

enum dr_rc
dr_cmd_init(struct dr_cli *cli, struct dr_err *err)
{
    struct init *init = dr_arena_alloc(cli->arena, sizeof(*init));
    uint8_t pin[32] = {0};
    if (init == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    init->cli = cli;
    enum dr_rc rc = read_options(init, err);
    rc = rc == DR_OK ? list_files(init, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_dir_make("revisions", 0755, err);
    rc = rc == DR_OK ? dr_dir_make("trust", 0755, err) : rc;
    rc = rc == DR_OK ? dr_dir_make(".drover", 0700, err) : rc;
    rc = rc == DR_OK ? dr_dir_make(init->keys, 0700, err) : rc;
    rc = rc == DR_OK ? make_own_keys(init, err) : rc;
    rc = rc == DR_OK ? make_coordinator_key(init, err) : rc;
    rc = rc == DR_OK ? write_documents(init, pin, err) : rc;
    rc = rc == DR_OK ? write_conf(init, pin, err) : rc;
    dr_key_fini(&init->signing);
    if (rc == DR_OK) {
        say_next(init, pin);
    } else {
        take_back(init);
    }
    return rc;
}
