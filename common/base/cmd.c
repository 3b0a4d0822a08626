// Child programs: fork, execvp, one poll loop over three pipes, a deadline, and SIGKILL to the
// whole group.

#include "base/cmd.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_FAILED 127

// Our ends of the pipes and the child; -1 when closed.
struct running {
    pid_t pid;
    int in, out, err, status;
    size_t written;
};

static void
close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static DR_NORETURN void
run_child(const struct dr_cmd *cmd, int in, int out, int err, int status)
{
    static const char *const minimal[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
        "HOME=/", NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cmd->output_path != NULL) {
        out = open(cmd->output_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (cmd->memory_max_bytes > 0) {
        struct rlimit limit = {cmd->memory_max_bytes, cmd->memory_max_bytes};
        setrlimit(RLIMIT_AS, &limit);
    }
    if (out >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2) {
        // execvpe does not change the arguments; its prototype is older than const.
        union {
            const char *const *in;
            char *const *out;
        } argv = {cmd->argv}, env = {cmd->env ? cmd->env : minimal};
        execvpe(cmd->argv[0], argv.out, env.out);
    }
    int reason = errno;
    bool told = dr_fd_write_all(status, &reason, sizeof(reason));
    _exit(told ? CHILD_FAILED : CHILD_FAILED - 1);
}

static void
set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static enum dr_rc
start(const struct dr_cmd *cmd, struct running *r, struct dr_err *err)
{
    int pipes[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    for (size_t i = 0; i < 4; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            int reason = errno;
            for (size_t j = 0; j < i; j++) {
                close(pipes[j][0]);
                close(pipes[j][1]);
            }
            return dr_err_errno(err, DR_E_IO, reason, "'%s' cannot be started", cmd->argv[0]);
        }
    }
    r->pid = fork();
    if (r->pid == 0) {
        run_child(cmd, pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]);
    }
    int reason = errno;
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    close(pipes[3][1]);
    r->in = pipes[0][1];
    r->out = pipes[1][0];
    r->err = pipes[2][0];
    r->status = pipes[3][0];
    if (r->pid < 0) {
        return dr_err_errno(err, DR_E_IO, reason, "'%s' cannot be started", cmd->argv[0]);
    }
    setpgid(r->pid, r->pid);
    set_nonblocking(r->in);
    set_nonblocking(r->out);
    set_nonblocking(r->err);
    return DR_OK;
}

// Reads what is there; closes at the end. False when the cap is passed.
static bool
take_output(int *fd, struct dr_buf *out, size_t max)
{
    char piece[16384];
    ssize_t n = read(*fd, piece, sizeof(piece));
    if (n > 0) {
        if (out->len + (size_t)n > max) {
            return false;
        }
        dr_buf_add(out, piece, (size_t)n);
        return !out->failed;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_fd(fd);
    }
    return true;
}

static void
give_input(const struct dr_cmd *cmd, struct running *r)
{
    const char *bytes = cmd->input;
    ssize_t n = write(r->in, bytes + r->written, cmd->input_len - r->written);
    if (n > 0) {
        r->written += (size_t)n;
    } else if (errno != EAGAIN && errno != EINTR) {
        close_fd(&r->in);
    }
}

// Feeds and drains until all pipes are closed, the deadline passes, or somebody cancels.
static enum dr_rc
pump(const struct dr_cmd *cmd, struct running *r, struct dr_cmd_result *out, int64_t deadline,
     struct dr_err *err)
{
    while (r->out >= 0 || r->err >= 0) {
        if (r->in >= 0 && r->written == cmd->input_len) {
            close_fd(&r->in);
        }
        struct pollfd fds[4] = {{.fd = r->out, .events = POLLIN},
                                {.fd = r->err, .events = POLLIN},
                                {.fd = r->in, .events = POLLOUT},
                                {.fd = cmd->cancel_fd > 0 ? cmd->cancel_fd : -1, .events = POLLIN}};
        int64_t left = deadline - dr_monotonic_ms();
        if (left <= 0) {
            return dr_err_set(err, DR_E_TIMEOUT, "'%s' did not end within its time", cmd->argv[0]);
        }
        int n = poll(fds, 4, left > INT_MAX ? INT_MAX : (int)left);
        if (n < 0 && errno != EINTR) {
            return dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be watched", cmd->argv[0]);
        }
        if (n <= 0) {
            continue;
        }
        if (fds[3].revents != 0) {
            return dr_err_set(err, DR_E_INTERRUPTED, "'%s' was cancelled", cmd->argv[0]);
        }
        if (fds[2].revents != 0) {
            give_input(cmd, r);
        }
        if ((fds[0].revents != 0 && !take_output(&r->out, &out->output, cmd->output_max)) ||
            (fds[1].revents != 0 && !take_output(&r->err, &out->errors, cmd->output_max))) {
            return dr_err_set(err, DR_E_LIMIT, "'%s' printed more than %zu bytes", cmd->argv[0],
                              cmd->output_max);
        }
    }
    return DR_OK;
}

// Waits for its end until the deadline. True when it was reaped.
static bool
reap(pid_t pid, int *status, int64_t deadline, int options)
{
    for (;;) {
        pid_t got = waitpid(pid, status, options);
        if (got == pid) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (options == 0) {
            continue;
        }
        if (dr_monotonic_ms() >= deadline) {
            return false;
        }
        poll(NULL, 0, 2);
    }
}

static enum dr_rc
finish(const struct dr_cmd *cmd, struct running *r, struct dr_cmd_result *out, int64_t deadline,
       enum dr_rc rc, struct dr_err *err)
{
    int status = 0;
    int reason = 0;
    bool done = rc == DR_OK && reap(r->pid, &status, deadline, WNOHANG);
    if (rc == DR_OK && !done) {
        rc = dr_err_set(err, DR_E_TIMEOUT, "'%s' did not end within its time", cmd->argv[0]);
    }
    if (!done) {
        kill(-r->pid, SIGKILL);
        kill(r->pid, SIGKILL);
        reap(r->pid, &status, 0, 0);
    }
    bool not_started = read(r->status, &reason, sizeof(reason)) == (ssize_t)sizeof(reason);
    close_fd(&r->in);
    close_fd(&r->out);
    close_fd(&r->err);
    close_fd(&r->status);
    if (rc != DR_OK) {
        return rc;
    }
    if (not_started) {
        return dr_err_errno(err, reason == ENOENT ? DR_E_NOT_FOUND : DR_E_IO, reason,
                            "'%s' cannot be started", cmd->argv[0]);
    }
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return DR_OK;
}

enum dr_rc
dr_cmd_run(const struct dr_cmd *cmd, struct dr_cmd_result *out, struct dr_err *err)
{
    struct running r = {.in = -1, .out = -1, .err = -1, .status = -1};
    *out = (struct dr_cmd_result){.exit_code = -1};
    if (cmd->timeout_ms == 0 || cmd->argv == NULL || cmd->argv[0] == NULL) {
        return dr_err_set(err, DR_E_INTERNAL, "a command without name or time-out");
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    int64_t deadline =
        dr_monotonic_ms() + (int64_t)(cmd->timeout_ms > INT_MAX ? INT_MAX : cmd->timeout_ms);
    sigaction(SIGPIPE, &ignore, &before);
    enum dr_rc rc = start(cmd, &r, err);
    if (rc == DR_OK) {
        out->output.max = out->errors.max = cmd->output_max + 65536;
        rc = pump(cmd, &r, out, deadline, err);
        rc = finish(cmd, &r, out, deadline, rc, err);
    } else {
        close_fd(&r.in);
        close_fd(&r.out);
        close_fd(&r.err);
        close_fd(&r.status);
    }
    sigaction(SIGPIPE, &before, NULL);
    if (rc != DR_OK) {
        dr_cmd_result_fini(out);
    }
    return rc;
}

void
dr_cmd_result_fini(struct dr_cmd_result *result)
{
    dr_buf_fini(&result->output);
    dr_buf_fini(&result->errors);
}

enum dr_rc
dr_cmd_sibling(const char *name, char *out, size_t out_size, struct dr_err *err)
{
    char self[PATH_MAX] = "";
    const char *given = getenv("DROVER_BINDIR");
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash = len > 0 ? strrchr(self, '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
    }
    const struct {
        const char *folder, *between;
    } places[] = {{given, "/"}, {self, "/"}, {self, "/../libexec/drover/"}};
    for (size_t i = 0; i < DR_COUNT_OF(places); i++) {
        if (places[i].folder == NULL || places[i].folder[0] == '\0') {
            continue;
        }
        int n = snprintf(out, out_size, "%s%s%s", places[i].folder, places[i].between, name);
        if (n > 0 && (size_t)n < out_size && access(out, X_OK) == 0) {
            return DR_OK;
        }
    }
    dr_err_set(err, DR_E_NOT_FOUND, "the program '%s' is not beside this one", name);
    return dr_err_hint(err, "install it in '%s', or name its folder with DROVER_BINDIR", self);
}
