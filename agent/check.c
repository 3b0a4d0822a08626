// Check: see check.h. Everything but the databases (check_db.c).
#include "agent/check.h"

#include "agent/confine.h"
#include "agent/state.h"
#include "base/arena.h"
#include "base/file.h"
#include "proto/service.pb-c.h"
#include "rpc/client.h"
#include "trust/keywords.h"
#include "trust/root.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT_FILE_MAX    (256u * 1024u)
#define ARENA_MAX        (4u * 1048576u)
#define HEALTH_MS        5000u
#define FINDING_TEXT_MAX 1024u

struct dr_agent_check_list {
    FILE *out; // NULL: JSON is collected
    json_t *items;
    unsigned failed;
};

void
dr_agent_check_add(struct dr_agent_check_list *list, enum dr_agent_check_level level,
                   const char *item, const char *remedy, const char *fmt, ...)
{
    static const char *const NAMES[] = {"ok", "warn", "FAIL"};
    char text[FINDING_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    list->failed += level == DR_LEVEL_FAIL;
    if (list->out == NULL) {
        (void)json_array_append_new(list->items, json_pack("{s:s, s:s, s:s, s:s}", "level",
                                                           NAMES[level], "item", item, "text", text,
                                                           "remedy", remedy == NULL ? "" : remedy));
        return;
    }
    (void)fprintf(list->out, "%-5s %-24s %s\n", NAMES[level], item, text);
    if (remedy != NULL && remedy[0] != '\0' && level != DR_LEVEL_OK) {
        (void)fprintf(list->out, "%-30s try: %s\n", "", remedy);
    }
}

void
dr_agent_check_add_err(struct dr_agent_check_list *list, const char *item, const struct dr_err *err)
{
    dr_agent_check_add(list, DR_LEVEL_FAIL, item,
                       err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc), "%s", err->message);
}

// -------------------------------------------------------------------------------- keys, root

static bool
check_key(struct dr_agent_check_list *list, const char *item, const char *path,
          enum dr_key_kind kind, struct dr_key *out)
{
    struct dr_err err = {0};
    if (dr_keyfile_load(path, kind, NULL, out, &err) != DR_OK) {
        dr_agent_check_add_err(list, item, &err);
        return false;
    }
    char hex[2 * DR_KEY_SIZE + 1];
    dr_hex(hex, out->public_key, DR_KEY_SIZE);
    dr_agent_check_add(list, DR_LEVEL_OK, item, NULL, "'%s', public half %s", path, hex);
    return true;
}

static void
check_root(struct dr_agent_check_list *list, const struct dr_agent_config *config,
           struct dr_arena *arena, struct dr_root *out)
{
    struct dr_err err = {0};
    char *bytes = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(config->root, ROOT_FILE_MAX, &bytes, &len, &err);
    if (rc == DR_OK) {
        const struct dr_bytes wire = {.data = dr_arena_copy(arena, bytes, len), .len = len};
        rc = dr_root_first(arena, wire, config->root_sha256, out, &err);
    }
    free(bytes);
    if (rc != DR_OK) {
        dr_agent_check_add_err(list, "root", &err);
        return;
    }
    dr_agent_check_add(list, DR_LEVEL_OK, "root", NULL, "'%s' is the pinned one, %zu %s",
                       config->root, out->msg->n_people,
                       out->msg->n_people == 1 ? "person" : "people");
}

// ------------------------------------------------------------------------------------ folders

static void
check_state(struct dr_agent_check_list *list, const struct dr_agent_config *config)
{
    struct dr_err err = {0};
    struct dr_agent_state *state = NULL;
    int64_t waiting = 0;
    if (!dr_path_exists(config->state)) {
        dr_agent_check_add(list, DR_LEVEL_OK, "state", NULL,
                           "'%s' is not there yet: the agent makes it", config->state);
        return;
    }
    if (access(config->state, W_OK | X_OK) != 0) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, "state",
                           "chown the folder to the agent's user, chmod 700",
                           "'%s' cannot be written: %s", config->state, strerror(errno));
        return;
    }
    enum dr_rc rc = dr_agent_state_open(config->state, &state, &err);
    rc = rc != DR_OK ? rc : dr_agent_state_outbox_count(state, &waiting, &err);
    dr_agent_state_close(&state);
    if (rc != DR_OK) {
        dr_agent_check_add_err(list, "state", &err);
        return;
    }
    dr_agent_check_add(list, DR_LEVEL_OK, "state", NULL,
                       "'%s', %lld attestations wait for the coordinator", config->state,
                       (long long)waiting);
}

static void
check_backups(struct dr_agent_check_list *list, const struct dr_agent_config *config)
{
    if (!dr_path_exists(config->backups)) {
        dr_agent_check_add(list, DR_LEVEL_OK, "backups", NULL,
                           "'%s' is not there yet: the agent makes it", config->backups);
    } else if (access(config->backups, W_OK | X_OK) != 0) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, "backups", "chown the folder to the agent's user",
                           "'%s' cannot be written: %s", config->backups, strerror(errno));
    } else {
        dr_agent_check_add(list, DR_LEVEL_OK, "backups", NULL, "'%s'", config->backups);
    }
}

// The programs that the configuration names for backups.
static void
check_commands(struct dr_agent_check_list *list, const struct dr_agent_config *config)
{
    static const char *const ITEMS[DR_AGENT_COMMANDS] = {
        [DR_AGENT_TAKE] = "backup_command",
        [DR_AGENT_VERIFY] = "backup_verify_command",
        [DR_AGENT_RESTORE] = "backup_restore_command",
        [DR_AGENT_PRUNE] = "backup_prune_command",
    };
    for (size_t i = 0; i < DR_AGENT_COMMANDS; i++) {
        const char *program = config->commands[i][0];
        if (program != NULL && access(program, X_OK) != 0) {
            dr_agent_check_add(list, DR_LEVEL_FAIL, ITEMS[i], "install it, or name another one",
                               "'%s' cannot be run: %s", program, strerror(errno));
        } else if (program != NULL) {
            dr_agent_check_add(list, DR_LEVEL_OK, ITEMS[i], NULL, "'%s'", program);
        } else if (dr_str_eq(config->backup, "command")) {
            dr_agent_check_add(list, DR_LEVEL_OK, ITEMS[i], NULL,
                               "none: drover does not do this with what backup_command made");
        }
    }
}

static void
check_walls(struct dr_agent_check_list *list, const struct dr_agent_config *config)
{
    bool has_user = geteuid() == 0 && config->net_user != NULL;
    if (has_user) {
        dr_agent_check_add(list, DR_LEVEL_OK, "walls", NULL, "the net process runs as user '%s'",
                           config->net_user);
    } else if (dr_confine_is_available()) {
        dr_agent_check_add(
            list, DR_LEVEL_OK, "walls", NULL,
            "the net process has the same user; Landlock keeps it from keys, state and databases");
    } else {
        dr_agent_check_add(
            list, DR_LEVEL_WARN, "walls",
            "set net_user and start as root, e.g. by the systemd unit",
            "the net process has the same user and no Landlock: who takes it over reads "
            "keys and passwords");
    }
}

// -------------------------------------------------------------------------------- coordinator

static void
check_health(struct dr_agent_check_list *list, const struct dr_agent_config *config,
             const struct dr_root *root, const Drover__V1__HealthReply *reply)
{
    if (root->msg != NULL && reply->cluster_id.len > 0 &&
        (reply->cluster_id.len != root->msg->cluster_id.len ||
         memcmp(reply->cluster_id.data, root->msg->cluster_id.data, reply->cluster_id.len) != 0)) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, "coordinator",
                           "compare 'coordinator' and 'root' in the configuration",
                           "'%s' serves another cluster than the root's", config->coordinator);
    } else if (!dr_str_eq(reply->caller_kind, "agent")) {
        dr_agent_check_add(
            list, DR_LEVEL_WARN, "coordinator", "drover agent add, signed by the fleet role",
            "'%s' answers, but does not know this agent's transport key", config->coordinator);
    } else if (!dr_str_eq(reply->caller, config->agent)) {
        dr_agent_check_add(list, DR_LEVEL_FAIL, "coordinator",
                           "set agent to that name, or add this one to the fleet",
                           "'%s' knows this key as agent '%s', the configuration says '%s'",
                           config->coordinator, reply->caller, config->agent);
    } else {
        dr_agent_check_add(list, DR_LEVEL_OK, "coordinator", NULL,
                           "'%s', version %s, knows this agent as '%s'", config->coordinator,
                           reply->version, reply->caller);
    }
}

static void
check_coordinator(struct dr_agent_check_list *list, const struct dr_agent_config *config,
                  struct dr_key *transport, const struct dr_root *root, struct dr_arena *arena)
{
    struct dr_err err = {0};
    struct dr_rpc_client *client = NULL;
    ProtobufCMessage *reply = NULL;
    Drover__V1__HealthRequest request = DROVER__V1__HEALTH_REQUEST__INIT;
    const struct dr_rpc_client_config options = {
        .url = config->coordinator,
        .server_key = config->coordinator_key,
        .secret_key = dr_secret_bytes(transport->secret),
        .tls_ca_file = config->coordinator_ca[0] == '\0' ? NULL : config->coordinator_ca,
    };
    enum dr_rc rc = dr_rpc_client_open(&options, &client, &err);
    rc = rc != DR_OK ? rc
                     : dr_rpc_call(client, DR_METHOD_HEALTH_CHECK, &request.base, arena, &reply,
                                   HEALTH_MS, &err);
    if (rc != DR_OK) {
        dr_agent_check_add_err(list, "coordinator", &err);
    } else {
        check_health(list, config, root, (const Drover__V1__HealthReply *)reply);
    }
    dr_rpc_client_close(&client);
}

// --------------------------------------------------------------------------------------- all

static void
check_all(struct dr_agent_check_list *list, const struct dr_agent_config *config,
          struct dr_arena *arena)
{
    struct dr_key signing = {0};
    struct dr_key transport = {0};
    struct dr_root root = {0};
    dr_agent_check_add(list, DR_LEVEL_OK, "configuration", NULL,
                       "'%s', agent '%s' of '%s', %zu target%s", config->path, config->agent,
                       config->environment, config->n_targets, config->n_targets == 1 ? "" : "s");
    bool has_key = check_key(list, "key", config->key, DR_KEY_SIGNING, &signing);
    bool has_transport =
        check_key(list, "transport key", config->transport_key, DR_KEY_TRANSPORT, &transport);
    if (has_key && has_transport) {
        char words[DR_KEY_WORDS_SIZE];
        dr_key_words(signing.public_key, transport.public_key, words);
        dr_agent_check_add(list, DR_LEVEL_OK, "keys in words", NULL, "%s", words);
    }
    check_root(list, config, arena, &root);
    check_state(list, config);
    check_backups(list, config);
    check_commands(list, config);
    check_walls(list, config);
    if (has_transport) {
        check_coordinator(list, config, &transport, &root, arena);
    }
    for (size_t i = 0; i < config->n_targets; i++) {
        dr_agent_check_database(list, config, &config->targets[i]);
    }
    dr_key_fini(&signing);
    dr_key_fini(&transport);
}

enum dr_rc
dr_agent_check(const char *config_path, bool as_json, FILE *out, struct dr_err *err)
{
    struct dr_agent_check_list list = {.out = as_json ? NULL : out,
                                       .items = as_json ? json_array() : NULL};
    struct dr_agent_config config = {0};
    struct dr_err bad = {0};
    struct dr_arena *arena = dr_arena_new(ARENA_MAX);
    if (arena == NULL || (as_json && list.items == NULL)) {
        dr_arena_free(&arena);
        json_decref(list.items);
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (dr_agent_config_read(config_path, &config, &bad) != DR_OK) {
        dr_agent_check_add_err(&list, "configuration", &bad);
    } else {
        check_all(&list, &config, arena);
        dr_agent_config_fini(&config);
    }
    if (as_json) {
        (void)json_dumpf(list.items, out, JSON_INDENT(2));
        (void)fputc('\n', out);
        json_decref(list.items);
    }
    dr_arena_free(&arena);
    return list.failed == 0
               ? DR_OK
               : dr_err_set(err, DR_E_AGENT_CHECK, "%u of the checks failed", list.failed);
}
