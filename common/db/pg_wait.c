// Waiting: one poll loop for the server's socket, the caller's cancel descriptor, ticks and the
// deadline.
//
// PQcancel opens a connection of its own and blocks, so it runs in a thread that owns all it
// touches: a dead network then costs the grace period and the connection, never the loop.
#include "db/pg_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CANCEL_AGAIN_MS 200

struct cancel_job {
    PGcancel *cancel;
    int done_fd; // closed when the request was delivered, or could not be
};

void
dr_pg_op_init(struct dr_pg_op *op, struct dr_pg *pg, const struct dr_db_wait *wait)
{
    int64_t now = dr_monotonic_ms();
    *op = (struct dr_pg_op){
        .pg = pg,
        .wait = wait,
        .started_ms = now,
        .deadline_ms = wait->deadline_ms != 0 ? wait->deadline_ms : now + DR_DB_WAIT_DEFAULT_MS,
        .next_tick_ms =
            wait->on_tick != NULL && wait->tick_ms != 0 ? now + wait->tick_ms : INT64_MAX,
        .cancel_done_fd = -1,
    };
    // A pipeline waits often and shortly; its ticks come all the same.
    if (wait == &pg->pipeline.wait && pg->pipeline.next_tick_ms != 0) {
        op->next_tick_ms = pg->pipeline.next_tick_ms;
    }
}

enum dr_rc
dr_pg_set_lost(struct dr_pg *pg, struct dr_err *err)
{
    pg->lost = true;
    pg->pipeline.is_on = false;
    if (pg->error.message[0] != '\0') {
        return dr_err_set(err, DR_E_DB_LOST, "connection to the database was lost: %s",
                          pg->error.message_safe);
    }
    return dr_err_set(err, DR_E_DB_LOST, "connection to the database was lost");
}

static void *
deliver_cancel(void *arg)
{
    struct cancel_job *job = arg;
    char ignored[256];
    // A failure shows by the missing answer; the grace period covers it.
    PQcancel(job->cancel, ignored, sizeof ignored);
    PQfreeCancel(job->cancel);
    close(job->done_fd);
    free(job);
    return NULL;
}

static bool
start_detached(struct cancel_job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    sigfillset(&all);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attr, deliver_cancel, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return started;
}

// A descriptor that becomes readable when the cancel was delivered; -1 when none could be sent.
static int
send_cancel(PGconn *conn)
{
    int ends[2] = {-1, -1};
    struct cancel_job *job = malloc(sizeof *job);
    if (job == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        free(job);
        return -1;
    }
    *job = (struct cancel_job){.cancel = PQgetCancel(conn), .done_fd = ends[1]};
    if (job->cancel != NULL && start_detached(job)) {
        return ends[0];
    }
    PQfreeCancel(job->cancel);
    free(job);
    close(ends[0]);
    close(ends[1]);
    return -1;
}

void
dr_pg_op_stop(struct dr_pg_op *op, enum dr_rc rc, const char *why)
{
    if (op->stop_rc != DR_OK) {
        return;
    }
    op->stop_rc = rc;
    if (op->stop_err.rc == DR_OK) {
        dr_err_set(&op->stop_err, rc, "%s", why);
    }
    op->deadline_ms = dr_monotonic_ms() + DR_PG_CANCEL_GRACE_MS;
    op->next_tick_ms = dr_monotonic_ms() + CANCEL_AGAIN_MS;
    op->cancel_done_fd = send_cancel(op->pg->conn);
}

// A cancel that comes before its statement has begun is dropped by the server: so another one, once
// the last was delivered.
static void
cancel_again(struct dr_pg_op *op, int64_t now)
{
    struct pollfd done = {.fd = op->cancel_done_fd, .events = POLLIN};
    op->next_tick_ms = now + CANCEL_AGAIN_MS;
    if (op->cancel_done_fd >= 0 && poll(&done, 1, 0) <= 0) {
        return;
    }
    if (op->cancel_done_fd >= 0) {
        close(op->cancel_done_fd);
    }
    op->cancel_done_fd = send_cancel(op->pg->conn);
}

static void
stop_at_deadline(struct dr_pg_op *op)
{
    char why[96];
    snprintf(why, sizeof why, "the database did not answer within %lld ms",
             (long long)(dr_monotonic_ms() - op->started_ms));
    dr_pg_op_stop(op, DR_E_TIMEOUT, why);
}

static void
tick(struct dr_pg_op *op, int64_t now)
{
    op->next_tick_ms = now + op->wait->tick_ms;
    struct dr_err err = {0};
    enum dr_rc rc = op->wait->on_tick(op->wait->ctx, &err);
    if (rc != DR_OK) {
        op->stop_err = err;
        dr_pg_op_stop(op, rc, "stopped while waiting");
    }
}

static int
poll_timeout_ms(const struct dr_pg_op *op, int64_t now)
{
    int64_t until = op->deadline_ms < op->next_tick_ms ? op->deadline_ms : op->next_tick_ms;
    int64_t left = until > now ? until - now : 0;
    return left > 60000 ? 60000 : (int)left;
}

enum dr_rc
dr_pg_op_wait(struct dr_pg_op *op, short events, struct dr_err *err)
{
    bool may_cancel = op->wait->cancel_fd > 0 && op->stop_rc == DR_OK;
    struct pollfd fds[2] = {
        {.fd = PQsocket(op->pg->conn), .events = events},
        {.fd = may_cancel ? op->wait->cancel_fd : -1, .events = POLLIN},
    };
    if (fds[0].fd < 0) {
        return dr_pg_set_lost(op->pg, err);
    }
    int64_t now = dr_monotonic_ms();
    int n = poll(fds, 2, poll_timeout_ms(op, now));
    if (n < 0 && errno != EINTR) {
        return dr_err_errno(err, DR_E_IO, errno, "poll on the database's socket failed");
    }
    now = dr_monotonic_ms();
    if (n > 0 && fds[0].revents != 0) {
        if (now >= op->next_tick_ms && op->stop_rc == DR_OK) {
            tick(op, now); // answers that keep coming must not keep the tick away
        }
        return DR_OK;
    }
    if (n > 0 && fds[1].revents != 0) {
        dr_pg_op_stop(op, DR_E_INTERRUPTED, "interrupted while the database worked");
    } else if (now >= op->deadline_ms && op->stop_rc != DR_OK) {
        dr_pg_set_lost(op->pg, err);
        return dr_err_set(err, DR_E_DB_LOST,
                          "the database did not answer a cancel within %d ms (%s)",
                          DR_PG_CANCEL_GRACE_MS, op->stop_err.message);
    } else if (now >= op->deadline_ms) {
        stop_at_deadline(op);
    } else if (now >= op->next_tick_ms && op->stop_rc != DR_OK) {
        cancel_again(op, now);
    } else if (now >= op->next_tick_ms) {
        tick(op, now);
    }
    return DR_OK;
}

enum dr_rc
dr_pg_op_ready(struct dr_pg_op *op, struct dr_err *err)
{
    PGconn *conn = op->pg->conn;
    for (;;) {
        int unsent = PQflush(conn);
        if (unsent >= 0 && !PQisBusy(conn)) {
            return DR_OK;
        }
        if (unsent < 0 && PQstatus(conn) == CONNECTION_BAD) {
            return DR_OK; // PQgetResult tells what happened
        }
        short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
        enum dr_rc rc = dr_pg_op_wait(op, events, err);
        if (rc != DR_OK) {
            return rc;
        }
        // A false result shows up in the next PQgetResult.
        if (PQconsumeInput(conn) == 0) {
            return DR_OK;
        }
    }
}

enum dr_rc
dr_pg_op_fini(struct dr_pg_op *op, struct dr_err *err)
{
    if (op->wait == &op->pg->pipeline.wait) {
        op->pg->pipeline.next_tick_ms = op->next_tick_ms;
    }
    if (op->cancel_done_fd < 0) {
        return DR_OK;
    }
    struct pollfd done = {.fd = op->cancel_done_fd, .events = POLLIN};
    int64_t left = 0;
    int n = 0;
    do {
        left = op->deadline_ms - dr_monotonic_ms();
        n = poll(&done, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR && left > 0);
    close(op->cancel_done_fd);
    op->cancel_done_fd = -1;
    return n > 0 ? DR_OK : dr_pg_set_lost(op->pg, err);
}
