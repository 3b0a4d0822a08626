// Stops and authors, looked at before a signature is wasted.

#include "coordinator/cli/approve_check.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/stops.h"

#include "base/clock.h"
#include "trust/window.h"

enum dr_rc
dr_approve_check_stops(const struct dr_stage *stage, struct dr_err *err)
{
    struct dr_stop *stops = NULL;
    size_t n = 0;
    const struct dr_cli *cli = stage->remote->cli;
    const char *environment = stage->said->environment;
    enum dr_rc rc = dr_stops_load(stage->remote, environment, &stops, &n, err);
    const struct dr_stop *stop =
        rc == DR_OK ? dr_stops_holding(stops, n, environment, stage->rollout) : NULL;
    if (stop == NULL) {
        return rc;
    }
    bool is_freeze = stop->signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE;
    dr_err_set(err, is_freeze ? DR_E_FROZEN : DR_E_VETOED, "%s",
               dr_stop_text(cli, stop, environment));
    return dr_err_hint(err, "%s", dr_stop_way_out(cli, stop, environment, stage->rollout));
}

enum dr_rc
dr_approve_check_window(const struct dr_stage *stage, uint64_t valid_s, struct dr_err *err)
{
    const Drover__V1__Environment *policy = stage->policy->msg->environment;
    int64_t now = dr_now_unix_s(), opens = 0;
    struct dr_err unknown = {0}; // a zone that is not known here: agents know theirs
    bool is_open = true;
    char until[32], at[32];
    if (!dr_window_holds(dr_stage_mode(stage)) ||
        dr_window_look(policy, now, &is_open, &opens, &unknown) != DR_OK || is_open ||
        (opens != 0 && opens < now + (int64_t)valid_s)) {
        return DR_OK;
    }
    dr_format_time(until, now + (int64_t)valid_s);
    dr_format_time(at, opens);
    dr_err_set(err, DR_E_WAITING,
               "the approval would end at %s, and no window of '%s' opens before%s%s; nothing was "
               "signed",
               until, stage->said->environment, opens != 0 ? ": the next one does at " : "",
               opens != 0 ? at : "");
    return dr_err_hint(err,
                       "drover approve %s -e %s, nearer to that time or with a longer --expires",
                       stage->rollout->id, stage->said->environment);
}

// The entry that adds a revision to the chain that I trust.
static const Drover__V1__ChainEntry *
entry_of(const Drover__V1__Chain *chain, ProtobufCBinaryData digest)
{
    for (size_t i = 0; chain != NULL && i < chain->n_entries; i++) {
        if (chain->entries[i]->action == DROVER__V1__CHAIN_ACTION__ADD &&
            dr_data_eq(chain->entries[i]->digest, digest)) {
            return chain->entries[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_approve_check_author(const struct dr_stage *stage, const struct dr_key *key, struct dr_err *err)
{
    const struct dr_trust *trust = stage->remote->trust;
    const Drover__V1__Person *me = dr_root_person_by_signing(trust->root.msg, key->public_key);
    if (!stage->policy->msg->environment->author_may_not_approve || me == NULL) {
        return DR_OK;
    }
    for (size_t p = 0; p < stage->n_plans; p++) {
        const Drover__V1__Plan *plan = stage->plans[p].plan;
        for (size_t i = 0; i < plan->n_revisions; i++) {
            const Drover__V1__ChainEntry *entry =
                entry_of(trust->chain.msg, plan->revisions[i]->digest);
            if (entry != NULL && dr_str_eq(entry->author, me->name)) {
                dr_err_set(err, DR_E_AUTHOR_APPROVED,
                           "'%s' was written by %s, whose signature does not count in '%s'; "
                           "nothing was signed",
                           plan->revisions[i]->id, me->name, stage->said->environment);
                return dr_err_hint(err, "another approver types: drover approve %s -e %s",
                                   stage->rollout->id, stage->said->environment);
            }
        }
    }
    return DR_OK;
}
