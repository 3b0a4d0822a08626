// Roles: see role.h. The child is a fresh image, so it shares no memory, no locks and no
// descriptors with its parent beyond the channel and the standard ones.
#include "base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXTRA_MAX        64u
#define FIXED_ARGS       3u // argv0 --role role
#define EXIT_NOT_STARTED 127
#define HIGH_FD          10 // above the numbers that the child assigns

// What the child needs, made ready before fork. Both descriptors are at HIGH_FD or above.
struct start {
    char *argv[FIXED_ARGS + EXTRA_MAX + 1];
    int null_fd, channel;
    pid_t parent;
};

// Runs in the child after fork: async-signal-safe calls only.
static DR_NORETURN void
become_role(const struct start *start)
{
    sigset_t none;
    (void)sigemptyset(&none);
    bool is_ready = sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    (void)signal(SIGPIPE, SIG_DFL);
    is_ready = is_ready && dup2(start->null_fd, STDIN_FILENO) == STDIN_FILENO;
    is_ready = is_ready && dup2(start->channel, DR_ROLE_CHANNEL_FD) == DR_ROLE_CHANNEL_FD;
    is_ready = is_ready && close_range(DR_ROLE_CHANNEL_FD + 1, ~0u, 0) == 0;
    is_ready = is_ready && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    // The parent may have died before the line above: then nobody would end this process.
    if (is_ready && getppid() == start->parent) {
        (void)execv("/proc/self/exe", start->argv);
    }
    _exit(EXIT_NOT_STARTED);
}

static int
move_high(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    (void)close(fd);
    return high;
}

// exec's argv is not const for history's sake; nothing writes to it.
static char *
as_arg(const char *text)
{
    union {
        const char *from;
        char *to;
    } arg = {.from = text};
    return arg.to;
}

static enum dr_rc
fill_argv(struct start *start, const char *argv0, const char *role, const char *const *extra,
          struct dr_err *err)
{
    size_t n = 0;
    start->argv[n++] = as_arg(argv0);
    start->argv[n++] = as_arg("--role");
    start->argv[n++] = as_arg(role);
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        if (i == EXTRA_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "more than %u arguments for role '%s'", EXTRA_MAX,
                              role);
        }
        start->argv[n++] = as_arg(extra[i]);
    }
    start->argv[n] = NULL;
    return DR_OK;
}

enum dr_rc
dr_role_start(const char *argv0, const char *role, const char *const *extra,
              struct dr_role_child *out, struct dr_err *err)
{
    struct start start = {.parent = getpid()};
    enum dr_rc rc = fill_argv(&start, argv0, role, extra, err);
    if (rc != DR_OK) {
        return rc;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a channel for role '%s'", role);
    }
    int ours = move_high(ends[0]); // a standard descriptor may be free, and is not ours to take
    start.channel = move_high(ends[1]);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    start.null_fd = null_fd < 0 ? -1 : move_high(null_fd);
    pid_t pid = ours < 0 || start.channel < 0 || start.null_fd < 0 ? -1 : fork();
    if (pid == 0) {
        become_role(&start);
    }
    int cause = errno;
    if (start.channel >= 0) {
        (void)close(start.channel);
    }
    if (start.null_fd >= 0) {
        (void)close(start.null_fd);
    }
    if (pid < 0) {
        if (ours >= 0) {
            (void)close(ours);
        }
        return dr_err_errno(err, DR_E_IO, cause, "cannot start role '%s'", role);
    }
    *out = (struct dr_role_child){.pid = pid, .channel = ours};
    return DR_OK;
}

// The first variable of the environment whose name begins with PG, or NULL.
static const char *
find_pg_variable(void)
{
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, "PG", 2) == 0) {
            return *at;
        }
    }
    return NULL;
}

void
dr_role_harden(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (const char *pg = find_pg_variable(); pg != NULL; pg = find_pg_variable()) {
        char name[256];
        size_t len = strcspn(pg, "=");
        if (len == 0 || len >= sizeof name) {
            (void)clearenv(); // a name of this length is no setting of anybody: drop everything
            return;
        }
        memcpy(name, pg, len);
        name[len] = '\0';
        (void)unsetenv(name);
    }
}
