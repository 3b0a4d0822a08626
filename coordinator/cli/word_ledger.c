// From a signed word to a ledger. See word_ledger.h.
#include "coordinator/cli/word_ledger.h"

#include "trust/strict.h"

#include <string.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static const struct dr_node *
node_of(const struct dr_graph *graph, ProtobufCBinaryData digest)
{
    for (size_t i = 0; i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        if (dr_data_is(digest, node->digest)) {
            return node;
        }
    }
    return NULL;
}

// The index of a unit in its revision; UINT32_MAX when the plan does not have it.
static uint32_t
unit_number(const Drover__V1__Plan *plan, const Drover__V1__UnitProof *proof)
{
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        for (size_t u = 0; u < revision->n_units; u++) {
            if (dr_data_eq(revision->digest, proof->revision_digest) &&
                dr_data_eq(revision->units[u]->digest, proof->unit_digest)) {
                return (uint32_t)u;
            }
        }
    }
    return UINT32_MAX;
}

static struct dr_ledger_revision *
add_revision(struct dr_ledger_view *view, const struct dr_node *node)
{
    struct dr_ledger_revision *v = &view->revisions[view->revisions_count++];
    v->id = node->revision->id;
    v->state = DR_LEDGER_APPLIED;
    memcpy(v->digest, node->digest, 32);
    return v;
}

static struct dr_ledger_revision *
find(struct dr_ledger_view *view, const char *id)
{
    for (size_t i = 0; i < view->revisions_count; i++) {
        if (dr_str_eq(view->revisions[i].id, id)) {
            return &view->revisions[i];
        }
    }
    return NULL;
}

static enum dr_rc
add_applied(const struct dr_graph *graph, const Drover__V1__Attestation *word,
            struct dr_arena *arena, struct dr_ledger_view *view, struct dr_err *err)
{
    const char **ids = dr_arena_array(arena, word->n_heads + 1, sizeof(*ids));
    struct dr_nodes nodes = {0};
    if (ids == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < word->n_heads; i++) {
        ids[i] = word->heads[i]->id;
    }
    const struct dr_names heads = {.items = ids, .count = word->n_heads};
    enum dr_rc rc = dr_graph_applied(graph, &heads, arena, &nodes, err);
    for (size_t i = 0; rc == DR_OK && i < nodes.count; i++) {
        (void)add_revision(view, nodes.items[i]);
    }
    for (size_t i = 0; rc == DR_OK && i < word->n_heads; i++) {
        struct dr_ledger_revision *v = find(view, ids[i]);
        if (v != NULL && word->heads[i]->digest.len == 32) {
            v->is_head = true;
            memcpy(v->digest, word->heads[i]->digest.data, 32);
        }
    }
    return rc;
}

static enum dr_rc
add_half(const struct dr_graph *graph, const Drover__V1__Attestation *word,
         const Drover__V1__Plan *plan, struct dr_ledger_view *view, struct dr_err *err)
{
    for (size_t i = 0; i < word->n_units; i++) {
        const Drover__V1__UnitProof *proof = word->units[i];
        const struct dr_node *node = node_of(graph, proof->revision_digest);
        bool is_down = proof->mode == DROVER__V1__MODE__DOWN;
        if (node == NULL) {
            (void)dr_err_set(err, DR_E_REVISION_UNKNOWN,
                             "a revision of '%s' is half done, but its file is not in this folder",
                             word->target);
            return dr_err_hint(err, "fetch the project's newest revisions (git pull), then again");
        }
        struct dr_ledger_revision *v = find(view, node->revision->id);
        v = v != NULL ? v : add_revision(view, node);
        v->state =
            is_down || v->state == DR_LEDGER_GOING_DOWN ? DR_LEDGER_GOING_DOWN : DR_LEDGER_GOING_UP;
        struct dr_ledger_unit *u = &view->units[view->units_count++];
        u->revision_id = node->revision->id;
        u->kind = proof->begun ? DR_LEDGER_INTENT : DR_LEDGER_DONE;
        u->direction = is_down ? DR_LEDGER_DOWN : DR_LEDGER_UP;
        u->unit_number = plan != NULL ? unit_number(plan, proof) : UINT32_MAX;
        u->finished = proof->finished;
        memcpy(u->revision_digest, node->digest, 32);
    }
    return DR_OK;
}

enum dr_rc
dr_word_ledger(const struct dr_graph *graph, const Drover__V1__Attestation *word,
               const Drover__V1__Plan *plan, struct dr_arena *arena, struct dr_ledger_view *out,
               struct dr_err *err)
{
    // Only where something is half done are units the halves; elsewhere they are what ran.
    bool is_partial = (word->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0;
    size_t most = dr_graph_count(graph) + word->n_units + 1;
    struct dr_ledger_view view = {.exists = true, .owner = ""};
    view.revisions = dr_arena_array(arena, most, sizeof(*view.revisions));
    view.units = dr_arena_array(arena, word->n_units + 1, sizeof(*view.units));
    if (view.revisions == NULL || view.units == NULL) {
        return no_memory(err);
    }
    enum dr_rc rc = add_applied(graph, word, arena, &view, err);
    rc = rc == DR_OK && is_partial ? add_half(graph, word, plan, &view, err) : rc;
    rc = rc == DR_OK ? dr_ledger_index(arena, &view, err) : rc;
    if (rc == DR_OK) {
        *out = view;
    }
    return rc;
}
