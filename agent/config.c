// Configuration: see config.h. Everything that is wrong with the file is found here, with the key's
// name.
#include "agent/config.h"

#include "base/conf.h"
#include "base/file.h"
#include "base/str.h"
#include "db/db.h"
#include "trust/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dr_conf_key TARGET_KEYS[] = {
    {.name = "url",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "the database: postgresql://USER@HOST/DATABASE or sqlite:FILE"},
    {.name = "version_table",
     .type = DR_CONF_STR,
     .help = "\"alembic\" keeps the table alembic_version in step"},
    {0},
};

static const struct dr_conf_key KEYS[] = {
    {.name = "agent",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "name of this agent in the fleet"},
    {.name = "environment",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "the one environment that this agent serves"},
    {.name = "coordinator",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "where droverd listens: tcp://HOST:7800"},
    {.name = "coordinator_key",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "droverd's public transport key, 64 hex digits"},
    {.name = "coordinator_ca",
     .type = DR_CONF_STR,
     .help = "tls+tcp://: file of the certificate authority (PEM)"},
    {.name = "root", .type = DR_CONF_STR, .is_required = true, .help = "file of the first root"},
    {.name = "root_sha256",
     .type = DR_CONF_STR,
     .is_required = true,
     .help = "SHA-256 of that file: the one thing that is trusted from the start"},
    {.name = "state",
     .type = DR_CONF_STR,
     .fallback = "/var/lib/drover-agent",
     .help = "folder of the agent's state"},
    {.name = "key",
     .type = DR_CONF_STR,
     .fallback = "agent.key",
     .help = "signing key, made by drover-agent key new"},
    {.name = "transport_key",
     .type = DR_CONF_STR,
     .fallback = "agent.transport",
     .help = "transport key, made by drover-agent key new"},
    {.name = "backups",
     .type = DR_CONF_STR,
     .help = "folder of backups; default: backups in the state folder"},
    {.name = "backup_keep",
     .type = DR_CONF_DURATION,
     .fallback = "30d",
     .help = "how long a backup is kept"},
    {.name = "backup",
     .type = DR_CONF_STR,
     .fallback = "custom",
     .help = "PostgreSQL: custom (one file) or directory (a folder, with backup_jobs); any "
             "database: command (backup_command), or none"},
    {.name = "backup_command",
     .type = DR_CONF_LIST,
     .help = "backup = command: program and arguments that make one and print evidence as JSON"},
    {.name = "backup_verify_command",
     .type = DR_CONF_LIST,
     .help = "reads the backup DROVER_BACKUP again; exit 0: it is good"},
    {.name = "backup_restore_command",
     .type = DR_CONF_LIST,
     .help = "restores it somewhere and prints how far that went, as JSON"},
    {.name = "backup_prune_command",
     .type = DR_CONF_LIST,
     .help = "removes it when its time is over"},
    {.name = "backup_timeout",
     .type = DR_CONF_DURATION,
     .fallback = "4h",
     .help = "longest time for one backup, its check or its restore"},
    {.name = "backup_jobs",
     .type = DR_CONF_INT,
     .fallback = "4",
     .help = "backup = directory: tables dumped at once, 1 to 64"},
    {.name = "backup_compress",
     .type = DR_CONF_STR,
     .help = "zstd:LEVEL (from pg_dump 16 on), gzip:LEVEL or none; default: pg_dump's own"},
    {.name = "restore_server",
     .type = DR_CONF_STR,
     .help = "PostgreSQL server for restored backups; default: a private one for each"},
    {.name = "pg_bindir",
     .type = DR_CONF_STR,
     .help = "folder of pg_dump; default: the newest that fits"},
    {.name = "net_user",
     .type = DR_CONF_STR,
     .help = "user of the process that talks to the coordinator, when started as root"},
    {.name = "run_timeout",
     .type = DR_CONF_DURATION,
     .fallback = "24h",
     .help = "longest run of one plan"},
    {.name = "log", .type = DR_CONF_STR, .fallback = "info", .help = "debug, info, warn or error"},
    {.name = "log_format", .type = DR_CONF_STR, .fallback = "auto", .help = "auto, text or json"},
    {.name = "target",
     .type = DR_CONF_SECTION,
     .section = TARGET_KEYS,
     .help = "a database that this agent serves"},
    {0},
};

const struct dr_conf_key *
dr_agent_config_keys(void)
{
    return KEYS;
}

static enum dr_rc
bad(const struct dr_conf *conf, struct dr_err *err, const char *key, const char *want)
{
    const char *value = dr_conf_str(conf, key);
    (void)dr_err_set(err, DR_E_CONFIG, "%s: '%s' has the value '%s'", dr_conf_path(conf), key,
                     value == NULL ? "" : value);
    return dr_err_hint(err, "write %s", want);
}

static enum dr_rc
take_name(const struct dr_conf *conf, const char *key, char out[DR_AGENT_NAME_SIZE],
          struct dr_err *err)
{
    const char *value = dr_conf_str(conf, key);
    if (value == NULL || !dr_name_is_valid(value)) {
        return bad(conf, err, key, "a name of letters a-z, digits, '.', '_' and '-'");
    }
    (void)snprintf(out, DR_AGENT_NAME_SIZE, "%s", value);
    return DR_OK;
}

static enum dr_rc
take_hex(const struct dr_conf *conf, const char *key, uint8_t out[32], struct dr_err *err)
{
    const char *value = dr_conf_str(conf, key);
    if (value == NULL || !dr_unhex(out, 32, value)) {
        return bad(conf, err, key, "64 hex digits");
    }
    return DR_OK;
}

static void
take_path(const struct dr_conf *conf, const char *key, char out[PATH_MAX])
{
    const char *value = dr_conf_str(conf, key);
    out[0] = '\0';
    if (value != NULL && value[0] != '\0') {
        dr_conf_resolve(conf, value, out, PATH_MAX);
    }
}

static enum dr_rc
take_log(struct dr_agent_config *config, struct dr_err *err)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    static const char *const FORMATS[] = {"auto", "text", "json"};
    size_t level = 0;
    size_t format = 0;
    while (level < DR_COUNT_OF(LEVELS) &&
           !dr_str_eq(LEVELS[level], dr_conf_str(config->conf, "log"))) {
        level++;
    }
    while (format < DR_COUNT_OF(FORMATS) &&
           !dr_str_eq(FORMATS[format], dr_conf_str(config->conf, "log_format"))) {
        format++;
    }
    if (level == DR_COUNT_OF(LEVELS)) {
        return bad(config->conf, err, "log", "debug, info, warn or error");
    }
    if (format == DR_COUNT_OF(FORMATS)) {
        return bad(config->conf, err, "log_format", "auto, text or json");
    }
    config->log_level = (enum dr_log_level)level;
    config->log_format = (enum dr_log_format)format;
    return DR_OK;
}

static enum dr_rc
take_target(const struct dr_agent_config *config, const struct dr_conf *section,
            struct dr_agent_target *out, struct dr_err *err)
{
    const char *name = dr_conf_title(section);
    const char *path = dr_conf_path(config->conf);
    if (!dr_target_name_is_valid(name)) {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: '%s' is not the name of a target", path, name);
        return dr_err_hint(err, "write target \"%s/NAME\" { url = \"...\" }", config->environment);
    }
    size_t len = strlen(config->environment);
    if (strncmp(name, config->environment, len) != 0 || name[len] != '/') {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: target '%s' is not of environment '%s'", path, name,
                         config->environment);
        return dr_err_hint(
            err, "an agent serves one environment: run a second agent with a key of its own");
    }
    out->url = dr_conf_str(section, "url");
    enum dr_db_kind kind = dr_db_kind_of(out->url == NULL ? "" : out->url);
    if (kind == DR_DB_UNKNOWN) {
        (void)dr_err_set(err, DR_E_CONFIG,
                         "%s: the url of target '%s' names no database that drover knows", path,
                         name);
        return dr_err_hint(err, "%s", dr_rc_hint(DR_E_DB_URL));
    }
    out->engine =
        kind == DR_DB_POSTGRES ? DROVER__V1__ENGINE__POSTGRESQL : DROVER__V1__ENGINE__SQLITE;
    const char *table = dr_conf_str(section, "version_table");
    out->keeps_alembic = table != NULL && strcmp(table, "alembic") == 0;
    if (table != NULL && !out->keeps_alembic) {
        (void)dr_err_set(err, DR_E_CONFIG,
                         "%s: version_table '%s' of target '%s' is none that "
                         "drover keeps",
                         path, table, name);
        return dr_err_hint(err, "version_table = \"alembic\", or leave it out");
    }
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    return DR_OK;
}

static int
compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct dr_agent_target *)a)->name,
                  ((const struct dr_agent_target *)b)->name);
}

static enum dr_rc
take_targets(struct dr_agent_config *config, struct dr_err *err)
{
    size_t n = dr_conf_section_count(config->conf, "target");
    if (n == 0 || n > DR_AGENT_TARGETS_MAX) {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: there are %zu targets, an agent has 1 to %u",
                         config->path, n, DR_AGENT_TARGETS_MAX);
        return dr_err_hint(err, "write target \"%s/NAME\" { url = \"...\" }", config->environment);
    }
    config->targets = calloc(n, sizeof *config->targets);
    if (config->targets == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    config->n_targets = n;
    for (size_t i = 0; i < n; i++) {
        enum dr_rc rc = take_target(config, dr_conf_section_at(config->conf, "target", i),
                                    &config->targets[i], err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    qsort(config->targets, n, sizeof *config->targets, compare_targets);
    for (size_t i = 1; i < n; i++) {
        if (dr_str_eq(config->targets[i - 1].name, config->targets[i].name)) {
            return dr_err_set(err, DR_E_CONFIG, "%s: target '%s' stands there twice", config->path,
                              config->targets[i].name);
        }
    }
    return DR_OK;
}

// "zstd:3" and its like; the level is pg_dump's to judge.
static bool
is_compress(const char *value)
{
    uint64_t level = 0;
    return dr_str_eq(value, "none") ||
           ((dr_str_starts(value, "zstd:") || dr_str_starts(value, "gzip:")) &&
            dr_parse_u64(strchr(value, ':') + 1, 0, 22, &level));
}

static const char *const COMMAND_KEYS[DR_AGENT_COMMANDS] = {
    [DR_AGENT_TAKE] = "backup_command",
    [DR_AGENT_VERIFY] = "backup_verify_command",
    [DR_AGENT_RESTORE] = "backup_restore_command",
    [DR_AGENT_PRUNE] = "backup_prune_command",
};

static enum dr_rc
take_command(struct dr_agent_config *config, enum dr_agent_command which, struct dr_err *err)
{
    const char *key = COMMAND_KEYS[which];
    size_t n = dr_conf_list_len(config->conf, key);
    if (n > DR_AGENT_WORDS_MAX) {
        return dr_err_set(err, DR_E_CONFIG, "%s: '%s' has more than %u words", config->path, key,
                          DR_AGENT_WORDS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const char *word = dr_conf_list_at(config->conf, key, i);
        if ((i == 0 && word[0] != '/') || strlen(word) > DR_AGENT_WORD_MAX) {
            (void)dr_err_set(err, DR_E_CONFIG, "%s: '%s' begins with '%.200s', no absolute path",
                             config->path, key, word);
            return dr_err_hint(err, "no shell reads it: %s = {\"/usr/bin/program\", \"--option\"}",
                               key);
        }
        config->commands[which][i] = word;
    }
    return DR_OK;
}

static enum dr_rc
take_commands(struct dr_agent_config *config, struct dr_err *err)
{
    bool is_by_command = dr_str_eq(config->backup, "command");
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < DR_AGENT_COMMANDS; i++) {
        rc = take_command(config, (enum dr_agent_command)i, err);
    }
    if (rc == DR_OK && is_by_command != (config->commands[DR_AGENT_TAKE][0] != NULL)) {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: %s", config->path,
                         is_by_command ? "backup is 'command', and there is no backup_command"
                                       : "there is a backup_command, and backup is not 'command'");
        return dr_err_hint(
            err, "backup = \"command\" and backup_command = {\"/path/of/a/program\"}, or neither");
    }
    return rc;
}

static enum dr_rc
take_backup(struct dr_agent_config *config, struct dr_err *err)
{
    const struct dr_conf *conf = config->conf;
    int64_t jobs = dr_conf_int(conf, "backup_jobs");
    config->backup = dr_conf_str(conf, "backup");
    config->backup_compress = dr_conf_str(conf, "backup_compress");
    if (!dr_str_eq(config->backup, "custom") && !dr_str_eq(config->backup, "directory") &&
        !dr_str_eq(config->backup, "command") && !dr_str_eq(config->backup, "none")) {
        return bad(conf, err, "backup", "custom, directory, command or none");
    }
    config->backup_timeout_ms = dr_conf_duration_ms(conf, "backup_timeout");
    if (config->backup_timeout_ms < 1000 || config->backup_timeout_ms > DR_AGENT_BACKUP_MS_MAX) {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: backup_timeout is not from 1s to 30d",
                         config->path);
        return dr_err_hint(err, "write backup_timeout = \"4h\"");
    }
    if (jobs < 1 || jobs > DR_AGENT_BACKUP_JOBS_MAX) {
        (void)dr_err_set(err, DR_E_CONFIG, "%s: backup_jobs is not from 1 to %d", config->path,
                         DR_AGENT_BACKUP_JOBS_MAX);
        return dr_err_hint(err, "write backup_jobs = 4");
    }
    config->backup_jobs = (unsigned)jobs;
    if (config->backup_compress != NULL && !is_compress(config->backup_compress)) {
        return bad(conf, err, "backup_compress", "zstd:3, gzip:6 or none");
    }
    return take_commands(config, err);
}

static enum dr_rc
take_all(struct dr_agent_config *config, struct dr_err *err)
{
    const struct dr_conf *conf = config->conf;
    enum dr_rc rc = take_name(conf, "agent", config->agent, err);
    rc = rc != DR_OK ? rc : take_name(conf, "environment", config->environment, err);
    rc = rc != DR_OK ? rc : take_hex(conf, "coordinator_key", config->coordinator_key, err);
    rc = rc != DR_OK ? rc : take_hex(conf, "root_sha256", config->root_sha256, err);
    rc = rc != DR_OK ? rc : take_log(config, err);
    if (rc != DR_OK) {
        return rc;
    }
    config->coordinator = dr_conf_str(conf, "coordinator");
    if (!dr_str_starts(config->coordinator, "tcp://") &&
        !dr_str_starts(config->coordinator, "tls+tcp://")) {
        return bad(conf, err, "coordinator", "tcp://HOST:PORT or tls+tcp://HOST:PORT");
    }
    take_path(conf, "coordinator_ca", config->coordinator_ca);
    if (dr_str_starts(config->coordinator, "tls+") && config->coordinator_ca[0] == '\0') {
        return bad(conf, err, "coordinator_ca",
                   "the file of the certificate authority, for tls+tcp://");
    }
    take_path(conf, "root", config->root);
    take_path(conf, "state", config->state);
    take_path(conf, "key", config->key);
    take_path(conf, "transport_key", config->transport_key);
    take_path(conf, "backups", config->backups);
    take_path(conf, "pg_bindir", config->pg_bindir);
    if (config->backups[0] == '\0' && snprintf(config->backups, PATH_MAX, "%.*s/backups",
                                               PATH_MAX - 16, config->state) >= PATH_MAX) {
        return bad(conf, err, "state", "a shorter path");
    }
    rc = take_backup(config, err);
    if (rc != DR_OK) {
        return rc;
    }
    config->restore_server = dr_conf_str(conf, "restore_server");
    if (config->restore_server != NULL && dr_db_kind_of(config->restore_server) != DR_DB_POSTGRES) {
        return bad(conf, err, "restore_server", "postgresql://USER@HOST/postgres");
    }
    config->net_user = dr_conf_str(conf, "net_user");
    config->backup_keep_ms = dr_conf_duration_ms(conf, "backup_keep");
    config->run_timeout_ms = dr_conf_duration_ms(conf, "run_timeout");
    if (config->run_timeout_ms == 0) {
        return bad(conf, err, "run_timeout", "a duration such as 24h");
    }
    return take_targets(config, err);
}

enum dr_rc
dr_agent_config_read(const char *path, struct dr_agent_config *out, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    enum dr_rc rc = dr_conf_read(path, KEYS, &config.conf, err);
    if (rc != DR_OK) {
        return rc;
    }
    (void)snprintf(config.path, sizeof config.path, "%s", path);
    rc = take_all(&config, err);
    if (rc != DR_OK) {
        dr_agent_config_fini(&config);
        return rc;
    }
    *out = config;
    return DR_OK;
}

void
dr_agent_config_fini(struct dr_agent_config *config)
{
    free(config->targets);
    dr_conf_free(&config->conf);
    *config = (struct dr_agent_config){0};
}

const struct dr_agent_target *
dr_agent_config_target(const struct dr_agent_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_targets; i++) {
        if (dr_str_eq(config->targets[i].name, name)) {
            return &config->targets[i];
        }
    }
    return NULL;
}
