// View: small replies: documents, log, status, agents.
#include "coordinator/core/enroll.h"
#include "coordinator/core/latest.h"
#include "coordinator/core/order_progress.h"
#include "coordinator/core/view.h"

#include "base/clock.h"
#include "trust/envelope.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "the answer is too large: ask for less");
}

enum dr_rc
dr_view_document(const struct dr_store_document *row, bool with_parts, struct dr_arena *arena,
                 Drover__V1__Document **out, struct dr_err *err)
{
    Drover__V1__Document *message =
        with_parts && row->parts.len > 0
            ? drover__v1__document__unpack(dr_arena_protobuf(arena), row->parts.len,
                                           row->parts.data)
            : dr_arena_alloc(arena, sizeof *message);
    uint8_t *envelope = dr_arena_copy(arena, row->envelope.data, row->envelope.len);
    uint8_t *sha256 = dr_arena_copy(arena, row->sha256, 32);

    if (message == NULL || envelope == NULL || sha256 == NULL) {
        return no_room(err);
    }
    if (!with_parts || row->parts.len == 0) {
        drover__v1__document__init(message);
    }
    message->sha256 = dr_data(sha256, 32);
    message->kind = dr_arena_str(arena, row->kind);
    message->envelope = dr_data(envelope, row->envelope.len);
    message->log_index = row->log_index;
    *out = message;
    return message->kind != NULL ? DR_OK : no_room(err);
}

// ---- the log

struct log_rows {
    struct dr_arena *arena;
    Drover__V1__LogEntry **list;
    size_t n;
};

static enum dr_rc
take_log(void *user, const struct dr_store_log *row, struct dr_err *err)
{
    struct log_rows *rows = user;
    struct dr_store_log *copy = dr_arena_copy(rows->arena, row, sizeof *row);
    Drover__V1__LogEntry *message = dr_arena_alloc(rows->arena, sizeof *message);

    if (copy == NULL || message == NULL) {
        return no_room(err);
    }
    copy->kind = dr_arena_str(rows->arena, row->kind);
    copy->subject = dr_arena_str(rows->arena, row->subject);
    copy->text = dr_arena_str(rows->arena, row->text);
    copy->actor = dr_arena_str(rows->arena, row->actor);
    if (copy->kind == NULL || copy->subject == NULL || copy->text == NULL || copy->actor == NULL) {
        return no_room(err);
    }
    dr_events_message(copy, message);
    rows->list[rows->n++] = message;
    return DR_OK;
}

enum dr_rc
dr_view_log(struct dr_core *core, uint64_t after, uint32_t limit, const char *word,
            struct dr_arena *arena, Drover__V1__LogEntry ***out, size_t *out_n, struct dr_err *err)
{
    struct log_rows rows = {.arena = arena,
                            .list = dr_arena_array(arena, limit + 1u, sizeof *rows.list)};

    if (rows.list == NULL) {
        return no_room(err);
    }
    DR_TRY(core->store->ops->log_list(core->store, after, limit, word, take_log, &rows, err));
    *out = rows.list;
    *out_n = rows.n;
    return DR_OK;
}

// ---- status

struct status {
    struct dr_core *core;
    const Drover__V1__StatusRequest *request;
    struct dr_arena *arena;
    Drover__V1__StatusReply *reply;
    size_t bytes;                 // of the attestations so far
    struct dr_rollout **rollouts; // those that are open, the newest first
    size_t n_rollouts;
};

// Names a word of the target, and hands it over unless it is had.
static enum dr_rc
add_word(struct status *s, Drover__V1__TargetView *view, const struct dr_latest_word *word,
         struct dr_err *err)
{
    struct dr_store_document row;

    if (word == NULL || !word->is_there) {
        return DR_OK;
    }
    uint8_t *sha256 = dr_arena_copy(s->arena, word->sha256, 32);
    if (sha256 == NULL) {
        return no_room(err);
    }
    view->words[view->n_words++] = dr_data(sha256, 32);
    if (word->log_index <= s->request->have_log_index) {
        return DR_OK;
    }
    DR_TRY(s->core->store->ops->document_get(s->core->store, word->sha256, s->arena, &row, err));
    s->bytes += row.envelope.len;
    return dr_view_document(&row, false, s->arena,
                            &s->reply->attestations[s->reply->n_attestations++], err);
}

static enum dr_rc
add_words(struct status *s, Drover__V1__TargetView *view, struct dr_err *err)
{
    const struct dr_latest *latest = NULL;

    DR_TRY(dr_latest_of(s->core, view->target, &latest, err));
    view->words = dr_arena_array(s->arena, DR_LATEST_KINDS, sizeof *view->words);
    if (view->words == NULL) {
        return no_room(err);
    }
    if (s->request->brief) {
        DR_TRY(add_word(s, view, dr_latest_state(latest), err));
        DR_TRY(add_word(s, view, &latest->words[DR_LATEST_BACKUP], err));
        return add_word(s, view, &latest->words[DR_LATEST_DRIFT], err);
    }
    for (size_t i = 0; i < DR_LATEST_KINDS; i++) {
        DR_TRY(add_word(s, view, &latest->words[i], err));
        if (i == DR_LATEST_STATE && latest->words[i].is_there) {
            view->last_state_sha256 = view->words[view->n_words - 1];
        } else if (i == DR_LATEST_BACKUP && latest->words[i].is_there) {
            view->last_backup_sha256 = view->words[view->n_words - 1];
        }
    }
    return DR_OK;
}

// Where the target stands in the newest open rollout that has it.
static void
add_rollout(struct status *s, Drover__V1__TargetView *view)
{
    for (size_t i = 0; i < s->n_rollouts; i++) {
        struct dr_rollout_stage *stage;
        struct dr_rollout *rollout = s->rollouts[i];
        const struct dr_rollout_target *target = dr_rollout_find(rollout, view->target, &stage);

        if (target != NULL) {
            view->rollout = dr_arena_str(s->arena, rollout->id);
            view->state = dr_arena_str(s->arena, dr_target_state_name(target->state));
            view->reason = dr_arena_str(s->arena, target->reason);
            view->progress = target->has_progress ? target->progress : NULL;
            return;
        }
    }
}

// Looked for once for all targets: whether a rollout is open depends on each target of it.
static void
find_open(struct status *s)
{
    for (size_t i = s->core->n_rollouts; i > 0; i--) {
        struct dr_rollout *rollout = s->core->rollouts[i - 1];

        if (dr_rollout_is_open(rollout)) {
            s->rollouts[s->n_rollouts++] = rollout;
        }
    }
}

static enum dr_rc
add_target(struct status *s, const Drover__V1__Target *target, struct dr_err *err)
{
    Drover__V1__TargetView *view = dr_arena_alloc(s->arena, sizeof *view);
    const struct dr_agent *agent = dr_core_agent(s->core, target->agent);

    if (view == NULL || agent == NULL) {
        return no_room(err);
    }
    drover__v1__target_view__init(view);
    view->target = target->name;
    view->environment = target->environment;
    view->engine = target->engine;
    view->agent = target->agent;
    view->connected = agent->watch != NULL;
    view->last_seen = agent->last_seen;
    view->agent_version = dr_arena_str(s->arena, agent->version);
    add_rollout(s, view);
    if (view->progress == NULL) {
        view->progress = dr_order_progress_of(s->core, target->name, dr_monotonic_ms());
    }
    DR_TRY(add_words(s, view, err));
    s->reply->targets[s->reply->n_targets++] = view;
    return DR_OK;
}

static bool
is_asked_for(const Drover__V1__StatusRequest *request, const Drover__V1__Target *target)
{
    return target != NULL && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
           strcmp(target->name, request->after) > 0 &&
           (request->environment[0] == '\0' ||
            dr_str_glob(request->environment, target->environment)) &&
           (request->target[0] == '\0' || dr_str_glob(request->target, target->name));
}

enum dr_rc
dr_view_status(struct dr_core *core, const Drover__V1__StatusRequest *request,
               struct dr_arena *arena, Drover__V1__StatusReply **out, struct dr_err *err)
{
    struct status s = {.core = core,
                       .request = request,
                       .arena = arena,
                       .reply = dr_arena_alloc(arena, sizeof *s.reply)};
    const struct dr_loghash *head = dr_events_head(core->events);
    size_t n = core->trust->n_entries;
    size_t max = request->limit > 0 && request->limit < DR_VIEW_TARGETS_MAX ? request->limit
                                                                            : DR_VIEW_TARGETS_MAX;

    if (s.reply == NULL) {
        return no_room(err);
    }
    drover__v1__status_reply__init(s.reply);
    s.reply->targets = dr_arena_array(arena, max, sizeof *s.reply->targets);
    s.reply->attestations =
        dr_arena_array(arena, DR_LATEST_KINDS * max, sizeof *s.reply->attestations);
    s.rollouts = dr_arena_array(arena, core->n_rollouts + 1, sizeof *s.rollouts);
    if (s.reply->targets == NULL || s.reply->attestations == NULL || s.rollouts == NULL) {
        return no_room(err);
    }
    find_open(&s);
    s.reply->log_count = head->index;
    s.reply->log_head = dr_data(head->hash, 32);
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Target *target = core->trust->entries[i].msg->target;
        size_t shown = s.reply->n_targets;

        if (!is_asked_for(request, target)) {
            continue;
        }
        if (shown == max || s.bytes >= DR_VIEW_BYTES_MAX / 2) {
            s.reply->next_after = s.reply->targets[shown - 1]->target;
            break;
        }
        DR_TRY(add_target(&s, target, err));
    }
    *out = s.reply;
    return DR_OK;
}

enum dr_rc
dr_view_agents(struct dr_core *core, struct dr_arena *arena, Drover__V1__AgentList **out,
               struct dr_err *err)
{
    size_t n = dr_directory_agent_count(core->directory);
    Drover__V1__AgentList *list = dr_arena_alloc(arena, sizeof *list);
    Drover__V1__AgentView *rows = dr_arena_array(arena, n + 1, sizeof *rows);

    if (list == NULL || rows == NULL) {
        return no_room(err);
    }
    drover__v1__agent_list__init(list);
    list->agents = dr_arena_array(arena, n + 1, sizeof *list->agents);
    for (size_t i = 0; list->agents != NULL && i < n; i++) {
        const struct dr_directory_agent *who = dr_directory_agent_at(core->directory, i);
        const struct dr_agent *agent = dr_core_agent(core, who->name);
        Drover__V1__AgentView *row = &rows[i];

        drover__v1__agent_view__init(row);
        row->agent = dr_arena_str(arena, who->name);
        row->environment = dr_arena_str(arena, who->environment);
        row->signing_key = dr_data(who->signing_key, 32);
        row->transport_key = dr_data(who->transport_key, 32);
        row->targets = dr_arena_array(arena, who->n_targets + 1, sizeof *row->targets);
        if (agent == NULL || row->targets == NULL || row->agent == NULL ||
            row->environment == NULL) {
            return no_room(err);
        }
        row->connected = agent->watch != NULL;
        row->last_seen = agent->last_seen;
        row->version = dr_arena_str(arena, agent->version);
        row->address = dr_arena_str(arena, agent->address);
        row->state = dr_arena_str(arena, agent->is_copied ? "key-copied"
                                         : row->connected ? "connected"
                                                          : "away");
        for (size_t t = 0; t < who->n_targets; t++) {
            row->targets[row->n_targets++] = who->targets[t]->msg->target->name;
        }
        list->agents[list->n_agents++] = row;
    }
    *out = list;
    return list->agents != NULL ? dr_enroll_list(core, arena, &list->offers, &list->n_offers, err)
                                : no_room(err);
}
