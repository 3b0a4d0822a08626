// Roles: see role.h. The child is a fresh image, so it shares no memory, no locks and no
// descriptors with its parent beyond the channel and the standard ones.
#include "base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXTRA_MAX        64u
#define EXIT_NOT_STARTED 127
#define FIXED_ARGS       3u // argv0 --role role

extern char **environ;

// Runs in the child after fork: async-signal-safe calls only.
static DR_NORETURN void
become_role(char *const *argv, int channel, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    int null_fd = open("/dev/null", O_RDONLY);
    bool is_ready = null_fd >= 0;
    if (channel == DR_ROLE_CHANNEL_FD) {
        is_ready = is_ready && fcntl(channel, F_SETFD, 0) == 0;
    } else {
        // /dev/null may have become descriptor 3 itself: it is moved to 0 before 3 is overwritten.
        is_ready = is_ready && dup2(null_fd, STDIN_FILENO) == STDIN_FILENO;
        is_ready = is_ready && dup2(channel, DR_ROLE_CHANNEL_FD) == DR_ROLE_CHANNEL_FD;
    }
    if (channel == DR_ROLE_CHANNEL_FD) {
        is_ready = is_ready && dup2(null_fd, STDIN_FILENO) == STDIN_FILENO;
    }
    is_ready = is_ready && close_range(DR_ROLE_CHANNEL_FD + 1, ~0u, 0) == 0;
    is_ready = is_ready && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    // The parent may have died before the line above.
    if (is_ready && getppid() == parent) {
        (void)execve("/proc/self/exe", argv, environ);
    }
    _exit(EXIT_NOT_STARTED);
}

enum dr_rc
dr_role_start(const char *argv0, const char *role, const char *const *extra,
              struct dr_role_child *out, struct dr_err *err)
{
    int pair[2];
    // execve does not change the arguments; its prototype is older than const.
    union {
        const char *in[EXTRA_MAX + FIXED_ARGS + 1];
        char *out[EXTRA_MAX + FIXED_ARGS + 1];
    } argv = {.in = {argv0, "--role", role}};
    size_t n = FIXED_ARGS;
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        if (i == EXTRA_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "too many arguments for role '%s'", role);
        }
        argv.in[n++] = extra[i];
    }
    argv.in[n] = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "no channel for role '%s'", role);
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_role(argv.out, pair[1], parent);
    }
    int reason = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return dr_err_errno(err, DR_E_IO, reason, "role '%s' cannot be started", role);
    }
    *out = (struct dr_role_child){.pid = pid, .channel = pair[0]};
    return DR_OK;
}

void
dr_role_harden(void)
{
    static const char *const names[] = {"PGHOST",
                                        "PGHOSTADDR",
                                        "PGPORT",
                                        "PGDATABASE",
                                        "PGUSER",
                                        "PGPASSWORD",
                                        "PGPASSFILE",
                                        "PGSERVICE",
                                        "PGSERVICEFILE",
                                        "PGOPTIONS",
                                        "PGAPPNAME",
                                        "PGSSLMODE",
                                        "PGSSLCERT",
                                        "PGSSLKEY",
                                        "PGSSLROOTCERT",
                                        "PGSSLCRL",
                                        "PGREQUIRESSL",
                                        "PGGSSENCMODE",
                                        "PGKRBSRVNAME",
                                        "PGTARGETSESSIONATTRS",
                                        "PGCONNECT_TIMEOUT",
                                        "PGCLIENTENCODING",
                                        "PGDATESTYLE",
                                        "PGTZ",
                                        "PGSYSCONFDIR"};
    struct rlimit none = {0, 0};
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unsetenv(names[i]);
    }
}
