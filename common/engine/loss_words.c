// The words of one statement, for loss_scan.c. See loss_internal.h.
#include "engine/loss_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool
dr_loss_words_init(struct dr_loss_words *w, Drover__V1__Engine engine, struct dr_arena *arena)
{
    *w = (struct dr_loss_words){.engine = engine, .arena = arena};
    w->tokens = dr_arena_array(arena, DR_LOSS_TOKENS_MAX + 4, sizeof *w->tokens);
    return w->tokens != NULL;
}

void
dr_loss_words_read(struct dr_loss_words *w, const char *text, size_t len)
{
    w->text = text;
    w->at = 0;
    w->count = dr_guard_tokens(w->engine, text, len, w->tokens, DR_LOSS_TOKENS_MAX);
}

bool
dr_loss_is_word(const struct dr_loss_words *w, size_t at, const char *word)
{
    const struct dr_guard_token *t = &w->tokens[at];
    return at < w->count && t->kind == DR_GUARD_WORD && t->end - t->start == strlen(word) &&
           strncasecmp(w->text + t->start, word, t->end - t->start) == 0;
}

static bool
is_mark(const struct dr_loss_words *w, size_t at, char mark)
{
    return at < w->count && w->tokens[at].kind == DR_GUARD_OTHER &&
           w->text[w->tokens[at].start] == mark;
}

bool
dr_loss_take_word(struct dr_loss_words *w, const char *word)
{
    bool is_it = dr_loss_is_word(w, w->at, word);
    w->at += is_it ? 1 : 0;
    return is_it;
}

bool
dr_loss_take_mark(struct dr_loss_words *w, char mark)
{
    bool is_it = is_mark(w, w->at, mark);
    w->at += is_it ? 1 : 0;
    return is_it;
}

void
dr_loss_take_if_exists(struct dr_loss_words *w)
{
    if (dr_loss_is_word(w, w->at, "IF")) {
        w->at += dr_loss_is_word(w, w->at + 1, "NOT") ? 3 : 2;
    }
}

const char *
dr_loss_take_part(struct dr_loss_words *w)
{
    if (w->at >= w->count || w->tokens[w->at].kind == DR_GUARD_OTHER) {
        return NULL;
    }
    const struct dr_guard_token *t = &w->tokens[w->at++];
    const char *from = w->text + t->start;
    size_t len = t->end - t->start, n = 0;
    char *out = dr_arena_strn(w->arena, from, len);
    if (out == NULL) {
        w->failed = true;
        return NULL;
    }
    if (t->kind == DR_GUARD_WORD) {
        bool folds = w->engine == DROVER__V1__ENGINE__POSTGRESQL;
        for (size_t i = 0; folds && i < len; i++) {
            out[i] = (char)((unsigned char)out[i] < 0x80 ? tolower((unsigned char)out[i]) : out[i]);
        }
        return out;
    }
    for (size_t i = 1; i + 1 < len; i++) { // a quote in a name is written twice
        out[n++] = from[i];
        i += from[i] == from[0] && from[i + 1] == from[0] && i + 2 < len ? 1 : 0;
    }
    out[n] = '\0';
    return out;
}

bool
dr_loss_take_name(struct dr_loss_words *w, struct dr_loss_name *out)
{
    const char *first = dr_loss_take_part(w);
    *out = (struct dr_loss_name){"", first};
    while (first != NULL && dr_loss_take_mark(w, '.')) {
        out->schema = out->table;
        out->table = dr_loss_take_part(w);
        first = out->table;
    }
    bool is_main = w->engine == DROVER__V1__ENGINE__SQLITE && strcasecmp(out->schema, "main") == 0;
    out->schema = is_main ? "" : out->schema;
    return first != NULL;
}

bool
dr_loss_next_item(struct dr_loss_words *w)
{
    for (uint32_t depth = 0; w->at < w->count; w->at++) {
        depth += is_mark(w, w->at, '(') ? 1 : 0;
        if (is_mark(w, w->at, ')')) {
            if (depth == 0) {
                return false;
            }
            depth--;
        }
        if (depth == 0 && is_mark(w, w->at, ',')) {
            w->at++;
            return true;
        }
    }
    return false;
}

bool
dr_loss_has_word(const struct dr_loss_words *w, const char *word)
{
    for (size_t i = 0; i < w->count; i++) {
        if (dr_loss_is_word(w, i, word)) {
            return true;
        }
    }
    return false;
}
