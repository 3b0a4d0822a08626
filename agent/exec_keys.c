// Exec, keys: which of two pairs signs and connects. Beside each key file there may be one with
// ".next" behind its name, made by `drover-agent key next`: the agent holds both until the fleet
// names the new one, and changes over by itself when it does. Nothing has to happen at the same
// moment on two hosts.
//
// SIGHUP reads the configuration and the key files again.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "trust/keywords.h"
#include "trust/strict.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// -------------------------------------------------------------------------------------- load

static enum dr_rc
load_next(const char *path, enum dr_key_kind kind, struct dr_key *out, bool *out_has,
          struct dr_err *err)
{
    char next[PATH_MAX + 8];
    (void)snprintf(next, sizeof next, "%s" DR_AGENT_KEY_NEXT, path);
    *out_has = dr_path_exists(next);
    return *out_has ? dr_keyfile_load(next, kind, NULL, out, err) : DR_OK;
}

static void
wipe(struct dr_agent_keys *keys)
{
    for (size_t i = 0; i < 2; i++) {
        dr_key_fini(&keys->signing[i]);
        dr_key_fini(&keys->transport[i]);
    }
}

static enum dr_rc
load(const struct dr_agent_config *config, struct dr_agent_keys *out, struct dr_err *err)
{
    struct dr_agent_keys keys = {0};
    enum dr_rc rc = dr_keyfile_load(config->key, DR_KEY_SIGNING, NULL, &keys.signing[0], err);
    rc = rc != DR_OK ? rc
                     : dr_keyfile_load(config->transport_key, DR_KEY_TRANSPORT, NULL,
                                       &keys.transport[0], err);
    rc = rc != DR_OK ? rc
                     : load_next(config->key, DR_KEY_SIGNING, &keys.signing[1],
                                 &keys.has_next_signing, err);
    rc = rc != DR_OK ? rc
                     : load_next(config->transport_key, DR_KEY_TRANSPORT, &keys.transport[1],
                                 &keys.has_next_transport, err);
    if (rc != DR_OK) {
        wipe(&keys);
        return rc;
    }
    *out = keys;
    return DR_OK;
}

enum dr_rc
dr_exec_keys_load(struct dr_agent *agent, struct dr_err *err)
{
    return load(agent->config, &agent->keys, err);
}

void
dr_exec_keys_fini(struct dr_agent *agent)
{
    wipe(&agent->keys);
    if (agent->reloaded != NULL) {
        dr_agent_config_fini(agent->reloaded);
        free(agent->reloaded);
    }
}

const struct dr_key *
dr_exec_signing_key(const struct dr_agent *agent)
{
    return &agent->keys.signing[agent->keys.signs];
}

const struct dr_key *
dr_exec_transport_key(const struct dr_agent *agent)
{
    return &agent->keys.transport[agent->keys.connects];
}

const uint8_t *
dr_exec_offered_key(const struct dr_agent *agent)
{
    const struct dr_agent_keys *keys = &agent->keys;
    bool is_next = keys->connects == 1 && keys->has_next_signing;
    return keys->signing[is_next ? 1 : 0].public_key;
}

bool
dr_exec_is_own_key(struct dr_agent *agent, const uint8_t *key, size_t len)
{
    uint8_t former[32];
    struct dr_err err = {0};
    if (len != 32) {
        return false;
    }
    if (memcmp(key, dr_exec_signing_key(agent)->public_key, 32) == 0) {
        return true;
    }
    if (dr_agent_state_former_key(agent->state, former, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "former key", &err);
        return false;
    }
    return memcmp(key, former, 32) == 0;
}

// ------------------------------------------------------------------------------------ choose

// The first of this agent's targets that the fleet knows; NULL: none.
static const Drover__V1__Target *
find_target(const struct dr_agent *agent)
{
    const struct dr_trust *trust = dr_trust_store_get(agent->trust);
    for (size_t i = 0; i < agent->n_slots; i++) {
        const struct dr_fleet_entry *entry =
            dr_fleet_target(trust->entries, trust->n_entries, agent->slots[i].target->name);
        if (entry != NULL && dr_str_eq(entry->msg->target->agent, agent->config->agent)) {
            return entry->msg->target;
        }
    }
    return NULL;
}

static void
connect_with(struct dr_agent *agent, unsigned which)
{
    agent->keys.connects = which;
    dr_exec_net_stop(agent);
    agent->net.restart_at_ms = 0;
    agent->net.failures = 0;
}

// What the other key signed nobody believes any more: READYs are void, and what waits for the
// coordinator is signed again.
static enum dr_rc
sign_with(struct dr_agent *agent, unsigned which, struct dr_err *err)
{
    const unsigned before = agent->keys.signs;
    uint32_t dropped = 0;
    enum dr_rc rc =
        dr_agent_state_set_former_key(agent->state, dr_exec_signing_key(agent)->public_key, err);
    rc = rc != DR_OK ? rc : dr_agent_state_disarm(agent->state, NULL, &dropped, err);
    if (rc != DR_OK) {
        return rc;
    }
    agent->keys.signs = which;
    rc = dr_report_new_epoch(agent, err);
    if (rc != DR_OK) {
        agent->keys.signs = before;
        return rc;
    }
    agent->net.sent_place = 0; // what net still carries is replaced
    for (size_t i = 0; i < agent->n_slots; i++) {
        agent->slots[i].wants_state = true;
        agent->slots[i].has_news = true;
    }
    return DR_OK;
}

void
dr_exec_keys_choose(struct dr_agent *agent)
{
    struct dr_agent_keys *keys = &agent->keys;
    const Drover__V1__Target *target = find_target(agent);
    struct dr_err err = {0};
    for (unsigned i = 0; target != NULL && i < 2; i++) {
        bool has = i == 0 || keys->has_next_signing;
        if (has && keys->signs != i &&
            dr_data_is(target->agent_signing_key, keys->signing[i].public_key)) {
            if (sign_with(agent, i, &err) != DR_OK) {
                dr_log_err(DR_LOG_ERROR, "the key that the fleet names cannot be used yet", &err);
            } else {
                dr_log(DR_LOG_INFO,
                       "the fleet names another signing key of this agent: it signs "
                       "from now on",
                       "file", i == 0 ? "key" : "key" DR_AGENT_KEY_NEXT, NULL);
            }
        }
        has = i == 0 || keys->has_next_transport;
        if (has && keys->connects != i &&
            dr_data_is(target->agent_transport_key, keys->transport[i].public_key)) {
            connect_with(agent, i);
            dr_log(DR_LOG_INFO, "the fleet names another transport key of this agent", NULL);
        }
    }
}

void
dr_exec_keys_unknown(struct dr_agent *agent)
{
    if (agent->keys.has_next_transport) {
        agent->keys.connects = 1 - agent->keys.connects;
        dr_exec_net_again(agent);
    }
}

// ------------------------------------------------------------------------------------ reload

static const char *
what_differs(const struct dr_agent_config *a, const struct dr_agent_config *b)
{
    bool same_targets = a->n_targets == b->n_targets;
    for (size_t i = 0; same_targets && i < a->n_targets; i++) {
        same_targets = dr_str_eq(a->targets[i].name, b->targets[i].name) &&
                       a->targets[i].engine == b->targets[i].engine;
    }
    return !dr_str_eq(a->agent, b->agent)                    ? "agent"
           : !dr_str_eq(a->environment, b->environment)      ? "environment"
           : !dr_str_eq(a->state, b->state)                  ? "state"
           : memcmp(a->root_sha256, b->root_sha256, 32) != 0 ? "root_sha256"
           : !same_targets                                   ? "target"
                                                             : NULL;
}

static bool
needs_new_net(const struct dr_agent_config *a, const struct dr_agent_config *b)
{
    return !dr_str_eq(a->coordinator, b->coordinator) ||
           memcmp(a->coordinator_key, b->coordinator_key, 32) != 0 ||
           !dr_str_eq(a->coordinator_ca, b->coordinator_ca);
}

static enum dr_rc
take_config(struct dr_agent *agent, struct dr_agent_config *take, struct dr_err *err)
{
    const char *differs = what_differs(agent->config, take);
    struct dr_agent_config *fresh = differs == NULL ? malloc(sizeof *fresh) : NULL;
    if (differs != NULL) {
        (void)dr_err_set(err, DR_E_CONFIG,
                         "%s: '%s' has changed, which a running agent cannot take", take->path,
                         differs);
        return dr_err_hint(err, "restart it: systemctl restart drover-agent");
    }
    if (fresh == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    bool must_reconnect = needs_new_net(agent->config, take);
    *fresh = *take;
    *take = (struct dr_agent_config){0};
    for (size_t i = 0; i < agent->n_slots; i++) {
        agent->slots[i].target = &fresh->targets[i];
    }
    if (agent->reloaded != NULL) {
        dr_agent_config_fini(agent->reloaded);
        free(agent->reloaded);
    }
    agent->config = agent->reloaded = fresh;
    dr_log_init("drover-agent", fresh->log_level, fresh->log_format);
    if (must_reconnect) {
        connect_with(agent, agent->keys.connects);
    }
    return DR_OK;
}

// The pair in use stays in use, wherever it lies by now.
static void
take_keys(struct dr_agent *agent, struct dr_agent_keys *fresh)
{
    struct dr_agent_keys old = agent->keys;
    const uint8_t *signing = old.signing[old.signs].public_key;
    const uint8_t *transport = old.transport[old.connects].public_key;
    fresh->signs =
        fresh->has_next_signing && memcmp(signing, fresh->signing[1].public_key, 32) == 0;
    fresh->connects =
        fresh->has_next_transport && memcmp(transport, fresh->transport[1].public_key, 32) == 0;
    // A pair that is to follow changes what net would offer.
    bool is_other = fresh->has_next_transport != old.has_next_transport ||
                    memcmp(transport, fresh->transport[fresh->connects].public_key, 32) != 0;
    agent->keys = *fresh;
    wipe(&old);
    if (is_other) {
        connect_with(agent, agent->keys.connects);
    }
}

void
dr_exec_reload(struct dr_agent *agent)
{
    struct dr_agent_config config = {0};
    struct dr_agent_keys keys = {0};
    struct dr_err err = {0};
    (void)dr_notify_reloading();
    enum dr_rc rc = dr_agent_config_read(agent->config->path, &config, &err);
    rc = rc != DR_OK ? rc : take_config(agent, &config, &err);
    dr_agent_config_fini(&config);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the configuration is kept as it was", &err);
    }
    rc = load(agent->config, &keys, &err);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the keys are kept as they were", &err);
    } else {
        char words[DR_KEY_WORDS_SIZE];
        take_keys(agent, &keys);
        dr_exec_keys_choose(agent);
        dr_key_words(dr_exec_signing_key(agent)->public_key,
                     dr_exec_transport_key(agent)->public_key, words);
        dr_log(DR_LOG_INFO, "read again", "configuration", agent->config->path, "key", words, NULL);
    }
    (void)dr_notify("READY=1");
}
