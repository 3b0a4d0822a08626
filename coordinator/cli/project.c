// Reads drover.conf. Flags go before DROVER_* variables, these before the file.

#include "coordinator/cli/project.h"
#include "coordinator/cli/cli.h"

#include "base/conf.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct dr_conf_key dr_project_keys[] = {
    {"project", DR_CONF_STR, NULL, true, NULL, "name of the project, part of every plan"},
    {"revisions", DR_CONF_STR, "revisions", false, NULL, "folder of the revision files"},
    {"trust", DR_CONF_STR, ".drover/trust", false, NULL,
     "folder of the documents that this person trusts"},
    {"root", DR_CONF_STR, "trust/root.1.drv", false, NULL, "file of the first root"},
    {"url", DR_CONF_STR, NULL, false, NULL,
     "database of direct mode: postgresql:///name or sqlite:FILE"},
    {"coordinator", DR_CONF_STR, NULL, false, NULL, "address of droverd: tcp://host:7800"},
    {"coordinator_key", DR_CONF_STR, NULL, false, NULL,
     "public transport key of droverd, 64 hex digits"},
    {"root_sha256", DR_CONF_STR, NULL, false, NULL,
     "SHA-256 of the first root file, 64 hex digits"},
    {"person", DR_CONF_STR, NULL, false, NULL, "your name as in the root"},
    {"key", DR_CONF_STR, NULL, false, NULL, "your signing key file"},
    {"transport", DR_CONF_STR, NULL, false, NULL, "your transport key file"},
    {"environment", DR_CONF_STR, NULL, false, NULL, "default of -e"},
    {"desired", DR_CONF_STR, NULL, false, NULL,
     "schema that the chain should make: FILE.sql or a URL"},
    {"version_table", DR_CONF_STR, NULL, false, NULL,
     "\"alembic\" keeps the table alembic_version in step in direct mode"},
    {0},
};

static const char *
environment_value(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *
given_conf(const struct dr_cli *cli)
{
    const char *given = dr_cli_option(cli, "config");
    return given ? given : environment_value("DROVER_CONFIG");
}

static enum dr_rc
find_conf(struct dr_cli *cli, char *out, struct dr_err *err)
{
    const char *given = given_conf(cli);
    if (given != NULL) {
        if (realpath(given, out) == NULL) {
            dr_err_set(err, DR_E_NOT_FOUND, "there is no file '%s'", given);
            return dr_err_hint(err, "%s",
                               dr_cli_has(cli, "config")
                                   ? "the right file behind --config, or leave it out"
                                   : "set DROVER_CONFIG to the right file, or unset it");
        }
        return DR_OK;
    }
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof(folder)) == NULL) {
        return dr_err_set(err, DR_E_IO, "this folder cannot be read");
    }
    for (;;) {
        int n = snprintf(out, PATH_MAX, "%s/drover.conf", dr_str_eq(folder, "/") ? "" : folder);
        if (n > 0 && n < PATH_MAX && dr_path_exists(out)) {
            return DR_OK;
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL || dr_str_eq(folder, "/")) {
            break;
        }
        slash[slash == folder ? 1 : 0] = '\0';
    }
    dr_err_set(err, DR_E_NOT_FOUND, "no drover.conf here or in a folder above");
    return dr_err_hint(err, "drover init");
}

const char *
dr_project_variable(const char *key, char out_name[64])
{
    static const char prefix[] = "DROVER_";
    size_t n = sizeof(prefix) - 1;
    memcpy(out_name, prefix, n);
    for (size_t i = 0; key[i] != '\0' && n + 1 < 64; i++) {
        out_name[n++] = key[i] >= 'a' && key[i] <= 'z' ? (char)(key[i] - 'a' + 'A') : key[i];
    }
    out_name[n] = '\0';
    return environment_value(out_name);
}

static const char *
overriding(const char *key)
{
    char name[64];
    return dr_project_variable(key, name);
}

const char *
dr_project_foreign_url(const char **out_name)
{
    static const char *const names[] = {"ALEMBIC_DB_URL", "DATABASE_URL"};
    for (size_t i = 0; i < DR_COUNT_OF(names); i++) {
        const char *value = environment_value(names[i]);
        if (value != NULL) {
            *out_name = names[i];
            return value;
        }
    }
    return NULL;
}

// The value of a key: DROVER_<KEY>, else the file's, copied with a check of its length.
static enum dr_rc
take(const struct dr_conf *conf, const char *key, char *out, size_t size, struct dr_err *err)
{
    const char *value = overriding(key);
    value = value ? value : dr_conf_str(conf, key);
    if (value != NULL && strlen(value) >= size) {
        return dr_err_set(err, DR_E_CONFIG, "'%s' is longer than %zu bytes", key, size - 1);
    }
    snprintf(out, size, "%s", value ? value : "");
    return DR_OK;
}

// A path: in the file it begins at the file's folder, in a variable at the folder one is in.
static enum dr_rc
take_path(const struct dr_conf *conf, const char *key, char *out, struct dr_err *err)
{
    char raw[PATH_MAX];
    char here[PATH_MAX];
    enum dr_rc rc = take(conf, key, raw, sizeof(raw), err);
    out[0] = '\0';
    if (rc != DR_OK || raw[0] == '\0') {
        return rc;
    }
    if (overriding(key) == NULL || raw[0] == '/') {
        dr_conf_resolve(conf, raw, out, PATH_MAX);
        return DR_OK;
    }
    int n = getcwd(here, sizeof(here)) != NULL ? snprintf(out, PATH_MAX, "%s/%s", here, raw) : -1;
    if (n < 0 || n >= PATH_MAX) {
        return dr_err_set(err, DR_E_CONFIG, "the path '%s' is too long", raw);
    }
    return DR_OK;
}

static enum dr_rc
take_hex(const struct dr_conf *conf, const char *key, uint8_t out[32], bool *out_has,
         struct dr_err *err)
{
    char text[80] = "";
    enum dr_rc rc = take(conf, key, text, sizeof(text), err);
    *out_has = text[0] != '\0';
    if (rc == DR_OK && *out_has && !dr_unhex(out, 32, text)) {
        dr_err_set(err, DR_E_CONFIG, "'%s' of '%s' is not 64 hex digits", key, dr_conf_path(conf));
        return dr_err_hint(err, "copy it whole from where drover init printed it");
    }
    return rc;
}

static enum dr_rc
take_version_table(struct dr_project *p, const struct dr_conf *conf, struct dr_err *err)
{
    char name[32] = "";
    enum dr_rc rc = take(conf, "version_table", name, sizeof(name), err);
    p->keeps_alembic = dr_str_eq(name, "alembic");
    if (rc == DR_OK && name[0] != '\0' && !p->keeps_alembic) {
        dr_err_set(err, DR_E_CONFIG, "version_table '%s' is none that drover keeps", name);
        return dr_err_hint(err, "version_table = \"alembic\", or leave it out");
    }
    return rc;
}

static enum dr_rc
fill(struct dr_project *p, const struct dr_conf *conf, struct dr_err *err)
{
    enum dr_rc rc = take(conf, "project", p->name, sizeof(p->name), err);
    const struct {
        const char *key;
        char *out;
    } paths[] = {{"revisions", p->revisions},
                 {"trust", p->trust},
                 {"root", p->root},
                 {"key", p->key},
                 {"transport", p->transport}};
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(paths); i++) {
        rc = take_path(conf, paths[i].key, paths[i].out, err);
    }
    rc = rc == DR_OK ? take(conf, "url", p->url, sizeof(p->url), err) : rc;
    rc = rc == DR_OK ? take(conf, "coordinator", p->coordinator, sizeof(p->coordinator), err) : rc;
    rc = rc == DR_OK ? take(conf, "person", p->person, sizeof(p->person), err) : rc;
    rc = rc == DR_OK ? take(conf, "environment", p->environment, sizeof(p->environment), err) : rc;
    rc = rc == DR_OK ? take(conf, "desired", p->desired, sizeof(p->desired), err) : rc;
    rc = rc == DR_OK
             ? take_hex(conf, "coordinator_key", p->coordinator_key, &p->has_coordinator_key, err)
             : rc;
    rc = rc == DR_OK ? take_hex(conf, "root_sha256", p->root_sha256, &p->has_root_pin, err) : rc;
    return rc == DR_OK ? take_version_table(p, conf, err) : rc;
}

enum dr_rc
dr_project_need(struct dr_cli *cli, struct dr_err *err)
{
    if (cli->project != NULL) {
        return DR_OK;
    }
    struct dr_project *p = calloc(1, sizeof(*p));
    struct dr_conf *conf = NULL;
    if (p == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = find_conf(cli, p->conf_path, err);
    if (rc == DR_OK) {
        rc = dr_conf_read(p->conf_path, dr_project_keys, &conf, err);
    }
    if (rc == DR_OK) {
        snprintf(p->folder, sizeof(p->folder), "%.*s",
                 (int)(strrchr(p->conf_path, '/') - p->conf_path), p->conf_path);
        rc = fill(p, conf, err);
    }
    dr_conf_free(&conf);
    if (rc != DR_OK) {
        free(p);
        return rc;
    }
    cli->project = p;
    return DR_OK;
}

enum dr_rc
dr_project_maybe(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = dr_project_need(cli, err);
    if (rc != DR_E_NOT_FOUND || given_conf(cli) != NULL) {
        return rc;
    }
    struct dr_project *p = calloc(1, sizeof(*p));
    if (p == NULL || getcwd(p->folder, sizeof(p->folder)) == NULL) {
        free(p);
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    *err = (struct dr_err){0};
    snprintf(p->name, sizeof(p->name), "default");
    snprintf(p->revisions, sizeof(p->revisions), "%.*s/revisions", (int)sizeof(p->revisions) - 16,
             p->folder);
    cli->project = p;
    return DR_OK;
}

void
dr_project_close(struct dr_project **project)
{
    free(*project);
    *project = NULL;
}

const char *
dr_project_direct_url(const struct dr_cli *cli)
{
    const char *url = dr_cli_option(cli, "url");
    url = url ? url : environment_value("DROVER_URL");
    const struct dr_project *p = cli->project;
    if (url != NULL || (p != NULL && p->coordinator[0] != '\0')) {
        return url;
    }
    const char *unused = NULL;
    url = dr_project_foreign_url(&unused);
    return url == NULL && p != NULL && p->url[0] != '\0' ? p->url : url;
}

const char *
dr_project_shown(const struct dr_cli *cli, const char *path)
{
    char here[PATH_MAX];
    if (getcwd(here, sizeof(here)) == NULL || dr_str_eq(here, "/")) {
        return path;
    }
    size_t len = strlen(here);
    if (strncmp(path, here, len) != 0 || path[len] != '/') {
        return path;
    }
    const char *shown = dr_arena_str(cli->arena, path + len + 1);
    return shown != NULL && shown[0] != '\0' ? shown : path;
}

enum dr_rc
dr_project_need_coordinator(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = dr_project_need(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_project *p = cli->project;
    const char *missing = p->coordinator[0] == '\0' ? "coordinator"
                          : !p->has_coordinator_key ? "coordinator_key"
                          : !p->has_root_pin        ? "root_sha256"
                          : p->transport[0] == '\0' ? "transport"
                                                    : NULL;
    if (missing != NULL) {
        dr_err_set(err, DR_E_CONFIG, "'%s' is not set in '%s', so no coordinator can be reached",
                   missing, dr_project_shown(cli, p->conf_path));
        if (dr_str_eq(missing, "root_sha256")) {
            return dr_err_hint(err, "drover sign %s notes it once enough people have signed",
                               dr_project_shown(cli, p->root));
        }
        return dr_err_hint(err, "add it, set DROVER_%s, or work on one database with --url",
                           dr_str_eq(missing, "transport")         ? "TRANSPORT"
                           : dr_str_eq(missing, "coordinator_key") ? "COORDINATOR_KEY"
                                                                   : "COORDINATOR");
    }
    return DR_OK;
}
