#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/project.h"

#include <string.h>

static bool
is_current(const struct dr_node *node, const struct dr_names *current)
{
    for (size_t i = 0; current != NULL && i < current->count; i++) {
        if (dr_str_eq(current->items[i], node->revision->id)) {
            return true;
        }
    }
    return false;
}

static void
add_names(const struct dr_names *names, struct dr_buf *out)
{
    for (size_t i = 0; i < names->count; i++) {
        dr_buf_printf(out, "%s%s", i ? ", " : "", names->items[i]);
    }
}

static void
add_nodes(const struct dr_node *const *nodes, size_t count, struct dr_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        dr_buf_printf(out, "%s%s", i ? ", " : "", nodes[i]->revision->id);
    }
}

void
dr_chain_parents(const struct dr_node *node, struct dr_buf *out)
{
    add_nodes(node->parents, node->parent_count, out);
    dr_buf_str(out, node->parent_count == 0 ? "<base>" : "");
}

const char *
dr_chain_defect(const struct dr_node *node)
{
    const struct dr_err *defect = node->revision->defect;
    return defect == NULL ? "" : defect->rc == DR_E_REVISION_EMPTY ? "empty" : "unfinished";
}

void
dr_chain_marks(const char *marks, bool has_points, bool is_now, struct dr_buf *out)
{
    bool is_head = strchr(marks, 'h') != NULL, is_needed = strchr(marks, 'd') != NULL;
    dr_buf_str(out, is_head && !is_needed ? " (head)" : "");
    dr_buf_str(out, is_head && is_needed ? " (effective head)" : "");
    dr_buf_str(out, is_now ? " (current)" : "");
    dr_buf_str(out, has_points && strchr(marks, 'b') != NULL ? " (branchpoint)" : "");
    dr_buf_str(out, has_points && strchr(marks, 'm') != NULL ? " (mergepoint)" : "");
}

void
dr_chain_line(const struct dr_node *node, const struct dr_chain_look *look, struct dr_buf *out)
{
    char marks[DR_NODE_MARKS_SIZE];
    if (look->has_parents) {
        dr_chain_parents(node, out);
        if (node->depends_on_count > 0) {
            dr_buf_str(out, " (");
            add_nodes(node->depends_on, node->depends_on_count, out);
            dr_buf_str(out, ")");
        }
        dr_buf_str(out, " -> ");
    }
    dr_buf_str(out, node->revision->id);
    if (look->has_labels && node->labels.count > 0) {
        dr_buf_str(out, " (");
        add_names(&node->labels, out);
        dr_buf_str(out, ")");
    }
    dr_node_marks(node, marks);
    dr_chain_marks(marks, look->has_points, is_current(node, look->current), out);
    dr_buf_str(out, node->withdrawn != NULL ? " (withdrawn)" : "");
    if (node->revision->defect != NULL) {
        dr_buf_printf(out, " (%s)", dr_chain_defect(node));
    }
    if (look->has_message) {
        dr_buf_printf(out, ", %s", node->revision->message);
    }
}

// The header without its marks, as the author wrote it: what is a docstring in Alembic.
static void
add_header(const struct dr_revision *r, struct dr_buf *out)
{
    const char *at = memchr(r->bytes, '\n', r->size), *end = r->bytes + r->size;
    while (at != NULL && ++at < end && end - at >= 2 && memcmp(at, "--", 2) == 0 &&
           !(end - at >= 10 && memcmp(at, "-- drover:", 10) == 0)) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);
        size_t skip = len > 2 && at[2] == ' ' ? 3 : 2;
        dr_buf_str(out, len > skip ? "    " : "");
        dr_buf_add(out, at + skip, len - skip);
        dr_buf_str(out, "\n");
        at = stop;
    }
}

void
dr_chain_block(const struct dr_cli *cli, const struct dr_node *node, const struct dr_names *current,
               struct dr_buf *out)
{
    char digest[65];
    dr_buf_printf(out, "Rev: %s%s", node->revision->id, dr_node_is_head(node) ? " (head)" : "");
    dr_buf_str(out, dr_node_is_branchpoint(node) ? " (branchpoint)" : "");
    dr_buf_str(out, dr_node_is_mergepoint(node) ? " (mergepoint)" : "");
    dr_buf_str(out, is_current(node, current) ? " (current)" : "");
    if (node->revision->defect != NULL) {
        dr_buf_printf(out, " (%s)", dr_chain_defect(node));
    }
    dr_buf_str(out, dr_node_is_mergepoint(node) ? "\nMerges: " : "\nParent: ");
    dr_chain_parents(node, out);
    if (node->depends_on_count > 0) {
        dr_buf_str(out, "\nAlso depends on: ");
        add_nodes(node->depends_on, node->depends_on_count, out);
    }
    if (dr_node_is_branchpoint(node)) {
        dr_buf_str(out, "\nBranches into: ");
        add_nodes(node->children, node->child_count, out);
    }
    if (node->labels.count > 0) {
        dr_buf_str(out, "\nBranch names: ");
        add_names(&node->labels, out);
    }
    dr_hex(digest, node->digest, 32);
    dr_buf_printf(out, "\nPath: %s\n\n", dr_project_shown(cli, node->revision->path));
    add_header(node->revision, out);
    dr_buf_printf(out, "    Digest: %s\n", digest);
}

static json_t *
ids_json(const struct dr_node *const *nodes, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(nodes[i]->revision->id));
    }
    return list;
}

static json_t *
names_json(const struct dr_names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++) {
        json_array_append_new(list, json_string(names->items[i]));
    }
    return list;
}

static json_t *
node_json(const struct dr_cli *cli, const struct dr_node *node, const struct dr_names *current)
{
    char digest[65];
    dr_hex(digest, node->digest, 32);
    const struct dr_revision *r = node->revision;
    json_t *value =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:s}", "id", r->id, "message",
                  r->message, "parents", ids_json(node->parents, node->parent_count), "children",
                  ids_json(node->children, node->child_count), "dependsOn",
                  ids_json(node->depends_on, node->depends_on_count), "branchLabels",
                  names_json(&r->labels), "branches", names_json(&node->labels), "isHead",
                  dr_node_is_head(node), "digest", digest, "path", dr_project_shown(cli, r->path));
    if (node->withdrawn != NULL) {
        json_object_set_new(value, "withdrawn", json_string(node->withdrawn));
    }
    if (r->defect != NULL) {
        json_object_set_new(value, "defect", json_string(r->defect->message));
    }
    if (current != NULL) {
        json_object_set_new(value, "isCurrent", json_boolean(is_current(node, current)));
    }
    if (dr_cli_has(cli, "sql")) {
        json_object_set_new(value, "sql", json_stringn(r->bytes, r->size));
    }
    return value;
}

void
dr_chain_print_json(const struct dr_cli *cli, const char *schema, const struct dr_nodes *nodes,
                    const struct dr_names *current)
{
    json_t *list = json_array();
    for (size_t i = 0; i < nodes->count; i++) {
        json_array_append_new(list, node_json(cli, nodes->items[i], current));
    }
    dr_print_json(cli, json_pack("{s:s, s:o}", "schema", schema, "revisions", list));
}

void
dr_chain_print(const struct dr_cli *cli, struct dr_buf *out)
{
    dr_say(cli, "%s", out->data ? out->data : "");
    dr_buf_fini(out);
}
