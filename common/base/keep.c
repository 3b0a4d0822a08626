// The watcher is a fork of this process without an exec: it needs a lock, a pipe and a folder, and
// lives by itself in its own session, so that Ctrl-C does not reach it before the pipe closes.

#include "base/keep.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127
#define END_MS           10000 // for the program to end in order
#define STALE_S          60    // younger folders may be just being made
#define WATCHER_FDS      5     // standard ones, channel, lock

struct dr_keep {
    pid_t watcher;
    int channel;
    int lock;
};

// ------------------------------------------------------------------------------------ the watcher

static void
write_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && dr_fd_write_all(fd, text, strlen(text));
    (void)is_written; // without a name in there it is nobody, whose files are its own all the same
    if (fd >= 0) {
        (void)close(fd);
    }
}

// Another network, with nothing in it. Who may not have one by itself may in a user namespace, if
// the host allows these: there it stays who it is.
static bool
leave_network(bool in_user_namespace)
{
    char uid[64], gid[64];
    (void)snprintf(uid, sizeof uid, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    (void)snprintf(gid, sizeof gid, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
    if (!in_user_namespace) {
        return unshare(CLONE_NEWNET) == 0;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    write_map("/proc/self/uid_map", uid);
    write_map("/proc/self/setgroups", "deny");
    write_map("/proc/self/gid_map", gid);
    return true;
}

// Runs in the watcher's child.
static DR_NORETURN void
become_program(const struct dr_keep_options *o, pid_t watcher)
{
    union {
        const char *const *in;
        char *const *out;
    } argv = {o->argv}, env = {o->env};
    sigset_t none;
    (void)sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) {
        (void)signal(s, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    bool is_ready = chdir(o->folder) == 0;
    bool has_left = !o->has_no_network || leave_network(false);
    if (is_ready && o->uid != 0 && geteuid() == 0) {
        is_ready = setgroups(0, NULL) == 0 && setgid(o->gid) == 0 && setuid(o->uid) == 0;
    }
    if (!has_left) {
        (void)leave_network(true);
    }
    int log = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    is_ready = is_ready && log >= 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2;
    // After setuid, which forgets it: a watcher that is killed takes its program with it.
    is_ready = is_ready && prctl(PR_SET_PDEATHSIG, o->end_signal, 0, 0, 0) == 0;
    if (is_ready && getppid() == watcher) {
        (void)execve(o->argv[0], argv.out, env.out);
    }
    _exit(EXIT_NOT_STARTED);
}

static void
end_program(const struct dr_keep_options *o, pid_t pid)
{
    struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    (void)kill(pid, o->end_signal);
    if (end.fd < 0 || poll(&end, 1, END_MS) != 1) {
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

// Starts the program when asked, tells its pid, and ends all when the other end of the channel
// closes.
static DR_NORETURN void
watch(const struct dr_keep_options *o, int channel)
{
    char order;
    pid_t pid = 0;
    struct dr_err ignored = {0};
    bool is_open = true;
    while (is_open && dr_fd_read_all(channel, &order, 1)) {
        if (pid == 0) {
            pid_t watcher = getpid();
            pid = fork();
            if (pid == 0) {
                become_program(o, watcher);
            }
        }
        is_open = dr_fd_write_all(channel, &pid, sizeof pid);
    }
    if (pid > 0) {
        end_program(o, pid);
    }
    enum dr_rc rc = dr_dir_remove(o->folder, &ignored);
    _exit(rc == DR_OK ? 0 : 1);
}

// Runs in the fork: leaves the session, and keeps nothing open but the channel and the lock, so
// that nobody waits for a pipe of ours to close.
static DR_NORETURN void
become_watcher(const struct dr_keep_options *o, int channel, int lock)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "drover-keep", 0, 0, 0);
    for (int s = 1; s < NSIG; s++) {
        (void)signal(s, SIG_DFL);
    }
    // Blocked, not ignored: one that is sent to the program before its exec waits for it.
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[WATCHER_FDS] = {null_fd, null_fd, null_fd, channel, lock};
    for (int i = 0; i < WATCHER_FDS; i++) { // above all numbers that are given out below
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, WATCHER_FDS + i);
    }
    for (int i = 0; i < WATCHER_FDS; i++) {
        if (fds[i] < 0 || dup3(fds[i], i, i < 3 ? 0 : O_CLOEXEC) != i) {
            _exit(EXIT_NOT_STARTED);
        }
    }
    (void)close_range(WATCHER_FDS, ~0u, 0);
    watch(o, 3);
}

// ------------------------------------------------------------------------------------- this
// process

enum dr_rc
dr_keep_open(const struct dr_keep_options *options, struct dr_keep **out, struct dr_err *err)
{
    char path[PATH_MAX];
    int pair[2] = {-1, -1};
    struct dr_keep *keep = calloc(1, sizeof *keep);
    if (keep == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    (void)snprintf(path, sizeof path, "%s/" DR_KEEP_LOCK, options->folder);
    enum dr_rc rc = dr_file_lock(path, &keep->lock, err);
    if (rc != DR_OK) {
        free(keep);
        return rc;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        (void)fflush(NULL);
        keep->watcher = fork();
        if (keep->watcher == 0) {
            (void)close(pair[0]);
            become_watcher(options, pair[1], keep->lock);
        }
    } else {
        keep->watcher = -1;
    }
    int cause = errno;
    if (pair[1] >= 0) {
        (void)close(pair[1]);
    }
    keep->channel = pair[0];
    if (keep->watcher < 0) {
        if (pair[0] >= 0) {
            (void)close(pair[0]);
        }
        (void)close(keep->lock);
        free(keep);
        return dr_err_errno(err, DR_E_IO, cause, "'%s' cannot be watched", options->folder);
    }
    *out = keep;
    return DR_OK;
}

enum dr_rc
dr_keep_start(struct dr_keep *keep, pid_t *out_pid, int *out_pidfd, struct dr_err *err)
{
    const char order = 's';
    pid_t pid = -1;
    if (send(keep->channel, &order, 1, MSG_NOSIGNAL) != 1 ||
        !dr_fd_read_all(keep->channel, &pid, sizeof pid) || pid <= 0) {
        return dr_err_set(err, DR_E_IO, "the program was not started by its watcher");
    }
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        return dr_err_errno(err, DR_E_IO, errno, "the program has gone at once");
    }
    *out_pid = pid;
    *out_pidfd = pidfd;
    return DR_OK;
}

void
dr_keep_close(struct dr_keep **keep)
{
    if (*keep == NULL) {
        return;
    }
    (void)close((*keep)->channel);
    (void)close((*keep)->lock); // the watcher has a copy of it
    while (waitpid((*keep)->watcher, NULL, 0) < 0 && errno == EINTR) {
    }
    free(*keep);
    *keep = NULL;
}

// ------------------------------------------------------------------------------------------- sweep

static bool
is_stale(const char *path, uid_t uid)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           (st.st_uid == geteuid() || st.st_uid == uid) && dr_now_unix_s() - st.st_mtime > STALE_S;
}

void
dr_keep_sweep(const char *parent, const char *prefix, uid_t uid)
{
    DIR *dir = opendir(parent);
    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[PATH_MAX], lock_path[PATH_MAX + sizeof DR_KEEP_LOCK + 1];
        struct dr_err ignored = {0};
        int lock = -1;
        int len = snprintf(path, sizeof path, "%s/%s", parent, e->d_name);
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || len >= (int)sizeof path ||
            !is_stale(path, uid)) {
            continue;
        }
        (void)snprintf(lock_path, sizeof lock_path, "%s/" DR_KEEP_LOCK, path);
        if (dr_file_lock(lock_path, &lock, &ignored) == DR_OK) {
            enum dr_rc rc = dr_dir_remove(path, &ignored);
            (void)rc; // the next one tries again
            (void)close(lock);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}
