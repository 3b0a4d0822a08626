// Exec, backups: what a person wants done with them, and what a worker is told about them.
#include "agent/exec_internal.h"

#include "base/log.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How far a backup has to be proved: what this environment's gates ask at most.
static Drover__V1__RestoreLevel
wanted_level(const struct dr_agent_slot *slot)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    Drover__V1__RestoreLevel level = DROVER__V1__RESTORE_LEVEL__LISTED;
    for (size_t i = 0; policy != NULL && i < policy->msg->environment->n_gates; i++) {
        const Drover__V1__Gate *gate = policy->msg->environment->gates[i];
        bool is_more =
            gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP && gate->restore_level > level;
        level = is_more ? gate->restore_level : level;
    }
    return level;
}

// The words of a command, copied from the configuration.
static enum dr_rc
fill_command(struct dr_agent_slot *slot, enum dr_agent_command which, size_t *out_n, char ***out,
             struct dr_err *err)
{
    const char *const *words = slot->agent->config->commands[which];
    size_t n = 0;
    char **list = dr_arena_array(slot->arena, DR_AGENT_WORDS_MAX, sizeof *list);
    for (; list != NULL && words[n] != NULL; n++) {
        list[n] = dr_arena_str(slot->arena, words[n]);
        if (list[n] == NULL) {
            list = NULL;
            break;
        }
    }
    *out = list;
    *out_n = list == NULL ? 0 : n;
    return list == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
}

static enum dr_rc
fill_commands(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    enum dr_rc rc =
        fill_command(slot, DR_AGENT_TAKE, &run->n_backup_command, &run->backup_command, err);
    rc = rc != DR_OK ? rc
                     : fill_command(slot, DR_AGENT_VERIFY, &run->n_backup_verify_command,
                                    &run->backup_verify_command, err);
    rc = rc != DR_OK ? rc
                     : fill_command(slot, DR_AGENT_RESTORE, &run->n_backup_restore_command,
                                    &run->backup_restore_command, err);
    return rc != DR_OK ? rc
                       : fill_command(slot, DR_AGENT_PRUNE, &run->n_backup_prune_command,
                                      &run->backup_prune_command, err);
}

enum dr_rc
dr_exec_backup_spec(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    const struct dr_agent_config *config = slot->agent->config;
    const struct dr_agent_order *order = &slot->order_now;
    run->restore_level = wanted_level(slot);
    run->restore_server =
        dr_arena_str(slot->arena, config->restore_server == NULL ? "" : config->restore_server);
    run->backup_order = dr_arena_str(slot->arena, order->what);
    if (order->has_sha256) {
        run->backup_sha256.data = dr_arena_copy(slot->arena, order->sha256, 32);
        run->backup_sha256.len = run->backup_sha256.data == NULL ? 0 : 32;
    }
    run->backup_format = dr_arena_str(slot->arena, config->backup);
    run->backup_compress =
        dr_arena_str(slot->arena, config->backup_compress == NULL ? "" : config->backup_compress);
    run->backup_jobs = config->backup_jobs;
    run->backup_timeout_s = config->backup_timeout_ms / 1000;
    enum dr_rc rc = fill_commands(slot, run, err);
    if (rc != DR_OK) {
        return rc;
    }
    return run->backup_format == NULL || run->backup_compress == NULL ||
                   run->restore_server == NULL || run->backup_order == NULL
               ? dr_err_set(err, DR_E_NOMEM, "out of memory")
               : DR_OK;
}

static const char *
word_of(const Drover__V1__Order *order)
{
    static const char *const ORDERS[] = {"take", "verify", "restore-test", "prune"};
    const char *what =
        dr_str_starts(order->order, "backup ") ? order->order + strlen("backup ") : "";
    for (size_t i = 0; i < DR_COUNT_OF(ORDERS); i++) {
        if (dr_str_eq(what, ORDERS[i])) {
            return ORDERS[i];
        }
    }
    return NULL;
}

// None of these can harm: a backup goes only when its time is over. It waits for its turn, behind
// what is under way, and over a restart.
bool
dr_exec_backup_order(struct dr_agent_slot *slot, const Drover__V1__Order *order)
{
    struct dr_err err = {0};
    size_t len = drover__v1__order__get_packed_size(order);
    if (word_of(order) == NULL) {
        return false;
    }
    uint8_t *packed = malloc(len + 1);
    enum dr_rc rc = packed == NULL ? dr_err_set(&err, DR_E_NOMEM, "out of memory") : DR_OK;
    if (rc == DR_OK) {
        (void)drover__v1__order__pack(order, packed);
        rc = dr_agent_state_add_order(slot->agent->state, slot->target->name,
                                      (struct dr_bytes){.data = packed, .len = len}, &err);
    }
    free(packed);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "an order about backups cannot be kept", &err);
    }
    slot->has_orders = true;
    slot->has_news = true;
    return true;
}

static void
take(struct dr_agent_slot *slot, const Drover__V1__Order *order, int64_t place)
{
    slot->order_now = (struct dr_agent_order){.place = place,
                                              .has_nonce = order->nonce.len == 32,
                                              .has_sha256 = order->backup_sha256.len == 32};
    (void)snprintf(slot->order_now.what, sizeof slot->order_now.what, "%s", word_of(order));
    if (slot->order_now.has_nonce) {
        memcpy(slot->order_now.nonce, order->nonce.data, 32);
    }
    if (slot->order_now.has_sha256) {
        memcpy(slot->order_now.sha256, order->backup_sha256.data, 32);
    }
}

bool
dr_exec_backup_next(struct dr_agent_slot *slot)
{
    struct dr_agent_state *state = slot->agent->state;
    enum dr_rc rc = DR_OK;
    struct dr_err err = {0};
    while (rc == DR_OK) {
        struct dr_agent_kept_order kept = {0};
        rc = dr_agent_state_next_order(state, slot->arena, slot->target->name, &kept, &err);
        if (rc != DR_OK || kept.place == 0) {
            break;
        }
        const Drover__V1__Order *order = drover__v1__order__unpack(dr_arena_protobuf(slot->arena),
                                                                   kept.body.len, kept.body.data);
        bool is_good = order != NULL && word_of(order) != NULL && kept.starts < DR_SLOT_ORDERS_MAX;
        if (is_good) {
            take(slot, order, kept.place);
            rc = dr_agent_state_start_order(state, kept.place, &err);
            if (rc == DR_OK) {
                return true;
            }
        } else {
            dr_log(DR_LOG_WARN, "an order about backups is given up: it was begun too often",
                   "target", slot->target->name, NULL);
            rc = dr_agent_state_end_order(state, kept.place, &err);
        }
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "orders about backups cannot be read", &err);
    }
    slot->has_orders = false;
    return false;
}
