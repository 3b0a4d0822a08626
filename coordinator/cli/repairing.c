// What repair does wherever it looked: the half-done revisions, where they end, and which way is
// safe. See repairing.h.
#include "coordinator/cli/repairing.h"

#include "coordinator/cli/print.h"

#include <string.h>

// Nodes in the graph's order, which is parents first.
static void
add_node(struct dr_nodes *nodes, const struct dr_node *node)
{
    size_t at = nodes->count++;
    for (; at > 0 && nodes->items[at - 1]->index > node->index; at--) {
        nodes->items[at] = nodes->items[at - 1];
    }
    nodes->items[at] = node;
}

// Where the target is once what is half done is finished, or undone: the ids that stamp takes.
void
dr_repairing_name_ends(struct dr_repairing *r)
{
    const struct dr_node *first = r->nodes.count ? r->nodes.items[0] : NULL;
    const struct dr_node *last = r->nodes.count ? r->nodes.items[r->nodes.count - 1] : NULL;
    bool is_down =
        r->repair.units_count > 0 && r->repair.units[0].direction == DROVER__V1__MODE__DOWN;
    const char *below =
        first != NULL && first->parent_count > 0 ? first->parents[0]->revision->id : "base";
    const char *above = last != NULL ? last->revision->id : "";
    r->facts.finished = is_down ? below : above;
    r->facts.undone = is_down ? above : below;
}

Drover__V1__Mode
dr_repairing_mode(const struct dr_repairing *r, bool is_reverse)
{
    bool was_down =
        r->repair.units_count > 0 && r->repair.units[0].direction == DROVER__V1__MODE__DOWN;
    return was_down != is_reverse ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
}

enum dr_rc
dr_repairing_check(const struct dr_repairing *r, bool is_reverse, struct dr_err *err)
{
    const char *why = is_reverse ? r->repair.no_reverse : r->repair.no_resume;
    if (why[0] != '\0') {
        (void)dr_err_set(err, DR_E_NEEDS_REPAIR, "--%s is no safe way here: %s",
                         is_reverse ? "reverse" : "resume", why);
        return dr_err_hint(err, "drover repair %s shows the others", r->facts.where);
    }
    if (r->repair.held_by[0] != '\0') {
        return dr_err_set(err, DR_E_LOCKED, "%s", r->repair.held_by);
    }
    return DR_OK;
}

enum dr_rc
dr_repairing_find(struct dr_repairing *r, const struct dr_ledger_view *view, struct dr_err *err)
{
    r->nodes.items =
        dr_arena_array(r->cli->arena, view->revisions_count + 1, sizeof(*r->nodes.items));
    if (r->nodes.items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < view->revisions_count; i++) {
        const struct dr_ledger_revision *v = &view->revisions[i];
        const struct dr_node *node = dr_graph_find(r->graph, v->id);
        if (v->state == DR_LEDGER_APPLIED) {
            continue;
        }
        if (node == NULL || memcmp(node->digest, v->digest, 32) != 0) {
            (void)dr_err_set(err, DR_E_NEEDS_REPAIR,
                             "revision '%s' is half done, but the file here is %s",
                             dr_print_safe(r->cli, v->id), node ? "another one" : "missing");
            return dr_err_hint(err, "fetch the revisions that were run (git log), then again");
        }
        add_node(&r->nodes, node);
    }
    return DR_OK;
}
