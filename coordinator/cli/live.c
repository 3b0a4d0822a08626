// Draws rows into columns that are as wide as the widest cell, then cuts each line at the
// terminal's edge.

#include "coordinator/cli/live.h"
#include "coordinator/cli/rollout_view.h"

#include "trust/approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS    5u
#define CELL_MAX   1024u
#define HEAD_LINES 3u // above the table's own head
#define TAIL_LINES 2u
#define STATUS     2u // column
#define ETA_MS     1000u

struct line {
    char cells[COLUMNS][CELL_MAX];
    enum dr_tone tone;
};

struct drawing {
    const struct dr_live_look *look;
    const Drover__V1__Rollout *rollout;
    struct line *lines;
    size_t n, max;
};

// ---- estimates

static void
rate_key(const Drover__V1__Progress *p, char out[DR_LIVE_KEY_MAX])
{
    snprintf(out, DR_LIVE_KEY_MAX, "%s %u %llu %.40s", p->revision, p->unit_number,
             (unsigned long long)p->server_total, p->server_unit);
}

void
dr_live_note(struct dr_live_rate *rates, size_t n, const Drover__V1__Rollout *r)
{
    size_t k = 0;
    for (size_t s = 0; s < r->n_stages; s++) {
        for (size_t t = 0; t < r->stages[s]->n_targets && k < n; t++, k++) {
            const Drover__V1__Progress *p = r->stages[s]->targets[t]->progress;
            char key[DR_LIVE_KEY_MAX];
            if (p == NULL || p->server_total == 0) {
                rates[k].key[0] = '\0';
                continue;
            }
            rate_key(p, key);
            if (!dr_str_eq(key, rates[k].key) || p->server_done < rates[k].done ||
                p->elapsed_ms < rates[k].elapsed_ms) {
                memcpy(rates[k].key, key, sizeof(key));
                rates[k].done = p->server_done;
                rates[k].elapsed_ms = p->elapsed_ms;
            }
        }
    }
}

// Only when the server's own count was seen twice in this unit.
static bool
estimate(const struct dr_live_rate *rate, const Drover__V1__Progress *p, uint64_t *out_ms)
{
    char key[DR_LIVE_KEY_MAX];
    rate_key(p, key);
    if (!dr_str_eq(key, rate->key) || p->server_done <= rate->done ||
        p->elapsed_ms < rate->elapsed_ms + ETA_MS || p->server_done > p->server_total) {
        return false;
    }
    double per_ms =
        (double)(p->server_done - rate->done) / (double)(p->elapsed_ms - rate->elapsed_ms);
    *out_ms = (uint64_t)((double)(p->server_total - p->server_done) / per_ms);
    return true;
}

// ---- cells

// Cells of UTF-8: code points, as the names here have no wide letters.
static size_t
width_of(const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0'; c++) {
        n += ((unsigned char)*c & 0xc0) != 0x80 ? 1 : 0;
    }
    return n;
}

static size_t
bytes_of(const char *text, size_t cells)
{
    size_t i = 0;
    for (size_t n = 0; text[i] != '\0'; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80 ? 1 : 0;
        if (n > cells) {
            break;
        }
    }
    return i;
}

// A count that fits: 2.5M, 310.
static void
short_count(char out[32], uint64_t n)
{
    static const struct {
        uint64_t from;
        const char *unit;
    } rows[] = {{1000000000, "G"}, {1000000, "M"}, {10000, "k"}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (n >= rows[i].from) {
            double unit = rows[i].from == 10000 ? 1000.0 : (double)rows[i].from;
            snprintf(out, 32, "%.1f%s", (double)n / unit, rows[i].unit);
            return;
        }
    }
    snprintf(out, 32, "%llu", (unsigned long long)n);
}

// Whole seconds, since it is drawn once a second.
static void
short_time(char out[32], uint64_t seconds)
{
    if (seconds < 60) {
        snprintf(out, 32, "%us", (unsigned)seconds);
    } else {
        dr_format_duration(out, seconds * 1000);
    }
}

static void
set_cell(struct line *line, size_t column, const char *text)
{
    struct dr_buf shown = {0};
    dr_show(&shown, text, strlen(text), false);
    size_t len = shown.len > 0 ? bytes_of(shown.data, CELL_MAX / 4 - 1) : 0;
    memcpy(line->cells[column], shown.len > 0 ? shown.data : "", len); // cleared by add_line
    dr_buf_fini(&shown);
}

static void
set_age(struct line *line, int64_t since, int64_t now)
{
    char age[32] = "-";
    if (since > 0) {
        short_time(age, now > since ? (uint64_t)(now - since) : 0);
    }
    set_cell(line, 3, age);
}

static void
add_counts(struct dr_buf *out, const Drover__V1__Progress *p, const struct dr_live_rate *rate)
{
    char done[32];
    char total[32];
    char eta[32];
    uint64_t left = 0;
    if (p->server_total == 0) {
        return;
    }
    short_count(done, p->server_done);
    short_count(total, p->server_total);
    uint64_t capped = p->server_done < p->server_total ? p->server_done : p->server_total;
    dr_buf_printf(out, " %u%% %s/%s", (unsigned)((double)capped / (double)p->server_total * 100.0),
                  done, total);
    if (rate != NULL && estimate(rate, p, &left)) {
        short_time(eta, (left + 999) / 1000);
        dr_buf_printf(out, ", ETA %s", eta);
    }
}

static void
set_info(struct line *line, const Drover__V1__TargetStatus *t, const struct dr_live_rate *rate)
{
    const Drover__V1__Progress *p = dr_rollout_moves(t->state) ? t->progress : NULL;
    struct dr_buf out = {0};
    if (p == NULL) {
        bool is_waiting =
            t->next[0] != '\0' && t->waits[0] != '\0' && dr_rollout_tone(t->state) != DR_TONE_BAD;
        set_cell(line, 4, is_waiting ? t->waits : dr_rollout_reason(t));
        return;
    }
    dr_buf_printf(&out, "%s, unit %u/%u", p->revision, p->unit_number, p->unit_total);
    if (p->phase[0] != '\0') {
        dr_buf_printf(&out, ", %s", p->phase);
    }
    add_counts(&out, p, rate);
    if (p->blockers[0] != '\0') {
        dr_buf_printf(&out, ", waits for %s", p->blockers);
    }
    if (!t->connected) {
        dr_buf_str(&out, ", its agent is away");
    }
    set_cell(line, 4, out.len > 0 ? out.data : "");
    dr_buf_fini(&out);
}

static struct line *
add_line(struct drawing *d)
{
    if (d->n == d->max) {
        return NULL;
    }
    struct line *line = &d->lines[d->n++];
    memset(line, 0, sizeof(*line));
    return line;
}

// ---- rows

static bool
is_quiet(const Drover__V1__Rollout *r, const char *state)
{
    return dr_str_eq(state, "pending") ||
           dr_str_eq(state, dr_approval_is_down(r->mode) ? "reverted" : "applied");
}

static void
add_target(struct drawing *d, const Drover__V1__TargetStatus *t, size_t number, bool is_last,
           bool is_last_stage)
{
    struct line *line = add_line(d);
    char name[CELL_MAX];
    if (line == NULL) {
        return;
    }
    snprintf(name, sizeof(name), "%s%s%.300s", is_last_stage ? "    " : "|   ",
             is_last ? "`-- " : "|-- ", t->target);
    set_cell(line, 0, name);
    set_cell(line, 1, "target");
    set_cell(line, STATUS, t->state);
    set_age(line, t->since, d->look->now);
    set_info(line, t, number < d->look->n_rates ? &d->look->rates[number] : NULL);
    line->tone = dr_rollout_tone(t->state);
}

// What had no room, in numbers.
static void
add_rest(struct drawing *d, size_t n_left, bool is_last_stage)
{
    struct line *line = add_line(d);
    char text[64];
    if (line != NULL) {
        snprintf(text, sizeof(text), "%s`-- ... %zu more", is_last_stage ? "    " : "|   ", n_left);
        set_cell(line, 0, text);
        set_cell(line, 4, "no room for them here: drover rollout show");
    }
}

static void
add_targets(struct drawing *d, const Drover__V1__StageStatus *stage, size_t first, size_t room,
            bool is_last_stage)
{
    size_t shown = 0;
    bool fits = stage->n_targets <= room;
    size_t limit = fits ? stage->n_targets : room > 0 ? room - 1 : 0;
    for (int pass = fits ? 1 : 0; pass < 2; pass++) { // without room: first what is not quiet
        for (size_t i = 0; i < stage->n_targets && shown < limit; i++) {
            const Drover__V1__TargetStatus *t = stage->targets[i];
            if (fits || is_quiet(d->rollout, t->state) == (pass == 1)) {
                shown++;
                add_target(d, t, first + i, fits && i + 1 == stage->n_targets, is_last_stage);
            }
        }
    }
    if (!fits && room > 0) {
        add_rest(d, stage->n_targets - shown, is_last_stage);
    }
}

static void
add_stage(struct drawing *d, size_t s, size_t first, size_t room)
{
    const Drover__V1__StageStatus *stage = d->rollout->stages[s];
    struct line *line = add_line(d);
    bool is_last = s + 1 == d->rollout->n_stages;
    char text[CELL_MAX];
    size_t done = 0;
    if (line == NULL) {
        return;
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        done += !dr_str_eq(stage->targets[i]->state, "pending") &&
                        is_quiet(d->rollout, stage->targets[i]->state)
                    ? 1
                    : 0;
    }
    snprintf(text, sizeof(text), "%s%.300s", is_last ? "`-- " : "|-- ", stage->environment);
    set_cell(line, 0, text);
    set_cell(line, 1, "environment");
    set_cell(line, STATUS, stage->state);
    set_age(line, stage->since, d->look->now);
    snprintf(text, sizeof(text), "%zu/%zu targets, approvals %u/%u", done, stage->n_targets,
             stage->signatures, stage->needed);
    set_cell(line, 4, text);
    line->tone = dr_rollout_tone(stage->state);
    add_targets(d, stage, first, room, is_last);
}

static void
add_rollout(struct drawing *d)
{
    static const char *const names[COLUMNS] = {"NAME", "KIND", "STATUS", "AGE", "INFO"};
    struct line *head = add_line(d);
    struct line *line = add_line(d);
    for (size_t i = 0; head != NULL && i < COLUMNS; i++) {
        set_cell(head, i, names[i]);
    }
    if (line != NULL) {
        set_cell(line, 0, d->rollout->id);
        set_cell(line, 1, "rollout");
        set_cell(line, STATUS, d->rollout->state);
        set_age(line, d->rollout->created, d->look->now);
        set_cell(line, 4, d->rollout->is_paused ? "paused" : d->rollout->message);
        line->tone = dr_rollout_tone(d->rollout->state);
    }
}

// ---- text

// Appends as much as there is room for, and says how much room is left.
static size_t
put(struct dr_buf *out, const char *text, size_t room)
{
    size_t width = width_of(text);
    dr_buf_add(out, text, bytes_of(text, room));
    return width < room ? room - width : 0;
}

static size_t
pad(struct dr_buf *out, size_t n, size_t room)
{
    for (size_t i = 0; i < n && room > 0; i++, room--) {
        dr_buf_str(out, " ");
    }
    return room;
}

static const char *
color_of(enum dr_tone tone)
{
    static const char *const codes[] = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"};
    return codes[tone];
}

static void
write_line(const struct drawing *d, const struct line *line, const size_t widths[COLUMNS],
           struct dr_buf *out)
{
    size_t room = d->look->width;
    for (size_t i = 0; i < COLUMNS; i++) {
        bool is_toned = i == STATUS && d->look->is_colored && line->tone != DR_TONE_PLAIN;
        dr_buf_str(out, is_toned ? color_of(line->tone) : "");
        room = put(out, line->cells[i], room);
        dr_buf_str(out, is_toned ? "\x1b[0m" : "");
        if (i + 1 < COLUMNS && line->cells[i + 1][0] != '\0') {
            room = pad(out, widths[i] - width_of(line->cells[i]) + 2, room);
        } else if (i + 1 < COLUMNS) {
            room = pad(out, i + 2 < COLUMNS ? widths[i] - width_of(line->cells[i]) + 2 : 0, room);
        }
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }
    dr_buf_str(out, "\n");
}

// One line of text, cut.
static void
write_text(const struct drawing *d, struct dr_buf *out, const char *label, const char *text)
{
    struct dr_buf shown = {0};
    dr_show(&shown, text, strlen(text), false);
    size_t room = put(out, label, d->look->width);
    (void)put(out, shown.len > 0 ? shown.data : "", room);
    dr_buf_str(out, "\n");
    dr_buf_fini(&shown);
}

static void
write_head(const struct drawing *d, struct dr_buf *out)
{
    const Drover__V1__Rollout *r = d->rollout;
    char text[CELL_MAX];
    char started[32];
    char elapsed[32];
    char digest[20] = "";
    snprintf(text, sizeof(text), "%.20s  %.80s -> %.80s", r->id, r->from[0] ? r->from : "base",
             r->to[0] ? r->to : "base");
    write_text(d, out, "Rollout: ", text);
    snprintf(text, sizeof(text), "%.40s%s%.300s", r->state, r->reason[0] ? ": " : "", r->reason);
    write_text(d, out, "Status:  ", text);
    if (r->n_plans > 0) {
        dr_print_digest(digest, r->plans[0]->plan_sha256.data, r->plans[0]->plan_sha256.len);
    }
    dr_format_time(started, r->created);
    dr_format_duration(
        elapsed, d->look->now > r->created ? (uint64_t)(d->look->now - r->created) * 1000 : 0);
    snprintf(text, sizeof(text), "%s  Started: %s  Elapsed: %s", digest, started, elapsed);
    write_text(d, out, "Plan:    ", text);
}

static void
add_stages(struct drawing *d)
{
    const Drover__V1__Rollout *r = d->rollout;
    size_t first = 0;
    size_t fixed = HEAD_LINES + TAIL_LINES + 2 + r->n_stages; // and the table's head, the rollout
    size_t room = d->look->height > fixed + 1 ? d->look->height - 1 - fixed : 0;
    for (size_t s = 0; s < r->n_stages; s++) {
        size_t stages_left = r->n_stages - s;
        size_t wanted = r->stages[s]->n_targets;
        size_t share = s + 1 == r->n_stages ? room : room / stages_left;
        size_t later = 0;
        for (size_t i = s + 1; i < r->n_stages; i++) {
            later += r->stages[i]->n_targets;
        }
        share = room > later && room - later > share ? room - later : share;
        size_t used = wanted < share ? wanted : share;
        add_stage(d, s, first, used);
        room -= used;
        first += wanted;
    }
}

void
dr_live_draw(const Drover__V1__Rollout *r, const struct dr_live_look *look, struct dr_buf *out)
{
    size_t widths[COLUMNS] = {0};
    struct drawing d = {.look = look, .rollout = r, .max = look->height + r->n_stages + 8};
    d.lines = calloc(d.max, sizeof(*d.lines));
    if (d.lines == NULL) {
        return;
    }
    add_rollout(&d);
    add_stages(&d);
    for (size_t i = 0; i < d.n; i++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            size_t width = width_of(d.lines[i].cells[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    write_head(&d, out);
    for (size_t i = 0; i < d.n; i++) {
        write_line(&d, &d.lines[i], widths, out);
    }
    write_text(&d, out, "waits: ", r->waits[0] ? r->waits : "nothing is waited for");
    write_text(&d, out, "next:  ", dr_print_is_tame(r->next, true) ? r->next : "");
    free(d.lines);
}
