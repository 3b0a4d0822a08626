// Exec: start, one poll loop, end. Nothing in the loop waits for a database or the network; workers
// and net do.
#include "agent/exec_internal.h"

#include "agent/trusted.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/role.h"
#include "trust/keywords.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define POLL_MAX_MS 60000
#define STOP_MS     60000 // for running workers to reach a whole unit

// -------------------------------------------------------------------------------------- open

// Files of plans are kept while something is under way, not longer.
static enum dr_rc
open_blobs(struct dr_agent *agent, struct dr_err *err)
{
    struct dr_err ignored = {0};
    bool is_idle = true;
    (void)snprintf(agent->blob_folder, sizeof agent->blob_folder, "%.*s/blobs", PATH_MAX - 16,
                   agent->config->state);
    struct dr_arena *arena = dr_arena_new(DR_SLOT_ARENA_MAX);
    for (size_t i = 0; arena != NULL && i < agent->n_slots; i++) {
        struct dr_agent_run run = {0};
        struct dr_agent_task task = {0};
        const char *target = agent->slots[i].target->name;
        is_idle = is_idle &&
                  dr_agent_state_run(agent->state, arena, target, &run, &ignored) == DR_OK &&
                  !run.exists &&
                  dr_agent_state_next_task(agent->state, arena, target, &task, &ignored) == DR_OK &&
                  task.id == 0;
    }
    dr_arena_free(&arena);
    if (is_idle && dr_path_exists(agent->blob_folder)) {
        enum dr_rc rc = dr_dir_remove(agent->blob_folder, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    return dr_dir_make(agent->blob_folder, 0700, err);
}

static enum dr_rc
open_slots(struct dr_agent *agent, struct dr_err *err)
{
    const struct dr_agent_config *config = agent->config;
    const char **names = calloc(config->n_targets, sizeof *names);
    agent->slots = calloc(config->n_targets, sizeof *agent->slots);
    if (agent->slots == NULL || names == NULL) {
        free(names);
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    agent->n_slots = config->n_targets;
    for (size_t i = 0; i < agent->n_slots; i++) {
        agent->slots[i] = (struct dr_agent_slot){
            .agent = agent,
            .target = &config->targets[i],
            .state = DR_STEP_IDLE,
            .has_news = true,
            .has_orders = true, // perhaps from before a restart
            .wants_state = true,
            .rollout = "",
        };
        names[i] = config->targets[i].name;
    }
    enum dr_rc rc = dr_agent_state_drop_foreign(agent->state, names, agent->n_slots, err);
    free(names);
    return rc;
}

static enum dr_rc
open_signals(struct dr_agent *agent, struct dr_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    agent->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return agent->signal_fd >= 0 ? DR_OK
                                 : dr_err_errno(err, DR_E_IO, errno, "signals cannot be read");
}

static enum dr_rc
open_agent(struct dr_agent *agent, struct dr_err *err)
{
    enum dr_rc rc = dr_exec_keys_load(agent, err);
    dr_random(agent->instance, sizeof agent->instance);
    rc = rc != DR_OK ? rc : dr_dir_make(agent->config->state, 0700, err);
    rc = rc != DR_OK ? rc
                     : dr_agent_trust_open(agent->config, &agent->trust,
                                           err); // takes the lock: one agent per state folder
    rc = rc != DR_OK ? rc : dr_agent_state_open(agent->config->state, &agent->state, err);
    rc = rc != DR_OK ? rc : open_slots(agent, err);
    rc = rc != DR_OK ? rc : open_blobs(agent, err);
    return rc != DR_OK ? rc : open_signals(agent, err);
}

static void
close_agent(struct dr_agent *agent)
{
    for (size_t i = 0; i < agent->n_slots; i++) {
        dr_exec_worker_kill(&agent->slots[i]);
        dr_arena_free(&agent->slots[i].arena);
    }
    dr_exec_net_stop(agent);
    free(agent->slots);
    dr_agent_state_close(&agent->state);
    dr_trust_store_close(&agent->trust);
    dr_exec_keys_fini(agent);
    if (agent->signal_fd >= 0) {
        (void)close(agent->signal_fd);
    }
}

// -------------------------------------------------------------------------------------- loop

static void
take_signals(struct dr_agent *agent)
{
    struct signalfd_siginfo info;
    while (read(agent->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP && !agent->is_stopping) {
            dr_exec_reload(agent);
        }
        if (info.ssi_signo == SIGHUP || agent->is_stopping) {
            continue;
        }
        dr_log(DR_LOG_INFO, "stopping", NULL);
        (void)dr_notify("STOPPING=1");
        agent->is_stopping = true;
        agent->stop_at_ms = dr_monotonic_ms() + STOP_MS;
        for (size_t i = 0; i < agent->n_slots; i++) {
            dr_exec_worker_stop(&agent->slots[i]);
        }
    }
}

static bool
is_over(const struct dr_agent *agent)
{
    bool is_busy = false;
    for (size_t i = 0; i < agent->n_slots; i++) {
        is_busy = is_busy || agent->slots[i].worker.is_there;
    }
    return agent->is_stopping && (!is_busy || dr_monotonic_ms() >= agent->stop_at_ms);
}

static int
due_ms(const struct dr_agent *agent)
{
    int64_t now = dr_monotonic_ms();
    int64_t due = POLL_MAX_MS;
    for (size_t i = 0; i < agent->n_slots; i++) {
        int64_t slot = dr_exec_slot_due(&agent->slots[i], now);
        due = slot < due ? slot : due;
    }
    if (!agent->net.is_there && !agent->is_stopping && agent->net.restart_at_ms - now < due) {
        due = agent->net.restart_at_ms - now;
    }
    if (agent->is_stopping && agent->stop_at_ms - now < due) {
        due = agent->stop_at_ms - now;
    }
    return due < 0 ? 0 : (int)due;
}

static struct pollfd
watch_pipe(const struct dr_pipe *pipe, bool is_there)
{
    short output = is_there && dr_pipe_has_output(pipe) ? POLLOUT : 0;
    return (struct pollfd){.fd = is_there ? pipe->fd : -1, .events = (short)(POLLIN | output)};
}

// A slot's turn may end another's wait (a blob arrives for both), so turns come before every poll.
static void
turn(struct dr_agent *agent)
{
    int64_t now = dr_monotonic_ms();
    for (size_t i = 0; i < agent->n_slots; i++) {
        dr_exec_worker_turn(&agent->slots[i], now);
        dr_exec_slot_turn(&agent->slots[i]);
    }
    dr_exec_net_turn(agent);
    (void)dr_expiry_warn(&agent->expiry, dr_trust_store_get(agent->trust), dr_now_unix_s());
}

static void
wait_and_hear(struct dr_agent *agent, struct pollfd *fds)
{
    nfds_t n = 0;
    fds[n++] = (struct pollfd){.fd = agent->signal_fd, .events = POLLIN};
    fds[n++] = watch_pipe(&agent->net.pipe, agent->net.is_there);
    for (size_t i = 0; i < agent->n_slots; i++) {
        fds[n++] = watch_pipe(&agent->slots[i].worker.pipe, agent->slots[i].worker.is_there);
    }
    if (poll(fds, n, due_ms(agent)) <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        take_signals(agent);
    }
    if (fds[1].revents != 0) {
        dr_exec_net_heard(agent);
    }
    for (size_t i = 0; i < agent->n_slots; i++) {
        if (fds[2 + i].revents != 0 && agent->slots[i].worker.is_there) {
            dr_exec_worker_heard(&agent->slots[i]);
        }
    }
}

static void
tell_start(const struct dr_agent *agent)
{
    char words[DR_KEY_WORDS_SIZE];
    dr_key_words(dr_exec_signing_key(agent)->public_key, dr_exec_transport_key(agent)->public_key,
                 words);
    dr_log(DR_LOG_INFO, "started", "agent", agent->config->agent, "environment",
           agent->config->environment, "version", DROVER_VERSION, "key", words, NULL);
}

enum dr_rc
dr_exec_main(const struct dr_agent_config *config, int ready_fd, struct dr_err *err)
{
    struct dr_agent agent = {.config = config, .signal_fd = -1};
    dr_role_harden();
    enum dr_rc rc = open_agent(&agent, err);
    struct pollfd *fds = rc == DR_OK ? calloc(agent.n_slots + 2, sizeof *fds) : NULL;
    if (rc == DR_OK && fds == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (rc != DR_OK) {
        close_agent(&agent);
        return rc;
    }
    dr_exec_keys_choose(&agent);
    dr_exec_drift_policy(&agent);
    dr_exec_net_turn(&agent);
    tell_start(&agent);
    (void)dr_notify("READY=1");
    if (ready_fd >= 0) {
        bool ignored = dr_fd_write_all(ready_fd, "ready\n", 6);
        (void)ignored;
        (void)close(ready_fd);
    }
    while (!is_over(&agent)) {
        turn(&agent);
        wait_and_hear(&agent, fds);
    }
    free(fds);
    close_agent(&agent);
    dr_log(DR_LOG_INFO, "stopped", NULL);
    return DR_OK;
}
