// A run's place in words. See progress.h.
#include "engine/progress.h"

#include "engine/guard.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TOKENS_MAX 128u // a blocker's query is 328 bytes at most

void
dr_progress_phase(const struct dr_engine_progress *progress, char *out, size_t out_size)
{
    const struct dr_server_progress *s = progress->server;
    const char *way = progress->direction == DROVER__V1__MODE__DOWN ? "down" : "up";
    if (progress->blockers_count > 0) {
        (void)snprintf(out, out_size, "waits for a lock");
    } else if (s == NULL) {
        (void)snprintf(out, out_size, "%s", way);
    } else if (s->phase[0] != '\0' && s->total > 0) {
        (void)snprintf(out, out_size, "%s: %llu of %llu %s", s->phase, (unsigned long long)s->done,
                       (unsigned long long)s->total, s->unit);
    } else if (s->phase[0] != '\0') {
        (void)snprintf(out, out_size, "%s", s->phase);
    } else {
        (void)snprintf(out, out_size, "%s, %s, %llu MiB of WAL", way,
                       s->waits_for[0] == '\0' ? "computes" : s->waits_for,
                       (unsigned long long)(s->wal_bytes >> 20));
    }
}

static void
add(char *out, size_t out_size, size_t *used, const char *text, size_t len)
{
    size_t room = out_size - 1 - *used;
    size_t n = len < room ? len : room;
    memcpy(out + *used, text, n);
    *used += n;
    out[*used] = '\0';
}

void
dr_blocker_query(const struct dr_blocker *blocker, char *out, size_t out_size)
{
    struct dr_guard_token tokens[TOKENS_MAX];
    const char *text = blocker->query;
    size_t len = strlen(text), used = 0, end = 0;
    size_t n = dr_guard_tokens(DROVER__V1__ENGINE__POSTGRESQL, text, len, tokens, TOKENS_MAX);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct dr_guard_token *t = &tokens[i];
        bool is_number = t->kind == DR_GUARD_WORD && isdigit((unsigned char)text[t->start]);
        if (i > 0 && t->start > end) {
            add(out, out_size, &used, " ", 1);
        }
        if (t->kind == DR_GUARD_STRING || is_number) {
            add(out, out_size, &used, "?", 1);
        } else {
            add(out, out_size, &used, text + t->start, t->end - t->start);
        }
        end = t->end;
    }
    while (end < len && (isspace((unsigned char)text[end]) || text[end] == ';')) {
        end++;
    }
    for (size_t i = 0; i < used; i++) {
        out[i] = out[i] < 0x20 || out[i] > 0x7e ? '?' : out[i]; // it may end within a character
    }
    if (end < len) { // a string that does not end, or more than is read
        add(out, out_size, &used, " ...", 4);
    }
}

void
dr_progress_blockers(const struct dr_engine_progress *progress, char *out, size_t out_size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < progress->blockers_count && len < out_size; i++) {
        const struct dr_blocker *b = &progress->blockers[i];
        char query[DR_BLOCKER_QUERY_MAX + 1];
        dr_blocker_query(b, query, sizeof query);
        char about[64];
        if (b->is_hidden) {
            (void)snprintf(about, sizeof about, "GRANT pg_read_all_stats shows more");
        } else {
            (void)snprintf(about, sizeof about, "%llu s", (unsigned long long)(b->age_ms / 1000));
        }
        int n = snprintf(out + len, out_size - len, "%spid %d (%s, %s)%s%s", i == 0 ? "" : ", ",
                         (int)b->pid, b->application, about, query[0] == '\0' ? "" : ": ", query);
        len += n < 0 ? 0 : (size_t)n;
    }
}
