// Configuration of drover-agent: one file, read once, checked whole.
#ifndef DR_AGENT_CONFIG_H
#define DR_AGENT_CONFIG_H

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"
#include "proto/documents.pb-c.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define DR_AGENT_TARGETS_MAX     256u
#define DR_AGENT_BACKUP_JOBS_MAX 64
#define DR_AGENT_BACKUP_MS_MAX   (30ull * 24 * 3600 * 1000)
#define DR_AGENT_KEY_NEXT        ".next" // behind a key file's name: the one that is to follow
#define DR_AGENT_NAME_SIZE       65u     // an agent's or environment's name with its NUL
#define DR_AGENT_TARGET_SIZE     130u    // "environment/name" with its NUL

// Words of a command and the NULL behind them.
#define DR_AGENT_WORDS_MAX 32u
#define DR_AGENT_WORD_MAX  4096u // bytes of one

struct dr_conf_key;

struct dr_agent_target {
    char name[DR_AGENT_TARGET_SIZE]; // "production/orders"
    Drover__V1__Engine engine;       // by the URL
    const char *url;                 // owned by the configuration; may hold a password
    bool keeps_alembic;              // version_table = "alembic"
};

// What a command of the configuration does with backups.
enum dr_agent_command {
    DR_AGENT_TAKE,
    DR_AGENT_VERIFY,
    DR_AGENT_RESTORE,
    DR_AGENT_PRUNE,
    DR_AGENT_COMMANDS
};

// agent = "db7"                        its name in fleet
// environment = "production"           every target begins with it
// coordinator = "tcp://host:7800"      where to dial
// coordinator_key = "<64 hex>"         X25519, pinned
// coordinator_ca = "ca.pem"            only for tls+tcp://HOST:PORT
// root = "root.drv"                    the first root, and
// root_sha256 = "<64 hex>"             its SHA-256, pinned
// state = "/var/lib/drover-agent"      folder, made with mode 0700
// key, transport_key                   files of `drover-agent key new`; fallbacks agent.key,
// agent.transport backups = "..."                      folder; fallback STATE/backups backup_keep =
// "30d"                  how long the agent says that it keeps one pg_bindir = "..." where pg_dump
// is; fallback: looked for net_user = "..."                     user of the net process when
// started as root run_timeout = "24h"                  longest run of a plan log = "info",
// log_format = "auto" target "production/orders" { url = "postgresql:///orders" } Paths are
// relative to the file's folder.
struct dr_agent_config {
    struct dr_conf *conf; // owns the texts
    char agent[DR_AGENT_NAME_SIZE], environment[DR_AGENT_NAME_SIZE];
    const char *coordinator;
    uint8_t coordinator_key[32], root_sha256[32];
    char coordinator_ca[PATH_MAX]; // "": none
    char path[PATH_MAX], root[PATH_MAX], state[PATH_MAX], key[PATH_MAX], transport_key[PATH_MAX];
    char backups[PATH_MAX];
    char pg_bindir[PATH_MAX]; // "": looked for
    const char *backup;       // "custom", "directory", "command", "none"
    // Each ends with NULL; an empty one: not configured.
    const char *commands[DR_AGENT_COMMANDS][DR_AGENT_WORDS_MAX + 1];
    const char *backup_compress; // NULL: as pg_dump does
    unsigned backup_jobs;
    const char *restore_server; // URL of a server for restored backups; NULL: a private one
    const char *net_user;       // NULL: none
    uint64_t backup_keep_ms, backup_timeout_ms, run_timeout_ms;
    enum dr_log_level log_level;
    enum dr_log_format log_format;
    struct dr_agent_target *targets; // sorted by name
    size_t n_targets;
};

// The table of keys, for `--help`; ends with {0}.
const struct dr_conf_key *dr_agent_config_keys(void);
// Reads and checks `path`. DR_E_CONFIG (key, hex, name, URL, target twice or of another
// environment), DR_E_NOT_FOUND, DR_E_IO. Looks at no other file.
DR_MUST_CHECK enum dr_rc
dr_agent_config_read(const char *path, struct dr_agent_config *out, struct dr_err *err);
void dr_agent_config_fini(struct dr_agent_config *config);
// The target of that name, or NULL.
const struct dr_agent_target *
dr_agent_config_target(const struct dr_agent_config *config, const char *name);

#endif
