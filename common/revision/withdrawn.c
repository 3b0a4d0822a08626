#include "revision/withdrawn.h"
#include "revision/graph_internal.h"

#include "base/file.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 500u // bytes of a reason that are noted

static enum dr_rc
path_of(const char *folder, char out[PATH_MAX], struct dr_err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, DR_WITHDRAWN_NAME);
    return n > 0 && n < PATH_MAX ? DR_OK
                                 : dr_err_set(err, DR_E_LIMIT, "the path '%s' is too long", folder);
}

// One line, its fields ended by NULs in place. False: it is none.
static bool
split(char *line, char **id, char **digest, char **reason)
{
    *id = line;
    char *space = strchr(line, ' ');
    if (space == NULL || space == line) {
        return false;
    }
    *space = '\0';
    *digest = space + 1;
    space = strchr(*digest, ' ');
    *reason = space == NULL ? *digest + strlen(*digest) : space + 1;
    if (space != NULL) {
        *space = '\0';
    }
    return strlen(*digest) == 2 * DR_DIGEST_SIZE;
}

static enum dr_rc
mark(struct dr_graph *graph, const char *id, const char *digest, const char *reason,
     struct dr_err *err)
{
    const struct dr_node *found = dr_graph_find(graph, id);
    char hex[2 * DR_DIGEST_SIZE + 1];
    if (found == NULL) {
        return DR_OK; // its file went when no database had it any more
    }
    struct dr_node *node = &graph->nodes[found->index];
    dr_hex(hex, node->digest, DR_DIGEST_SIZE);
    if (!dr_str_eq(hex, digest)) {
        dr_err_set(err, DR_E_WITHDRAWN, "revision '%s' was withdrawn, and says something else now",
                   id);
        dr_err_hint(err, "put the file back; what takes its place needs another id");
        return dr_err_at(err, node->revision->path, 1, 1);
    }
    node->withdrawn = dr_arena_str(graph->arena, reason[0] == '\0' ? "no reason" : reason);
    return node->withdrawn == NULL ? dr_graph_nomem(err) : DR_OK;
}

// Nothing that lives may stand on one of them.
static enum dr_rc
check_children(struct dr_graph *graph, struct dr_err *err)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct dr_node *node = &graph->nodes[i];
        for (size_t k = 0; k < node->parent_count; k++) {
            const struct dr_node *parent = node->parents[k];
            if (node->withdrawn != NULL) {
                graph->nodes[parent->index].withdrawn_child_count++;
            } else if (parent->withdrawn != NULL) {
                dr_err_set(err, DR_E_WITHDRAWN, "revision '%s' stands on '%s', which was withdrawn",
                           node->revision->id, parent->revision->id);
                dr_err_hint(err, "let it stand on '%s'",
                            parent->parent_count > 0 ? parent->parents[0]->revision->id : "base");
                return dr_err_at(err, node->revision->path, node->revision->revises_line, 1);
            }
        }
    }
    return DR_OK;
}

enum dr_rc
dr_graph_mark_withdrawn(struct dr_graph *graph, const char *folder, struct dr_err *err)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    uint32_t number = 0;
    enum dr_rc rc = path_of(folder, path, err);
    if (rc != DR_OK || !dr_path_exists(path)) {
        return rc;
    }
    rc = dr_file_read(path, DR_WITHDRAWN_MAX, &text, &len, err);
    char *rest = rc == DR_OK ? text : NULL;
    while (rc == DR_OK && rest != NULL && *rest != '\0') {
        char *id = NULL;
        char *digest = NULL;
        char *reason = NULL;
        char *line = strsep(&rest, "\n");
        number++;
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        if (split(line, &id, &digest, &reason)) {
            rc = mark(graph, id, digest, reason, err);
        } else {
            dr_err_set(err, DR_E_REVISION_SUM, "this is no line 'id digest reason'");
            dr_err_hint(err, "drover withdraw REVISION -m WHY writes it");
            rc = dr_err_at(err, path, number, 1);
        }
    }
    free(text);
    return rc == DR_OK ? check_children(graph, err) : rc;
}

// Is there a line of this revision?
static bool
has_line(const char *text, const char *id)
{
    size_t len = strlen(id);
    for (const char *at = text; *at != '\0';) {
        if (strncmp(at, id, len) == 0 && at[len] == ' ') {
            return true;
        }
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return false;
}

enum dr_rc
dr_withdrawn_add(const char *folder, const char *id, const uint8_t digest[32], const char *reason,
                 struct dr_err *err)
{
    char path[PATH_MAX];
    char *text = NULL;
    char hex[2 * DR_DIGEST_SIZE + 1];
    size_t len = 0;
    struct dr_buf all = {0};
    enum dr_rc rc = path_of(folder, path, err);
    if (rc == DR_OK && dr_path_exists(path)) {
        rc = dr_file_read(path, DR_WITHDRAWN_MAX, &text, &len, err);
    }
    if (rc == DR_OK && (text == NULL || !has_line(text, id))) {
        dr_hex(hex, digest, DR_DIGEST_SIZE);
        dr_buf_str(&all, text == NULL ? "" : text);
        dr_buf_str(&all, text != NULL && len > 0 && text[len - 1] != '\n' ? "\n" : "");
        dr_buf_printf(&all, "%s %s ", id, hex);
        for (size_t i = 0; reason[i] != '\0' && i < REASON_MAX; i++) {
            unsigned char c = (unsigned char)reason[i];
            dr_buf_add(&all, c < 0x20 ? " " : &reason[i], 1);
        }
        dr_buf_str(&all, "\n");
        rc = all.failed ? dr_graph_nomem(err) : dr_file_write(path, all.data, all.len, 0644, err);
    }
    dr_buf_fini(&all);
    free(text);
    return rc;
}
