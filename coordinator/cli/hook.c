// One thread takes changes from a queue, in order. The lock guards the queue and the counters; the
// eventfd ends a command that runs.

#include "coordinator/cli/hook.h"

#include "base/clock.h"
#include "base/cmd.h"
#include "base/str.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OUTPUT_MAX 4096u
#define TEXT_MAX   300u
#define ARGS_MAX   256u

struct change {
    struct change *next;
    size_t len;
    char text[];
};

struct dr_hook {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct change *first, **last;
    size_t n, lost;
    bool is_ending, is_working, has_trouble, is_told;
    int cancel_fd;
    char *argv[ARGS_MAX + 1];
    char trouble[TEXT_MAX];
};

// True when it ran and said 0.
static bool
run_once(struct dr_hook *hook, const struct change *change, char why[TEXT_MAX])
{
    const char *argv[ARGS_MAX + 1] = {NULL};
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    memcpy(argv, hook->argv, sizeof(hook->argv));
    const struct dr_cmd cmd = {.argv = argv,
                               .input = change->text,
                               .input_len = change->len,
                               .timeout_ms = DR_HOOK_TIMEOUT_MS,
                               .output_max = OUTPUT_MAX,
                               .cancel_fd = hook->cancel_fd};
    enum dr_rc rc = dr_cmd_run(&cmd, &result, &err);
    bool is_good = rc == DR_OK && result.exit_code == 0;
    if (rc != DR_OK) {
        snprintf(why, TEXT_MAX, "%.250s", err.message);
    } else if (!is_good) {
        const char *said = result.errors.len > 0 ? result.errors.data : "";
        snprintf(why, TEXT_MAX, "'%.80s' ended with %d%s%.*s", argv[0], result.exit_code,
                 said[0] ? ": " : "", (int)strcspn(said, "\n"), said);
    }
    dr_cmd_result_fini(&result);
    return is_good;
}

static bool
is_cancelled(struct dr_hook *hook, int wait_ms)
{
    struct pollfd fd = {.fd = hook->cancel_fd, .events = POLLIN};
    return poll(&fd, 1, wait_ms) > 0;
}

static void
deliver(struct dr_hook *hook, const struct change *change)
{
    char why[TEXT_MAX] = "";
    bool is_good = false;
    for (unsigned i = 0; !is_good && i < DR_HOOK_TRIES; i++) {
        if (is_cancelled(hook, i == 0 ? 0 : (int)(DR_HOOK_BACKOFF_MS << (i - 1)))) {
            break;
        }
        is_good = run_once(hook, change, why);
    }
    pthread_mutex_lock(&hook->lock);
    hook->lost += is_good ? 0 : 1;
    if (!is_good && !hook->has_trouble) {
        hook->has_trouble = true;
        snprintf(hook->trouble, sizeof(hook->trouble), "%s", why[0] ? why : "there was no time");
    }
    pthread_mutex_unlock(&hook->lock);
}

static struct change *
take(struct dr_hook *hook)
{
    struct change *change = hook->first;
    if (change != NULL) {
        hook->first = change->next;
        hook->last = hook->first ? hook->last : &hook->first;
        hook->n--;
    }
    return change;
}

static void *
work(void *user)
{
    struct dr_hook *hook = user;
    pthread_mutex_lock(&hook->lock);
    for (;;) {
        struct change *change = take(hook);
        if (change == NULL && hook->is_ending) {
            break;
        }
        if (change == NULL) {
            pthread_cond_wait(&hook->wake, &hook->lock);
            continue;
        }
        hook->is_working = true;
        pthread_mutex_unlock(&hook->lock);
        deliver(hook, change);
        free(change);
        pthread_mutex_lock(&hook->lock);
        hook->is_working = false;
        pthread_cond_broadcast(&hook->wake);
    }
    pthread_mutex_unlock(&hook->lock);
    return NULL;
}

static void
destroy(struct dr_hook *hook)
{
    for (size_t i = 0; i < ARGS_MAX; i++) {
        free(hook->argv[i]);
    }
    if (hook->cancel_fd >= 0) {
        close(hook->cancel_fd);
    }
    pthread_cond_destroy(&hook->wake);
    pthread_mutex_destroy(&hook->lock);
    free(hook);
}

static bool
start(struct dr_hook *hook, const char *const *argv)
{
    for (size_t i = 0; argv[i] != NULL; i++) {
        hook->argv[i] = i < ARGS_MAX ? strdup(argv[i]) : NULL;
        if (hook->argv[i] == NULL) {
            return false;
        }
    }
    hook->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return hook->cancel_fd >= 0 && pthread_create(&hook->thread, NULL, work, hook) == 0;
}

enum dr_rc
dr_hook_begin(const char *const *argv, struct dr_hook **out, struct dr_err *err)
{
    struct dr_hook *hook = calloc(1, sizeof(*hook));
    pthread_condattr_t attr;
    if (hook == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&hook->lock, NULL);
    pthread_cond_init(&hook->wake, &attr);
    pthread_condattr_destroy(&attr);
    hook->last = &hook->first;
    hook->cancel_fd = -1;
    if (!start(hook, argv)) {
        destroy(hook);
        return dr_err_set(err, DR_E_IO, "the hook's thread cannot be started");
    }
    *out = hook;
    return DR_OK;
}

void
dr_hook_add(struct dr_hook *hook, const char *text, size_t len)
{
    struct change *change = hook ? malloc(sizeof(*change) + len) : NULL;
    if (hook == NULL) {
        return;
    }
    pthread_mutex_lock(&hook->lock);
    if (change == NULL || hook->n == DR_HOOK_QUEUE_MAX) {
        free(take(hook)); // what is newest tells more
        hook->lost++;
    }
    if (change != NULL) {
        change->next = NULL;
        change->len = len;
        memcpy(change->text, text, len);
        *hook->last = change;
        hook->last = &change->next;
        hook->n++;
    }
    pthread_cond_broadcast(&hook->wake);
    pthread_mutex_unlock(&hook->lock);
}

bool
dr_hook_trouble(struct dr_hook *hook, const char **out_text)
{
    if (hook == NULL) {
        return false;
    }
    pthread_mutex_lock(&hook->lock);
    bool is_new = hook->has_trouble && !hook->is_told;
    hook->is_told = hook->is_told || is_new;
    pthread_mutex_unlock(&hook->lock);
    *out_text = is_new ? hook->trouble : NULL; // written once, before has_trouble
    return is_new;
}

void
dr_hook_wait(struct dr_hook *hook, uint64_t patience_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(patience_ms / 1000);
    until.tv_nsec += (long)(patience_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&hook->lock);
    int rc = 0;
    while (rc == 0 && patience_ms > 0 && (hook->first != NULL || hook->is_working)) {
        rc = pthread_cond_timedwait(&hook->wake, &hook->lock, &until);
    }
    pthread_mutex_unlock(&hook->lock);
}

size_t
dr_hook_end(struct dr_hook **hook)
{
    const uint64_t one = 1;
    if (*hook == NULL) {
        return 0;
    }
    pthread_mutex_lock(&(*hook)->lock);
    (*hook)->is_ending = true;
    for (struct change *change = take(*hook); change != NULL; change = take(*hook)) {
        free(change);
        (*hook)->lost++;
    }
    pthread_cond_broadcast(&(*hook)->wake);
    pthread_mutex_unlock(&(*hook)->lock);
    (void)!write((*hook)->cancel_fd, &one, sizeof(one));
    pthread_join((*hook)->thread, NULL);
    size_t lost = (*hook)->lost;
    destroy(*hook);
    *hook = NULL;
    return lost;
}
