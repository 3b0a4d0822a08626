// View, part two: a rollout with its gates, signatures and next step.
#include "coordinator/core/evidence.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/view.h"
#include "coordinator/core/view_kept.h"
#include "coordinator/core/view_next.h"
#include "trust/approval.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

struct maker {
    struct dr_core *core;
    struct dr_arena *arena;
    const struct dr_rollout *rollout;
    const struct dr_rollout_stage *stage;
    Drover__V1__StageStatus *out;
    size_t first, last; // the stage's targets that are shown
    bool *out_is_old;   // as in dr_view_page
};

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "the rollout is too large for one answer");
}

// ---- gates

static const struct {
    const char *item, *title;
} TITLES[] = {
    {"backup", "database backed up"},
    {"staged", "migrations applied before on another environment"},
    {"rollback-proved", "rollback proved on another environment"},
    {"verified", "foreign keys, constraints and indexes as on the environment before"},
    {"logs-reviewed", "migration logs reviewed for errors"},
    {"application-updated", "application updated to the new schema"},
    {"monitored", "application monitored after the deployment"},
    {"probed", "probes passed after the soak"},
};

static const char *
title_of(const char *item)
{
    for (size_t i = 0; i < DR_COUNT_OF(TITLES); i++) {
        if (strcmp(TITLES[i].item, item) == 0) {
            return TITLES[i].title;
        }
    }
    return item;
}

// What to type when a gate is closed.
static const char *
try_of(const struct maker *m, const Drover__V1__Gate *gate, const char *target)
{
    switch (gate->kind) {
    case DROVER__V1__GATE_KIND__GATE_SIGNOFF:
        return dr_arena_printf(m->arena, "drover checklist %s sign %s -e %s", m->rollout->id,
                               gate->item, m->stage->environment);
    case DROVER__V1__GATE_KIND__GATE_BACKUP:
    case DROVER__V1__GATE_KIND__GATE_REHEARSED:
        return dr_arena_printf(m->arena, "drover rollout retry %s -t %s", m->rollout->id, target);
    default:
        return dr_arena_printf(m->arena, "drover rollout show %s", m->rollout->id);
    }
}

static ProtobufCBinaryData
first_document(const struct dr_gate_result *result)
{
    return result->n_evidence > 0 ? dr_data(result->evidence[0], 32) : (ProtobufCBinaryData){0};
}

// A row per gate; a backup is each target's own, the others are shown once, closed if they are for
// any target.
static Drover__V1__GateStatus *
row_of(struct maker *m, const char *item, const char *target)
{
    for (size_t i = 0; i < m->out->n_gates; i++) {
        if (strcmp(m->out->gates[i]->item, item) == 0 &&
            strcmp(m->out->gates[i]->target, target) == 0) {
            return m->out->gates[i];
        }
    }
    Drover__V1__GateStatus *row = dr_arena_alloc(m->arena, sizeof *row);
    if (row == NULL) {
        return NULL;
    }
    drover__v1__gate_status__init(row);
    row->environment = m->out->environment;
    row->item = dr_arena_str(m->arena, item);
    row->title = dr_arena_str(m->arena, title_of(item));
    row->target = dr_arena_str(m->arena, target);
    row->is_open = true;
    m->out->gates[m->out->n_gates++] = row;
    return row->item != NULL && row->title != NULL && row->target != NULL ? row : NULL;
}

static char *
keep(const struct maker *m, const char *text)
{
    return dr_arena_str(m->arena, text);
}

static enum dr_rc
add_gate(struct maker *m, const struct dr_gate_result *result, const char *target,
         struct dr_err *err)
{
    const Drover__V1__Gate *gate = result->gate;
    bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
    Drover__V1__GateStatus *row = row_of(m, dr_gate_name(gate), is_backup ? target : "");

    if (row == NULL) {
        return no_room(err);
    }
    row->kind = gate->kind;
    row->by_person = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    row->after = result->is_after;
    if (!result->is_open && row->is_open) {
        row->is_open = false;
        row->missing = keep(m, result->missing);
        row->try_ = keep(m, try_of(m, gate, target));
    } else if (result->is_open && row->evidence[0] == '\0') {
        row->evidence = keep(m, result->shown_by);
        row->document = first_document(result);
    }
    if (row->missing == NULL || row->evidence == NULL) {
        return no_room(err);
    }
    if (is_backup && gate->keep_s > 0) {
        Drover__V1__GateStatus *kept = row_of(m, "backup-kept", target);

        if (kept == NULL) {
            return no_room(err);
        }
        kept->title =
            dr_arena_printf(m->arena, "backup kept for %u days", (unsigned)(gate->keep_s / 86400));
        kept->kind = gate->kind;
        kept->after = true;
        kept->is_open = result->is_open;
        kept->missing = keep(m, result->is_open ? "" : "no backup yet");
    }
    return DR_OK;
}

// What people sign and probes say afterwards: one target speaks for the stage, since a word is
// about the plan, and probes about an environment.
static bool
is_asked_afterwards(const struct dr_gate_result *result)
{
    return result->is_after && (result->gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF ||
                                result->gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED);
}

static enum dr_rc
add_gates(struct maker *m, bool is_done, struct dr_err *err)
{
    const struct dr_fleet_entry *policy =
        dr_directory_environment(m->core->directory, m->stage->environment);
    const struct dr_evidence *evidence;
    size_t max = policy != NULL ? policy->msg->environment->n_gates : 0;

    if (max == 0 || m->core->trust->chain.msg == NULL) {
        return DR_OK;
    }
    m->out->gates =
        dr_arena_array(m->arena, max * (2 * (m->last - m->first) + 1) + 1, sizeof *m->out->gates);
    if (m->out->gates == NULL) {
        return no_room(err);
    }
    DR_TRY(dr_evidence_load(m->core, m->stage->environment, &evidence, err));
    for (size_t t = m->first; t < m->last; t++) {
        struct dr_gate_result *results;
        size_t n;

        if (is_done ? t > m->first
                    : dr_target_is_success(m->stage->targets[t].state, m->stage->mode)) {
            continue;
        }
        DR_TRY(dr_evidence_gates(m->core, m->arena, evidence, m->rollout, m->stage,
                                 &m->stage->targets[t], NULL, &results, &n, err));
        for (size_t i = 0; i < n; i++) {
            if (!is_done || is_asked_afterwards(&results[i])) {
                DR_TRY(add_gate(m, &results[i], m->stage->targets[t].name, err));
            }
        }
    }
    return DR_OK;
}

// ---- signatures

struct newest {
    struct maker *maker;
    struct dr_store_document row;
    bool is_found;
};

static enum dr_rc
take_approval(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct newest *newest = user;
    struct dr_approval approval;
    struct dr_arena *arena = newest->maker->arena;

    if (newest->is_found || dr_approval_decode(arena, row->envelope, &approval, NULL) != DR_OK ||
        strcmp(approval.msg->rollout, newest->maker->rollout->id) != 0) {
        return DR_OK;
    }
    newest->is_found = true;
    newest->row = *row;
    newest->row.envelope.data = dr_arena_copy(arena, row->envelope.data, row->envelope.len);
    return newest->row.envelope.data != NULL ? DR_OK : no_room(err);
}

static enum dr_rc
add_signers(struct maker *m, const struct dr_store_document *row, const Drover__V1__Role *role,
            struct dr_err *err)
{
    const Drover__V1__Root *root = m->core->trust->root.msg;
    struct dr_envelope envelope;
    struct dr_signers signers;

    DR_TRY(dr_envelope_parse(row->envelope, DR_TYPE_APPROVAL, &envelope, err));
    DR_TRY(dr_quorum_count(m->arena, root, role, &envelope, &signers, err));
    m->out->signatures = signers.n;
    m->out->approval_complete = !row->is_pending;
    m->out->approval_sha256 = dr_data(dr_arena_copy(m->arena, row->sha256, 32), 32);
    m->out->signers = dr_arena_array(m->arena, root->n_people + 1, sizeof *m->out->signers);
    if (m->out->signers == NULL || m->out->approval_sha256.data == NULL) {
        return no_room(err);
    }
    m->out->n_signers = 0;
    for (size_t i = 0; i < root->n_people && i < DR_PEOPLE_MAX; i++) {
        if (signers.signed_by[i]) {
            m->out->signers[m->out->n_signers++] = root->people[i]->name;
        }
    }
    return DR_OK;
}

static bool
has_engine(const struct dr_rollout_stage *stage, Drover__V1__Engine engine)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        if (stage->targets[i].engine == engine) {
            return true;
        }
    }
    return false;
}

// With two engines there are two approvals: the one that has fewer signatures is shown.
static enum dr_rc
add_approvals(struct maker *m, struct dr_err *err)
{
    const Drover__V1__Role *role =
        dr_root_approvers(m->core->trust->root.msg, m->stage->environment);
    uint32_t least = UINT32_MAX;

    m->out->needed = role != NULL ? role->threshold : 0;
    for (size_t p = 0; role != NULL && p < m->rollout->n_plans; p++) {
        struct newest newest = {.maker = m};
        const struct dr_store_filter filter = {.kind = DR_TYPE_APPROVAL,
                                               .environment = m->stage->environment,
                                               .plan_sha256 = m->rollout->plans[p].sha256,
                                               .newest_first = true,
                                               .limit = 8};

        if (!has_engine(m->stage, m->rollout->plans[p].engine)) {
            continue;
        }
        DR_TRY(m->core->store->ops->document_list(m->core->store, &filter, take_approval, &newest,
                                                  err));
        if (!newest.is_found) {
            least = 0;
            m->out->signatures = 0;
            m->out->n_signers = 0;
            m->out->approval_complete = false;
            continue;
        }
        uint32_t before = m->out->signatures;
        if (least != 0) {
            DR_TRY(add_signers(m, &newest.row, role, err));
            least = m->out->signatures < least ? m->out->signatures : before;
        }
    }
    return DR_OK;
}

// What evidence and people say of the stage.
static enum dr_rc
add_words(struct maker *m, bool is_done, struct dr_err *err)
{
    if (is_done || dr_rollout_is_open(m->rollout)) {
        struct dr_err closed = {0};
        enum dr_rc rc = add_gates(m, is_done, &closed);

        if (rc != DR_OK &&
            !is_done) { // shown, not hidden: the rollout itself can still be looked at
            m->out->reason = keep(m, closed.message);
        }
    }
    return add_approvals(m, err);
}

static enum dr_rc
fill_stage(struct maker *m, const Drover__V1__StageStatus *before, struct dr_err *err)
{
    bool is_soaking = dr_stage_is_soaking(m->stage);
    bool is_done = is_soaking || dr_stage_state(m->stage) == DR_ROLLOUT_DONE;
    if (m->out_is_old == NULL || is_done ||
        !dr_view_kept_take(m->core, m->rollout, m->stage, m->arena, m->out)) {
        DR_TRY(add_words(m, is_done, err));
        if (m->out_is_old != NULL && !is_done) {
            dr_view_kept_put(m->core, m->rollout, m->stage, m->out);
        }
    } else {
        *m->out_is_old = true;
    }
    const struct dr_rollout *undo = dr_schedule_undo_of(m->core, m->rollout);
    const struct dr_view_stage view = {m->core,  m->arena, m->rollout, m->stage,   m->out,
                                       m->first, m->last,  before,     is_soaking, undo};
    DR_TRY(dr_view_next(&view, err));
    m->out->targets += m->first;
    m->out->n_targets = m->last - m->first;
    return DR_OK;
}

enum dr_rc
dr_view_rollout(struct dr_core *core, const struct dr_rollout *rollout,
                const struct dr_view_page *page, struct dr_arena *arena, Drover__V1__Rollout **out,
                struct dr_err *err)
{
    size_t skip = page != NULL ? page->first : 0, room = DR_VIEW_TARGETS_MAX, seen = 0;
    const struct dr_rollout_stage *current = dr_rollout_current(rollout);
    const Drover__V1__StageStatus *before = NULL;

    DR_TRY(dr_rollout_message(rollout, arena, out, err));
    room = page != NULL && page->max > 0 && page->max < room ? page->max : room;
    for (size_t s = 0; s < rollout->n_stages; s++) {
        struct maker m = {core,
                          arena,
                          rollout,
                          &rollout->stages[s],
                          (*out)->stages[s],
                          0,
                          0,
                          page != NULL ? page->out_is_old : NULL};
        Drover__V1__TargetStatus **targets = m.out->targets;
        size_t n = m.stage->n_targets;

        m.first = skip < n ? skip : n;
        m.last = n - m.first > room ? m.first + room : n;
        skip -= m.first;
        room -= m.last - m.first;
        if (m.last < n && (*out)->next_target == 0) {
            (*out)->next_target = (uint32_t)(seen + m.last);
        }
        seen += n;
        DR_TRY(fill_stage(&m, before, err));
        if ((*out)->next[0] == '\0' && before == NULL) {
            (*out)->next =
                m.out->next; // also of a stage that is done, when a word is still missing
            (*out)->waits = m.out->waits;
        }
        if (&rollout->stages[s] == current && dr_stage_state(current) != DR_ROLLOUT_DONE) {
            (*out)->next = m.out->next;
            (*out)->waits = m.out->waits;
            before = m.out;
            for (size_t t = 0; t < n && (*out)->reason[0] == '\0'; t++) {
                if (!dr_target_is_success(current->targets[t].state, current->mode)) {
                    (*out)->reason = dr_arena_printf(arena, "%s: %s", current->targets[t].name,
                                                     targets[t]->reason);
                }
            }
        }
    }
    return (*out)->reason != NULL ? DR_OK : no_room(err);
}

enum dr_rc
dr_view_rollout_alone(struct dr_core *core, const struct dr_rollout *rollout,
                      const struct dr_view_page *page, struct dr_arena *arena,
                      Drover__V1__Rollout **out, struct dr_err *err)
{
    DR_TRY(core->store->ops->begin(core->store, err));
    enum dr_rc rc = dr_view_rollout(core, rollout, page, arena, out, err);
    core->store->ops->rollback(core->store);
    return rc;
}
