// A section begins with every piece, behind a COMMIT of the author's, and before and behind a
// statement that cannot run in a transaction.

#include "coordinator/import/sheet.h"

#include <string.h>

static enum dr_rc
tell(struct dr_sheet *s, enum dr_import_kind kind, const struct dr_part *part,
     const struct dr_chunk *chunk, const char *reason)
{
    return dr_import_note(s->import, s->revision, kind, part->piece->file, chunk->line, s->err,
                          "%s", reason);
}

// SET of the session, which ends with the section that it stands in.
static bool
is_session_set(const char *sql, size_t len)
{
    char words[96];
    dr_sql_first_words(sql, len, 2, words, sizeof words);
    if (strncmp(words, "SET", 3) == 0 && (words[3] == ' ' || words[3] == '\0')) {
        return strcmp(words, "SET LOCAL") != 0 && strcmp(words, "SET CONSTRAINTS") != 0 &&
               strcmp(words, "SET TRANSACTION") != 0;
    }
    return strncmp(words, "SELECT", 6) == 0 && len < 300 &&
           memmem(sql, len, "set_config", 10) != NULL && memmem(sql, len, "false", 5) != NULL;
}

static bool
sets_names(const struct dr_sheet *s)
{
    for (size_t i = 0; i < s->sets_count; i++) {
        if (memmem(s->sets[i], s->set_lens[i], "search_path", 11) != NULL ||
            memmem(s->sets[i], s->set_lens[i], "SEARCH_PATH", 11) != NULL) {
            return true;
        }
    }
    return false;
}

// What was set for the session in an earlier section holds for this one as well.
static enum dr_rc
repeat_sets(struct dr_sheet *s, const struct dr_part *part, const struct dr_chunk *chunk,
            bool is_off)
{
    if (s->sets_count == 0 || (is_off && !sets_names(s))) {
        return DR_OK;
    }
    for (size_t i = 0; i < s->sets_count; i++) {
        dr_buf_add(s->out, s->sets[i], s->set_lens[i]);
        dr_buf_str(s->out, ";\n");
    }
    return is_off ? tell(s, DR_IMPORT_HAND, part, chunk,
                         "search_path is set in another section: name the schema in this statement "
                         "and remove the SET before it")
                  : tell(s, DR_IMPORT_CHANGED, part, chunk,
                         "a new section begins here: what SET said before is said again");
}

static void
close_section(struct dr_sheet *s)
{
    if (s->is_open) {
        while (s->out->len > 0 && s->out->data[s->out->len - 1] == '\n') {
            s->out->data[--s->out->len] = '\0';
        }
        dr_buf_str(s->out, "\n");
    }
    s->is_open = false;
}

// What the directive line says besides its word; notes what the section lacks.
static enum dr_rc
add_directive(struct dr_sheet *s, const struct dr_part *part, const struct dr_chunk *chunk,
              const struct dr_sql_stmt *stmt, bool is_off)
{
    const char *probe = part->piece->probe;
    enum dr_rc rc = DR_OK;
    dr_buf_printf(s->out, "\n-- drover:%s", s->word);
    if (part->piece->name != NULL) {
        dr_buf_printf(s->out, " \"%s\"", part->piece->name);
    }
    if (part->piece->options != NULL) {
        dr_buf_str(s->out, part->piece->options);
    }
    if (is_off) {
        dr_buf_str(s->out, " transaction=off");
    }
    if (is_off && probe != NULL) {
        dr_buf_printf(s->out, " probe=\"%s\"", probe);
    }
    dr_buf_str(s->out, "\n");
    if (!is_off || stmt == NULL) {
        return DR_OK;
    }
    if ((stmt->flags & DR_SQL_OUTSIDE_ALLOWED) == 0 && probe == NULL) {
        rc = tell(s, DR_IMPORT_HAND, part, chunk,
                  "it runs outside a transaction and drover cannot tell whether it was done: add "
                  "probe=\"SELECT ...\" to its section");
    }
    bool is_index = stmt->probe == DROVER__V1__PROBE__PROBE_INDEX_CREATED;
    if (rc == DR_OK && is_index && (stmt->flags & DR_SQL_UNNAMED) != 0) {
        rc = tell(s, DR_IMPORT_HAND, part, chunk, "an index built CONCURRENTLY needs a name");
    }
    if (rc == DR_OK && is_index && (stmt->flags & DR_SQL_IF_NOT_EXISTS) != 0) {
        rc = tell(s, DR_IMPORT_HAND, part, chunk,
                  "IF NOT EXISTS with CONCURRENTLY takes an invalid index of a failed run for a "
                  "good one: remove IF NOT EXISTS, drover looks for the index itself");
    }
    return rc;
}

static bool
needs_off(const struct dr_part *part, const struct dr_sql_stmt *stmt)
{
    return stmt != NULL && ((stmt->flags & DR_SQL_OUTSIDE_ONLY) != 0 ||
                            stmt->probe == DROVER__V1__PROBE__PROBE_ENUM_VALUE ||
                            (part->piece->probe != NULL && part->chunks.statements == 1));
}

static void
add_text(struct dr_buf *out, const char *text, size_t len)
{
    while (len > 0 && out->len > 0 && out->data[out->len - 1] == '\n' && text[0] == '\n' &&
           out->len > 1 && out->data[out->len - 2] == '\n') {
        text++; // one blank line is enough where something was taken out
        len--;
    }
    dr_buf_add(out, text, len);
    if (len > 0 && text[len - 1] != '\n') {
        dr_buf_str(out, "\n");
    }
}

static const char *
skip_blank_lines(const char *text, size_t *len)
{
    for (size_t at = 0; at < *len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n');
         at++) {
        if (text[at] == '\n') {
            text += at + 1;
            *len -= at + 1;
            at = (size_t)-1;
        }
    }
    return text;
}

static enum dr_rc
add_statement(struct dr_sheet *s, const struct dr_part *part, const struct dr_chunk *chunk,
              const struct dr_sql_stmt *stmt, bool *is_new)
{
    bool is_off = needs_off(part, stmt);
    enum dr_rc rc = DR_OK;
    if (stmt != NULL && stmt->problem != NULL) {
        rc = dr_import_note(s->import, s->revision, DR_IMPORT_HAND, part->piece->file, chunk->line,
                            s->err, "%s%s%s", stmt->problem->message,
                            stmt->problem->help[0] == '\0' ? "" : ": ", stmt->problem->help);
    }
    bool is_first = rc == DR_OK && (!s->is_open || *is_new || is_off || s->is_off);
    if (is_first) {
        close_section(s);
        rc = add_directive(s, part, chunk, stmt, is_off);
        rc = rc == DR_OK ? repeat_sets(s, part, chunk, is_off) : rc;
        s->is_open = true;
        s->is_off = is_off;
        s->sections++;
    }
    size_t pending = s->pending.len, len = chunk->len;
    const char *before = s->pending.data, *text = chunk->text;
    if (is_first) {
        before = pending == 0 ? before : skip_blank_lines(before, &pending);
        text = pending == 0 ? skip_blank_lines(text, &len) : text;
    }
    if (pending > 0) {
        add_text(s->out, before, pending);
    }
    add_text(s->out, text, len);
    dr_buf_reset(&s->pending);
    if (chunk->sql != NULL && is_session_set(chunk->sql, chunk->sql_len) &&
        s->sets_count < DR_SHEET_SETS_MAX) {
        s->sets[s->sets_count] = chunk->sql;
        s->set_lens[s->sets_count++] = chunk->sql_len;
    }
    *is_new = chunk->ends_transaction;
    return rc;
}

static enum dr_rc
add_part(struct dr_sheet *s, const struct dr_part *part)
{
    size_t stmt = 0;
    bool is_new = true;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < part->chunks.count; i++) {
        const struct dr_chunk *chunk = &part->chunks.items[i];
        if (chunk->count == 0) {
            add_text(&s->pending, chunk->text, chunk->len);
            is_new = is_new || chunk->ends_transaction;
            continue;
        }
        rc = add_statement(s, part, chunk, part->result == NULL ? NULL : &part->result->stmts[stmt],
                           &is_new);
        stmt += chunk->count;
    }
    if (rc == DR_OK && part->chunks.is_broken && !s->is_open && s->pending.len > 0) {
        rc = add_directive(s, part, &part->chunks.items[part->chunks.count - 1], NULL, false);
        s->is_open = true;
        s->sections++;
    }
    if (s->is_open && s->pending.len > 0) {
        add_text(s->out, s->pending.data, s->pending.len);
        dr_buf_reset(&s->pending);
    }
    close_section(s);
    return rc;
}

enum dr_rc
dr_sheet_way(struct dr_sheet *s, const char *word, const struct dr_part *parts, size_t count)
{
    enum dr_rc rc = DR_OK;
    s->word = word;
    s->sections = 0;
    s->sets_count = 0;
    dr_buf_reset(&s->pending);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = add_part(s, &parts[i]);
        s->sets_count = 0;
    }
    return rc;
}

// Comments that belong to no statement, as far as they may stand outside of sections.
static void
add_comments(struct dr_buf *out, const struct dr_buf *comments)
{
    const char *at = comments->data;
    while (at != NULL && *at != '\0') {
        size_t line = strcspn(at, "\n");
        if (line > 2 && memcmp(at, "--", 2) == 0) {
            dr_buf_printf(out, "%.*s\n", (int)line, at);
        }
        at += line + (at[line] == '\n');
    }
}

enum dr_rc
dr_sheet_empty_up(struct dr_sheet *s)
{
    dr_buf_str(s->out, "\n-- drover:up\n");
    if (s->pending.len > 0) {
        add_text(s->out, s->pending.data, s->pending.len);
    }
    if (s->revision->is_hand) {
        return DR_OK;
    }
    dr_buf_str(s->out, "SELECT 1;\n");
    return dr_import_note(s->import, s->revision, DR_IMPORT_CHANGED, s->revision->file, 0, s->err,
                          "it has no statement: the revision holds SELECT 1, to keep its place");
}

void
dr_sheet_no_down(struct dr_sheet *s)
{
    const struct dr_import_revision *r = s->revision;
    if (r->no_down != NULL) {
        dr_buf_printf(s->out, "\n-- drover:down none reason=\"%s\"\n", r->no_down);
    } else {
        dr_buf_printf(s->out, "\n-- drover:down none reason=\"there was no way back in %s\"\n",
                      s->import->format);
    }
    add_comments(s->out, &s->pending);
}
