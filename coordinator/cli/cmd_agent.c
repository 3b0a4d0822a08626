// agent add, agent approve: a new version of the fleet with one more agent and its targets, signed
// by me.

#include "coordinator/cli/agent_conf.h"
#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/fleet_change.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "db/db.h"
#include "db/pg.h"
#include "trust/keywords.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_PER_CALL_MAX 256u // as many as one agent serves
#define SYSTEM_MAX           63u

struct adding {
    struct dr_cli *cli;
    struct dr_public key;
    const char *environment;
    struct dr_fleet_change change;
    struct dr_fleet_draft *fleet; // of the change: the old entries, then the new ones
    struct dr_agent_conf_target urls[TARGETS_PER_CALL_MAX]; // of the new targets
    size_t n_urls;
};

static enum dr_rc
read_key(struct adding *a, struct dr_err *err)
{
    const char *path = dr_cli_option(a->cli, "public-key");
    char *text = NULL;
    size_t len = 0;
    if (path == NULL) {
        dr_err_set(err, DR_E_USAGE, "the agent's public key is not given");
        return dr_err_hint(
            err, "--public-key FILE; on its host: drover-agent key new --dir DIR --name %s",
            a->cli->args[0]);
    }
    enum dr_rc rc = dr_file_read(path, DR_KEYFILE_MAX, &text, &len, err);
    if (rc == DR_OK && (rc = dr_public_parse(text, &a->key, err)) != DR_OK) {
        dr_err_wrap(err, "'%s'", path);
    }
    free(text);
    if (rc == DR_OK && !dr_str_eq(a->key.name, a->cli->args[0])) {
        dr_err_set(err, DR_E_USAGE, "'%s' is the public key of '%s', not of '%s'", path,
                   a->key.name, a->cli->args[0]);
        return dr_err_hint(err, "on its host: drover-agent key new --dir DIR --name %s",
                           a->cli->args[0]);
    }
    return rc;
}

// Labels KEY=VALUE, sorted by key.
static int
by_key(const void *x, const void *y)
{
    return strcmp((*(Drover__V1__Label *const *)x)->key, (*(Drover__V1__Label *const *)y)->key);
}

static enum dr_rc
add_labels(struct adding *a, Drover__V1__Target *target, struct dr_err *err)
{
    struct dr_cli *cli = a->cli;
    target->labels = dr_arena_array(cli->arena, cli->given_count + 1, sizeof(*target->labels));
    for (size_t i = 0; i < cli->given_count; i++) {
        const char *text = cli->given[i].value;
        if (!dr_str_eq(cli->given[i].option->name, "label")) {
            continue;
        }
        const char *equals = strchr(text, '=');
        Drover__V1__Label *label = dr_arena_alloc(cli->arena, sizeof(*label));
        if (equals == NULL || label == NULL || target->labels == NULL) {
            return dr_err_set(err, DR_E_USAGE, "--label takes KEY=VALUE, not '%s'", text);
        }
        drover__v1__label__init(label);
        label->key = dr_arena_strn(cli->arena, text, (size_t)(equals - text));
        label->value = dr_arena_str(cli->arena, equals + 1);
        target->labels[target->n_labels++] = label;
    }
    if (target->n_labels > 1) {
        qsort(target->labels, target->n_labels, sizeof(*target->labels), by_key);
    }
    return DR_OK;
}

// What stands behind the name: sqlite, sqlite:FILE, postgresql, postgresql:DATABASE or a URL. Only
// engine and database name go into the fleet; the URL stays here.
static enum dr_rc
parse_database(struct adding *a, const char *text, Drover__V1__Target *target, struct dr_err *err)
{
    static const char word[] = "postgresql";
    struct dr_arena *arena = a->cli->arena;
    struct dr_agent_conf_target *row = &a->urls[a->n_urls++];
    char database[256] = "";
    row->name = target->name;
    row->url = text;
    size_t n = sizeof(word) - 1;
    bool is_word =
        dr_str_starts(text, word) && (text[n] == '\0' || (text[n] == ':' && text[n + 1] != '/'));
    if (dr_str_eq(text, "sqlite") || dr_db_kind_of(text) == DR_DB_SQLITE) {
        target->engine = DROVER__V1__ENGINE__SQLITE;
        row->url = dr_str_eq(text, "sqlite") ? "sqlite:FILE" : text;
    } else if (is_word) {
        target->engine = DROVER__V1__ENGINE__POSTGRESQL;
        target->identity->database = dr_arena_str(arena, text[n] == ':' ? text + n + 1 : "");
        row->url = dr_arena_printf(arena, "postgresql:///%s", text[n] == ':' ? text + n + 1 : "");
    } else if (dr_db_kind_of(text) == DR_DB_POSTGRES) {
        target->engine = DROVER__V1__ENGINE__POSTGRESQL;
        enum dr_rc rc = dr_pg_url_check(text, err);
        if (rc != DR_OK) {
            return rc;
        }
        (void)dr_pg_url_get(text, "dbname", database, sizeof(database));
        target->identity->database = dr_arena_str(arena, database);
    } else {
        dr_err_set(err, DR_E_USAGE, "'%s' names no engine", text);
        return dr_err_hint(err, "postgresql:DATABASE, sqlite, or the database's URL");
    }
    return row->url && target->identity->database ? DR_OK
                                                  : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// What drover-agent check says that the database's server or file is called: pinned, so that a
// database of the same name elsewhere is refused. `*out_database` is the text without it.
static enum dr_rc
parse_system(struct adding *a, const char *text, Drover__V1__Target *target,
             const char **out_database, struct dr_err *err)
{
    static const char mark[] = ",system=";
    const char *at = strstr(text, mark);
    *out_database = text;
    if (at == NULL) {
        return DR_OK;
    }
    const char *id = at + sizeof(mark) - 1;
    size_t len = strlen(id);
    if (len == 0 || len > SYSTEM_MAX || strspn(id, "0123456789abcdefABCDEF-") != len) {
        dr_err_set(err, DR_E_USAGE, "'%s' is not what a database's system is called", id);
        return dr_err_hint(err, "drover-agent check --config FILE, on its host, prints it");
    }
    *out_database = dr_arena_strn(a->cli->arena, text, (size_t)(at - text));
    target->identity->system_identifier = dr_arena_str(a->cli->arena, id);
    return *out_database && target->identity->system_identifier
               ? DR_OK
               : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// NAME=DATABASE[,system=ID]
static enum dr_rc
parse_target(struct adding *a, const char *text, Drover__V1__Target *target, struct dr_err *err)
{
    struct dr_arena *arena = a->cli->arena;
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        dr_err_set(err, DR_E_USAGE, "--target takes NAME=DATABASE, not '%s'", text);
        return dr_err_hint(err, "--target %s/orders=postgresql:orders", a->environment);
    }
    target->name = dr_arena_strn(arena, text, (size_t)(equals - text));
    target->identity = dr_arena_alloc(arena, sizeof(*target->identity));
    if (target->name == NULL || target->identity == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    drover__v1__database_identity__init(target->identity);
    if (!dr_target_name_is_valid(target->name) ||
        strncmp(target->name, a->environment, strlen(a->environment)) != 0 ||
        target->name[strlen(a->environment)] != '/') {
        dr_err_set(err, DR_E_USAGE, "'%s' is no target of environment '%s'", target->name,
                   a->environment);
        return dr_err_hint(err, "--target %s/NAME=%s", a->environment, equals + 1);
    }
    const char *database = NULL;
    enum dr_rc rc = parse_system(a, equals + 1, target, &database, err);
    return rc == DR_OK ? parse_database(a, database, target, err) : rc;
}

static enum dr_rc
add_target(struct adding *a, const char *text, struct dr_err *err)
{
    struct dr_arena *arena = a->cli->arena;
    Drover__V1__Target *target = dr_arena_alloc(arena, sizeof(*target));
    Drover__V1__FleetEntry *entry = dr_arena_alloc(arena, sizeof(*entry));
    if (target == NULL || entry == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    drover__v1__target__init(target);
    drover__v1__fleet_entry__init(entry);
    enum dr_rc rc = parse_target(a, text, target, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (size_t i = 0; i < a->fleet->n_entries; i++) {
        if (a->fleet->entries[i]->target != NULL &&
            dr_str_eq(a->fleet->entries[i]->target->name, target->name)) {
            return dr_err_set(err, DR_E_EXISTS, "target '%s' is in the fleet already",
                              target->name);
        }
    }
    target->environment = dr_arena_str(arena, a->environment);
    target->agent = dr_arena_str(arena, a->cli->args[0]);
    target->agent_signing_key = dr_data(a->key.signing, 32);
    target->agent_transport_key = dr_data(a->key.transport, 32);
    target->state = DROVER__V1__TARGET_STATE__ACTIVE;
    entry->target = target;
    a->fleet->entries[a->fleet->n_entries++] = entry;
    return add_labels(a, target, err);
}

static enum dr_rc
add_targets(struct adding *a, struct dr_err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < a->cli->given_count; i++) {
        if (!dr_str_eq(a->cli->given[i].option->name, "target")) {
            continue;
        }
        if (++count > TARGETS_PER_CALL_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "at most %u targets in one call",
                              TARGETS_PER_CALL_MAX);
        }
        enum dr_rc rc = add_target(a, a->cli->given[i].value, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    if (count == 0) {
        dr_err_set(err, DR_E_USAGE, "no target is given");
        return dr_err_hint(err, "--target %s/orders=postgresql:orders", a->environment);
    }
    return DR_OK;
}

static bool
has_environment(const struct adding *a)
{
    for (size_t i = 0; i < a->fleet->n_entries; i++) {
        const Drover__V1__Environment *e = a->fleet->entries[i]->environment;
        if (e != NULL && dr_str_eq(e->name, a->environment)) {
            return true;
        }
    }
    return false;
}

// The environment must be one of the fleet's, and the agent must not serve another one.
static enum dr_rc
check_place(const struct adding *a, struct dr_err *err)
{
    if (!has_environment(a)) {
        struct dr_buf known = {0};
        for (size_t i = 0; i < a->fleet->n_entries; i++) {
            const Drover__V1__Environment *e = a->fleet->entries[i]->environment;
            dr_buf_printf(&known, "%s%s", e && known.len ? ", " : "", e ? e->name : "");
        }
        dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no environment '%s'", a->environment);
        dr_err_hint(err, "-e with one of: %s", known.data ? known.data : "");
        dr_buf_fini(&known);
        return err->rc;
    }
    for (size_t i = 0; i < a->fleet->n_entries; i++) {
        const Drover__V1__Target *t = a->fleet->entries[i]->target;
        if (t != NULL && dr_str_eq(t->agent, a->cli->args[0]) &&
            !dr_str_eq(t->environment, a->environment)) {
            dr_err_set(err, DR_E_CONFLICT, "agent '%s' serves environment '%s' already", t->agent,
                       t->environment);
            return dr_err_hint(err, "an agent of its own, with its own keys, for each environment");
        }
        if (t != NULL && !dr_str_eq(t->agent, a->cli->args[0]) &&
            (dr_data_is(t->agent_signing_key, a->key.signing) ||
             dr_data_is(t->agent_transport_key, a->key.transport))) {
            dr_err_set(err, DR_E_CONFLICT, "this is the key of agent '%s' already", t->agent);
            return dr_err_hint(err, "on its host: drover-agent key new --dir NEWFOLDER --name %s",
                               a->cli->args[0]);
        }
    }
    return DR_OK;
}

static enum dr_rc
write_conf(struct adding *a, struct dr_err *err)
{
    struct dr_agent_conf conf = {.path = dr_cli_option(a->cli, "conf"),
                                 .agent = a->cli->args[0],
                                 .environment = a->environment,
                                 .targets = a->urls,
                                 .n_targets = a->n_urls};
    enum dr_rc rc = dr_agent_conf_write(a->cli, &conf, err);
    if (rc == DR_OK) {
        dr_say(a->cli, "Configuration: %s\nnext: drover-agent check --config %s\n", conf.path,
               conf.path);
    }
    return rc;
}

static enum dr_rc
check_name(struct adding *a, struct dr_err *err)
{
    if (a->environment != NULL && dr_name_is_valid(a->cli->args[0])) {
        return DR_OK;
    }
    dr_err_set(err, DR_E_USAGE,
               a->environment ? "'%s' cannot be an agent's name"
                              : "agent '%s': no environment is given",
               a->cli->args[0]);
    return dr_err_hint(err, "drover agent add NAME -e production --public-key FILE --target "
                            "production/orders=postgresql:orders");
}

static void
print_added(const struct adding *a, enum dr_rc rc, const char *conf)
{
    struct dr_cli *cli = a->cli;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:I, s:b, s:s*}", "schema",
                                     "drover.v1.AgentAdded", "agent", cli->args[0], "file",
                                     dr_project_shown(cli, a->change.path), "version",
                                     (json_int_t)a->change.version, "inForce",
                                     a->change.is_in_force, "configuration", conf));
    }
}

enum dr_rc
dr_cmd_agent_add(struct dr_cli *cli, struct dr_err *err)
{
    struct adding a = {.cli = cli, .environment = dr_cli_option(cli, "environment")};
    const char *conf = dr_cli_option(cli, "conf");
    enum dr_rc rc = check_name(&a, err);
    rc = rc == DR_OK ? dr_project_need(cli, err) : rc;
    rc = rc == DR_OK && conf != NULL ? dr_agent_conf_check(cli, conf, err) : rc;
    rc = rc == DR_OK ? read_key(&a, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_open(cli, TARGETS_PER_CALL_MAX, &a.change, err) : rc;
    a.fleet = &a.change.draft;
    rc = rc == DR_OK ? check_place(&a, err) : rc;
    rc = rc == DR_OK ? add_targets(&a, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_finish(&a.change, NULL, err) : rc;
    if (rc == DR_OK) {
        dr_say(cli, "Agent %s added: %s\n", cli->args[0], dr_project_shown(cli, a.change.path));
    }
    rc = rc == DR_OK && conf != NULL ? write_conf(&a, err) : rc;
    print_added(&a, rc, conf);
    dr_fleet_change_close(&a.change);
    return rc;
}

// ---- approve: the key comes from the agent itself, through the coordinator

// The offer of this name; of several, the one whose words --confirm gives. What the coordinator
// says of it counts nothing: the words are worked out from the keys, and typed by a person who read
// them on the agent's host.
static enum dr_rc
find_offer(struct adding *a, const Drover__V1__AgentOffer **out, char words[DR_KEY_WORDS_SIZE],
           struct dr_err *err)
{
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__AgentList *reply = NULL;
    const char *typed = dr_cli_option(a->cli, "confirm");
    enum dr_rc rc = dr_remote_call(&a->change.now.remote, DR_METHOD_OPERATOR_AGENTS, &request.base,
                                   &reply, err);
    for (size_t i = 0; rc == DR_OK && i < reply->n_offers; i++) {
        const Drover__V1__AgentOffer *offer = reply->offers[i];
        char own[DR_KEY_WORDS_SIZE];
        if (!dr_str_eq(offer->agent, a->cli->args[0]) || offer->signing_key.len != 32 ||
            offer->transport_key.len != 32) {
            continue;
        }
        dr_key_words(offer->signing_key.data, offer->transport_key.data, own);
        if (*out == NULL || (typed != NULL && dr_str_eq(typed, own))) {
            *out = offer;
            memcpy(words, own, DR_KEY_WORDS_SIZE);
        }
    }
    if (rc == DR_OK && *out == NULL) {
        dr_err_set(err, DR_E_NOT_FOUND, "no agent '%s' has offered a key", a->cli->args[0]);
        rc = dr_err_hint(err, "drover agent list; on its host: drover-agent --config FILE");
    }
    return rc;
}

static enum dr_rc
take_offer(struct adding *a, struct dr_err *err)
{
    const Drover__V1__AgentOffer *offer = NULL;
    char words[DR_KEY_WORDS_SIZE] = "";
    char key[65];
    if (!a->change.now.is_online) {
        dr_err_set(err, DR_E_UNREACHABLE, "offers lie at the coordinator, which does not answer");
        return dr_err_hint(err, "drover ping; drover agent add takes a public key file instead");
    }
    enum dr_rc rc = find_offer(a, &offer, words, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_hex(key, offer->signing_key.data, 32);
    dr_say(a->cli, "Agent %s on host %s\n  key    ed25519 %s\n  words  %s\n", offer->agent,
           offer->host, key, words);
    rc = dr_ask_name(a->cli, "Type the words that `drover-agent check` prints on its host", words,
                     err);
    snprintf(a->key.name, sizeof(a->key.name), "%s", a->cli->args[0]);
    memcpy(a->key.signing, offer->signing_key.data, 32);
    memcpy(a->key.transport, offer->transport_key.data, 32);
    return rc;
}

// An agent that the fleet has gets the new key for its targets. False: the fleet has none of it.
static bool
replace_keys(struct adding *a)
{
    bool found = false;
    for (size_t i = 0; i < a->fleet->n_entries; i++) {
        Drover__V1__Target *t = a->fleet->entries[i]->target;
        if (t != NULL && dr_str_eq(t->agent, a->cli->args[0])) {
            t->agent_signing_key = dr_data(a->key.signing, 32);
            t->agent_transport_key = dr_data(a->key.transport, 32);
            found = true;
        }
    }
    return found;
}

enum dr_rc
dr_cmd_agent_approve(struct dr_cli *cli, struct dr_err *err)
{
    struct adding *a = dr_arena_alloc(cli->arena, sizeof(*a));
    if (a == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    a->cli = cli;
    a->environment = dr_cli_option(cli, "environment");
    bool has_target = dr_cli_option(cli, "target") != NULL;
    enum dr_rc rc = has_target ? check_name(a, err) : DR_OK;
    rc = rc == DR_OK ? dr_project_need(cli, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_open(cli, TARGETS_PER_CALL_MAX, &a->change, err) : rc;
    a->fleet = &a->change.draft;
    rc = rc == DR_OK ? take_offer(a, err) : rc;
    if (rc == DR_OK && has_target) {
        rc = check_place(a, err);
        rc = rc == DR_OK ? add_targets(a, err) : rc;
    } else if (rc == DR_OK && !replace_keys(a)) {
        dr_err_set(err, DR_E_USAGE, "the fleet has no target of agent '%s' yet", cli->args[0]);
        rc = dr_err_hint(err, "-e ENV --target ENV/orders=postgresql:orders");
    }
    rc = rc == DR_OK ? dr_fleet_change_finish(&a->change, "Sign this fleet?", err) : rc;
    print_added(a, rc, NULL);
    dr_fleet_change_close(&a->change);
    return rc;
}
