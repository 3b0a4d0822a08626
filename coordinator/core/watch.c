// Watch: each watcher remembers the last log entry that it got.
#include "coordinator/core/watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/core/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY_MS 500
#define EVENTS_PER_FEED   64u
// A view of a large rollout costs milliseconds, so a busy rollout is shown in steps: at least so
// many ms apart, and as many times what the last view cost.
#define VIEW_EVERY_MS 40
#define VIEW_SHARE    4

static void
forget(struct dr_call *call, void *user)
{
    struct dr_watcher *watcher = user;

    (void)call;
    for (struct dr_watcher **p = &watcher->core->watchers; *p != NULL; p = &(*p)->next) {
        if (*p == watcher) {
            *p = watcher->next;
            free(watcher);
            return;
        }
    }
}

// Sends one item; false when the stream is gone or full.
static bool
send_event(struct dr_core *core, struct dr_watcher *watcher, const char *rollout,
           Drover__V1__LogEntry *entry, bool with_rollout, struct dr_arena *arena)
{
    Drover__V1__RolloutEvent event;
    struct dr_err err = {0};
    const struct dr_rollout *found = dr_core_rollout(core, rollout);
    bool is_old = false;
    const struct dr_view_page page = {.out_is_old = &is_old};

    drover__v1__rollout_event__init(&event);
    event.entry = entry;
    if (with_rollout && found != NULL &&
        dr_view_rollout_alone(core, found, &page, arena, &event.rollout, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "a rollout cannot be shown", &err);
        return false;
    }
    if (is_old && watcher->rollout[0] != '\0') {
        watcher->has_progress = true; // it is shown once more
    }
    return dr_call_send(watcher->call, &event.base, &err) == DR_OK;
}

// The first word of a subject that names a rollout.
static const char *
rollout_of(const char *subject, char out[24])
{
    out[0] = '\0';
    if (strncmp(subject, "R-", 2) == 0) {
        (void)snprintf(out, 24, "%.*s", (int)strcspn(subject, " "), subject);
    }
    return out;
}

// All that is new to it, with one view of the rollout behind the last entry. False when something
// cannot be sent: the watcher may be gone then.
static bool
feed_one(struct dr_core *core, struct dr_watcher *watcher, int64_t now, struct dr_arena *arena)
{
    Drover__V1__LogEntry **entries;
    size_t n = 0;
    struct dr_err err = {0};
    char id[24];

    if (dr_view_log(core, watcher->sent_index, EVENTS_PER_FEED, watcher->rollout, arena, &entries,
                    &n, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "the log cannot be read", &err);
        return true;
    }
    for (size_t i = 0; i < n && dr_call_room(watcher->call) > 0; i++) {
        bool is_last = i + 1 == n;

        if (!send_event(core, watcher, rollout_of(entries[i]->subject, id), entries[i], is_last,
                        arena)) {
            return false;
        }
        watcher->sent_index = entries[i]->index;
    }
    if (n == 0) {
        watcher->sent_index = dr_events_head(core->events)->index;
    }
    if (watcher->has_progress && now - watcher->progress_sent_ms >= PROGRESS_EVERY_MS &&
        dr_call_room(watcher->call) > 0) {
        watcher->has_progress = false;
        watcher->progress_sent_ms = now;
        return send_event(core, watcher, watcher->rollout, NULL, true, arena);
    }
    return true;
}

static bool
feed_if_due(struct dr_core *core, struct dr_watcher *watcher)
{
    const int64_t now = dr_monotonic_ms();

    if (now < watcher->view_due_ms) {
        return true;
    }
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    bool is_there = arena == NULL || feed_one(core, watcher, now, arena);
    dr_arena_free(&arena);
    if (!is_there) {
        return false;
    }
    const int64_t pause = VIEW_SHARE * (dr_monotonic_ms() - now);
    watcher->view_due_ms = now + (pause > VIEW_EVERY_MS ? pause : VIEW_EVERY_MS);
    return true;
}

// What is left for later wakes the loop.
static void
look_again(struct dr_core *core, const struct dr_watcher *watcher, uint64_t head)
{
    int64_t due = watcher->view_due_ms;

    if (watcher->sent_index >= head && due < watcher->progress_sent_ms + PROGRESS_EVERY_MS) {
        due = watcher->progress_sent_ms + PROGRESS_EVERY_MS;
    }
    if ((watcher->sent_index < head || watcher->has_progress) &&
        (core->feed_due_ms == 0 || due < core->feed_due_ms)) {
        core->feed_due_ms = due;
    }
}

void
dr_watch_feed(struct dr_core *core)
{
    uint64_t head = dr_events_head(core->events)->index;

    core->feed_due_ms = 0;
    for (struct dr_watcher *watcher = core->watchers, *next; watcher != NULL; watcher = next) {
        next = watcher->next;
        if (watcher->sent_index >= head && !watcher->has_progress) {
            continue;
        }
        if (feed_if_due(core, watcher)) {
            look_again(core, watcher, head);
        }
    }
}

void
dr_watch_progress(struct dr_core *core, const char *rollout)
{
    for (struct dr_watcher *watcher = core->watchers; watcher != NULL; watcher = watcher->next) {
        if (strcmp(watcher->rollout, rollout) == 0) {
            watcher->has_progress = true;
        }
    }
}

void
dr_watch_drop_all(struct dr_core *core)
{
    while (core->watchers != NULL) {
        struct dr_watcher *next = core->watchers->next;

        free(core->watchers);
        core->watchers = next;
    }
}

// The last entry about the rollout, for the first item.
static Drover__V1__LogEntry *
last_entry(struct dr_core *core, const struct dr_rollout *rollout, struct dr_arena *arena)
{
    Drover__V1__LogEntry **entries;
    size_t n = 0;
    struct dr_err err = {0};

    if (rollout == NULL || rollout->log_index == 0 ||
        dr_view_log(core, rollout->log_index - 1, 1, "", arena, &entries, &n, &err) != DR_OK ||
        n == 0) {
        return NULL;
    }
    return entries[0];
}

void
dr_watch_handle(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__WatchRequest *request =
        (const Drover__V1__WatchRequest *)(const void *)message;
    const struct dr_rollout *rollout = dr_core_rollout(core, request->rollout);
    struct dr_err err = {0};

    if (request->rollout[0] != '\0' && rollout == NULL) {
        dr_err_set(&err, DR_E_ROLLOUT_UNKNOWN, "there is no rollout '%.20s'", request->rollout);
        dr_core_fail(core, call, &err);
        return;
    }
    struct dr_watcher *watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL) {
        dr_err_set(&err, DR_E_NOMEM, "out of memory");
        dr_core_fail(core, call, &err);
        return;
    }
    watcher->core = core;
    watcher->call = call;
    watcher->sent_index = request->after_log_index != 0 ? request->after_log_index
                                                        : dr_events_head(core->events)->index;
    (void)snprintf(watcher->rollout, sizeof watcher->rollout, "%s", request->rollout);
    watcher->next = core->watchers;
    core->watchers = watcher;
    dr_call_on_gone(call, forget, watcher);
    if (rollout != NULL) {
        struct dr_arena *arena = dr_call_arena(call);

        (void)send_event(core, watcher, watcher->rollout, last_entry(core, rollout, arena), true,
                         arena);
    }
}
