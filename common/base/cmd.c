// Child programs: fork, execvpe, one poll loop over pipes and the child itself, a deadline, and
// SIGKILL to the whole group.

#include "base/cmd.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127
#define TICK_MS          500
#define PIECE_BYTES      16384u

enum { IN, OUT, ERRORS, STATUS, PIPES };

// The child, seen from here. Descriptors are -1 when closed.
struct running {
    pid_t pid;
    int pidfd;
    int ours[PIPES], theirs[PIPES];
    size_t written;
};

static void
close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void
close_all(struct running *r)
{
    for (size_t i = 0; i < PIPES; i++) {
        close_fd(&r->ours[i]);
        close_fd(&r->theirs[i]);
    }
    close_fd(&r->pidfd);
}

// Runs in the child after fork: async-signal-safe calls only.
static DR_NORETURN void
become_program(const struct dr_cmd *cmd, const struct running *r, pid_t parent)
{
    static const char *const minimal[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
        "HOME=/", NULL};
    const struct rlimit memory = {cmd->memory_max_bytes, cmd->memory_max_bytes};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0);
    bool is_ready = cmd->folder == NULL || chdir(cmd->folder) == 0;
    if (is_ready && cmd->uid != 0 && geteuid() == 0) {
        is_ready = setgroups(0, NULL) == 0 && setgid(cmd->gid) == 0 && setuid(cmd->uid) == 0;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // setuid would have forgotten it
    is_ready = is_ready && getppid() == parent;      // else nobody would end this process
    is_ready = is_ready && dup2(r->theirs[IN], 0) == 0 && dup2(r->theirs[OUT], 1) == 1;
    is_ready = is_ready && dup2(r->theirs[ERRORS], 2) == 2;
    is_ready = is_ready && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
    is_ready = is_ready && (cmd->pass_fd <= 2 || fcntl(cmd->pass_fd, F_SETFD, 0) == 0);
    if (is_ready && (cmd->memory_max_bytes == 0 || setrlimit(RLIMIT_AS, &memory) == 0)) {
        // execvpe does not change the arguments; its prototype is older than const.
        union {
            const char *const *in;
            char *const *out;
        } argv = {cmd->argv}, env = {cmd->env == NULL ? minimal : cmd->env};
        (void)execvpe(cmd->argv[0], argv.out, env.out);
    }
    int cause = errno;
    bool is_told = dr_fd_write_all(r->theirs[STATUS], &cause, sizeof cause);
    _exit(is_told ? EXIT_NOT_STARTED : EXIT_NOT_STARTED - 1);
}

// A pipe whose ends are above the standard descriptors (a daemon may have closed those), and
// close-on-exec. Ours does not block.
static bool
make_pipe(struct running *r, size_t which)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    bool is_good = true;
    for (size_t i = 0; i < 2; i++) {
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        (void)close(ends[i]);
        ends[i] = high;
        is_good = is_good && high >= 0;
    }
    r->ours[which] = which == IN ? ends[1] : ends[0];
    r->theirs[which] = which == IN ? ends[0] : ends[1];
    return is_good && fcntl(r->ours[which], F_SETFL, O_NONBLOCK) == 0;
}

static enum dr_rc
start(const struct dr_cmd *cmd, struct running *r, struct dr_err *err)
{
    for (size_t i = 0; i < PIPES; i++) {
        if (!make_pipe(r, i)) {
            return dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be started", cmd->argv[0]);
        }
    }
    if (cmd->output_path != NULL) {
        close_fd(&r->ours[OUT]);
        close_fd(&r->theirs[OUT]);
        int file =
            open(cmd->output_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file < 0) {
            enum dr_rc rc = errno == EEXIST ? DR_E_EXISTS : DR_E_IO;
            return dr_err_errno(err, rc, errno, "'%s' cannot be made", cmd->output_path);
        }
        r->theirs[OUT] = fcntl(file, F_DUPFD_CLOEXEC, 3);
        (void)close(file);
    }
    pid_t parent = getpid();
    r->pid = fork();
    if (r->pid == 0) {
        become_program(cmd, r, parent);
    }
    int cause = errno;
    for (size_t i = 0; i < PIPES; i++) {
        close_fd(&r->theirs[i]);
    }
    if (r->pid < 0) {
        return dr_err_errno(err, DR_E_IO, cause, "'%s' cannot be started", cmd->argv[0]);
    }
    (void)setpgid(r->pid, r->pid); // whoever of the two is first
    r->pidfd = pidfd_open(r->pid, 0);
    return DR_OK;
}

// Reads one piece; closes at the end. False when the cap is passed. `*out_more`: a piece was there.
static bool
take_output(int *fd, struct dr_buf *out, size_t max, bool *out_more)
{
    char piece[PIECE_BYTES];
    ssize_t got = read(*fd, piece, sizeof piece);
    *out_more = got > 0;
    if (got > 0) {
        if ((size_t)got > max - out->len) {
            return false;
        }
        dr_buf_add(out, piece, (size_t)got);
        return !out->failed;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_fd(fd);
    }
    return true;
}

static void
give_input(const struct dr_cmd *cmd, struct running *r)
{
    const char *bytes = cmd->input;
    ssize_t done = write(r->ours[IN], bytes + r->written, cmd->input_len - r->written);
    if (done > 0) {
        r->written += (size_t)done;
    } else if (errno != EAGAIN && errno != EINTR) {
        close_fd(&r->ours[IN]); // it does not want the rest, which is its own business
    }
}

// Takes what is there; with `to_end`, until a read would wait.
static bool
take_all(const struct dr_cmd *cmd, struct running *r, struct dr_cmd_result *out, bool to_end)
{
    struct dr_buf *const bufs[] = {&out->output, &out->errors};
    for (size_t i = 0; i < 2; i++) {
        bool more = r->ours[OUT + i] >= 0;
        while (more) {
            if (!take_output(&r->ours[OUT + i], bufs[i], cmd->output_max, &more)) {
                return false;
            }
            more = more && to_end;
        }
    }
    return true;
}

// Feeds and drains until the child ends, the deadline passes, a cap is reached or somebody cancels.
// A grandchild that keeps the pipes open does not keep this waiting.
static enum dr_rc
pump(const struct dr_cmd *cmd, struct running *r, struct dr_cmd_result *out, int64_t deadline,
     struct dr_err *err)
{
    for (bool is_over = false; !is_over;) {
        if (r->ours[IN] >= 0 && r->written == cmd->input_len) {
            close_fd(&r->ours[IN]);
        }
        struct pollfd fds[] = {{.fd = r->pidfd, .events = POLLIN},
                               {.fd = r->ours[OUT], .events = POLLIN},
                               {.fd = r->ours[ERRORS], .events = POLLIN},
                               {.fd = r->ours[IN], .events = POLLOUT},
                               {.fd = cmd->cancel_fd > 0 ? cmd->cancel_fd : -1, .events = POLLIN}};
        int64_t left = deadline - dr_monotonic_ms();
        if (left <= 0) {
            return dr_err_set(err, DR_E_TIMEOUT, "'%s' did not end within its time", cmd->argv[0]);
        }
        left = cmd->tick != NULL && left > TICK_MS ? TICK_MS : left;
        int ready = poll(fds, DR_COUNT_OF(fds), left > INT_MAX ? INT_MAX : (int)left);
        if (ready < 0 && errno != EINTR) {
            return dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be watched", cmd->argv[0]);
        }
        if (ready == 0 && cmd->tick != NULL) {
            cmd->tick(cmd->tick_arg);
        }
        if (ready <= 0) {
            continue;
        }
        if (fds[4].revents != 0) {
            return dr_err_set(err, DR_E_INTERRUPTED, "'%s' was cancelled", cmd->argv[0]);
        }
        if (fds[3].revents != 0) {
            give_input(cmd, r);
        }
        is_over = fds[0].revents != 0;
        if (!take_all(cmd, r, out, is_over)) {
            return dr_err_set(err, DR_E_LIMIT, "'%s' printed more than %zu bytes", cmd->argv[0],
                              cmd->output_max);
        }
    }
    return DR_OK;
}

// Reaps the child; first kills its group unless it ended by itself.
static enum dr_rc
finish(const struct dr_cmd *cmd, struct running *r, struct dr_cmd_result *out, enum dr_rc rc,
       struct dr_err *err)
{
    int status = 0;
    int cause = 0;
    if (rc != DR_OK) {
        (void)kill(-r->pid, SIGKILL);
        (void)kill(r->pid, SIGKILL);
    }
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (read(r->ours[STATUS], &cause, sizeof cause) == (ssize_t)sizeof cause) {
        return dr_err_errno(err, cause == ENOENT ? DR_E_NOT_FOUND : DR_E_IO, cause,
                            "'%s' cannot be started", cmd->argv[0]);
    }
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return DR_OK;
}

// Takes the SIGPIPE that a write of ours left pending, so that it is not delivered later.
static void
drop_sigpipe(const sigset_t *sigpipe)
{
    const struct timespec now = {0, 0};
    while (sigtimedwait(sigpipe, NULL, &now) < 0 && errno == EINTR) {
    }
}

enum dr_rc
dr_cmd_run(const struct dr_cmd *cmd, struct dr_cmd_result *out, struct dr_err *err)
{
    struct running r = {
        .pid = -1, .pidfd = -1, .ours = {-1, -1, -1, -1}, .theirs = {-1, -1, -1, -1}};
    struct dr_cmd_result result = {.exit_code = -1};
    if (cmd->timeout_ms == 0 || cmd->argv == NULL || cmd->argv[0] == NULL) {
        return dr_err_set(err, DR_E_INTERNAL, "a command without name or time-out");
    }
    uint64_t timeout_ms = cmd->timeout_ms > INT_MAX ? INT_MAX : cmd->timeout_ms;
    int64_t deadline = dr_monotonic_ms() + (int64_t)timeout_ms;
    result.output.max = result.errors.max = cmd->output_max + PIECE_BYTES;
    dr_buf_str(&result.output, "");
    dr_buf_str(&result.errors, "");
    // Blocked in this thread only: the disposition belongs to the whole process.
    sigset_t sigpipe, before;
    (void)sigemptyset(&sigpipe);
    (void)sigaddset(&sigpipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    enum dr_rc rc = start(cmd, &r, err);
    if (rc == DR_OK && r.pidfd < 0) {
        rc = dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be watched", cmd->argv[0]);
    }
    if (rc == DR_OK) {
        rc = pump(cmd, &r, &result, deadline, err);
    }
    if (r.pid > 0) {
        rc = finish(cmd, &r, &result, rc, err);
    }
    close_all(&r);
    if (sigismember(&before, SIGPIPE) == 0) {
        drop_sigpipe(&sigpipe);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != DR_OK) {
        dr_cmd_result_fini(&result);
        return rc;
    }
    *out = result;
    return DR_OK;
}

void
dr_cmd_result_fini(struct dr_cmd_result *result)
{
    dr_buf_fini(&result->output);
    dr_buf_fini(&result->errors);
}

// Writes "<folder><between><name>" to `out` if such a program is there.
static bool
try_place(const char *folder, const char *between, const char *name, char *out, size_t out_size)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s%s", folder, between, name);
    if (len <= 0 || (size_t)len >= sizeof path || (size_t)len >= out_size ||
        access(path, X_OK) != 0) {
        return false;
    }
    memcpy(out, path, (size_t)len + 1);
    return true;
}

enum dr_rc
dr_cmd_foreground(const char *const *argv, int *out_exit_code, struct dr_err *err)
{
    pid_t pid = 0;
    int status = 0;
    // POSIX declares the words without const, and does not change them
    union {
        const char *const *from;
        char *const *to;
    } words = {argv};
    int problem = posix_spawnp(&pid, argv[0], NULL, NULL, words.to, environ);
    if (problem != 0) {
        return dr_err_errno(err, DR_E_NOT_FOUND, problem, "'%s' cannot be started", argv[0]);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return dr_err_errno(err, DR_E_IO, errno, "'%s' was not waited for", argv[0]);
        }
    }
    *out_exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return DR_OK;
}

enum dr_rc
dr_cmd_sibling(const char *name, char *out, size_t out_size, struct dr_err *err)
{
    char self[PATH_MAX] = "";
    const char *given = getenv("DROVER_BINDIR");
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = len > 0 ? strrchr(self, '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
    }
    if ((given != NULL && given[0] != '\0' && try_place(given, "/", name, out, out_size)) ||
        try_place(self, "/", name, out, out_size) ||
        try_place(self, "/../libexec/drover/", name, out, out_size)) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_NOT_FOUND, "the program '%s' is not beside this one", name);
    (void)dr_err_hint(err, "install it in '%s', or name its folder with DROVER_BINDIR", self);
    return DR_E_NOT_FOUND;
}
