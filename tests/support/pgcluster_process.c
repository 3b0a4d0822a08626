// A watcher process stands between the test and its server: it notices the end of the test by its
// pipe, whatever ended it, stops the server and removes the folder.
#include "support/pgcluster_internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 3000 // of 10 ms

void
dr_pgcluster_die(const char *what, const char *detail)
{
    fprintf(stderr, "pgcluster: %s: %s\n", what, detail);
    exit(99);
}

void
dr_pgcluster_user(uid_t *out_uid, gid_t *out_gid)
{
    *out_uid = 0;
    *out_gid = 0;
    if (geteuid() == 0) {
        const struct passwd *pw = getpwnam("postgres");
        pw = pw != NULL ? pw : getpwnam("nobody");
        if (pw == NULL) {
            dr_pgcluster_die("no unprivileged user", "neither postgres nor nobody exists");
        }
        *out_uid = pw->pw_uid;
        *out_gid = pw->pw_gid;
    }
}

// In the child: becomes the server's user, in the cluster's folder, output into its log.
static void
become(const struct dr_pgcluster *c)
{
    char log[192];
    uid_t uid;
    gid_t gid;
    dr_pgcluster_user(&uid, &gid);
    if (uid != 0 && (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)) {
        _exit(98);
    }
    snprintf(log, sizeof log, "%s/log", c->folder);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (chdir(c->folder) != 0 || out < 0 || dup2(in, 0) != 0 || dup2(out, 1) != 1 ||
        dup2(out, 2) != 2) {
        _exit(97);
    }
    setenv("LC_ALL", "C", 1);
    unsetenv("PGDATA");
}

static void
show_log(const struct dr_pgcluster *c)
{
    char path[192];
    char *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/log", c->folder);
    if (dr_file_read(path, 1u << 20, &text, &len, NULL) == DR_OK) {
        fprintf(stderr, "%s", len > 4000 ? text + len - 4000 : text);
        free(text);
    }
}

void
dr_pgcluster_run(const struct dr_pgcluster *c, const char *const *argv)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        become(c);
        char *copy[32] = {NULL};
        for (size_t i = 0; i < 31 && argv[i] != NULL; i++) {
            copy[i] = strdup(argv[i]);
        }
        execv(copy[0], copy);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        show_log(c);
        dr_pgcluster_die("command failed", argv[0]);
    }
}

static void
pause_10ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

// The postmaster notes its state in the last line of its pid file, as pg_ctl reads it.
static bool
is_ready(const struct dr_pgcluster *c)
{
    char path[192];
    char *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", c->data);
    bool ready = dr_file_read(path, 4096, &text, &len, NULL) == DR_OK &&
                 strtol(text, NULL, 10) == c->postmaster && strstr(text, "ready") != NULL;
    free(text);
    return ready;
}

static void
exec_postmaster(const struct dr_pgcluster *c)
{
    char arg_data[] = "-D";
    char name[] = DR_PGCLUSTER_BINDIR "/postgres";
    char *data = strdup(c->data);
    become(c);
    // After setuid, which clears it: an immediate shutdown when the watcher goes.
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    execv(name, (char *[]){name, arg_data, data, NULL});
    _exit(127);
}

// Runs in the watcher: starts a server for 's', ends it for 'k', tells its pid; ends all when the
// channel closes.
static void
watch(struct dr_pgcluster *c, int channel)
{
    char order;
    setsid();
    for (int s = 1; s < 32; s++) {
        signal(s, SIG_DFL);
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    pid_t postmaster = 0;
    bool is_open = true;
    while (is_open && dr_fd_read_all(channel, &order, 1)) {
        if (order == 's') {
            postmaster = fork();
            if (postmaster == 0) {
                exec_postmaster(c);
            }
        } else if (postmaster > 0) {
            kill(postmaster, SIGQUIT);
            waitpid(postmaster, NULL, 0);
            postmaster = 0;
        }
        is_open = dr_fd_write_all(channel, &postmaster, sizeof postmaster);
    }
    if (postmaster > 0) {
        kill(postmaster, SIGQUIT);
        waitpid(postmaster, NULL, 0);
    }
    (void)!dr_dir_remove(c->folder, NULL);
    _exit(0);
}

void
dr_pgcluster_watch(struct dr_pgcluster *c)
{
    int pair[2];
    // Serves both ways. The watcher keeps no copy of the test's end, or it would never see it
    // close.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        dr_pgcluster_die("no socket pair", strerror(errno));
    }
    fflush(NULL);
    c->watcher = fork();
    if (c->watcher == 0) {
        for (int fd = 3; fd < 1024; fd++) {
            if (fd != pair[1]) {
                close(fd);
            }
        }
        watch(c, pair[1]);
    }
    close(pair[1]);
    c->watcher_pipe = pair[0];
}

static pid_t
order(struct dr_pgcluster *c, char what)
{
    pid_t answer = -1;
    if (!dr_fd_write_all(c->watcher_pipe, &what, 1) ||
        !dr_fd_read_all(c->watcher_pipe, &answer, sizeof answer)) {
        dr_pgcluster_die("the watcher is gone", c->folder);
    }
    return answer;
}

void
dr_pgcluster_start_server(struct dr_pgcluster *c)
{
    c->postmaster = order(c, 's');
    for (int i = 0; i < START_TRIES; i++) {
        if (is_ready(c)) {
            return;
        }
        if (kill(c->postmaster, 0) != 0) {
            break;
        }
        pause_10ms();
    }
    show_log(c);
    dr_pgcluster_die("the server does not start", c->folder);
}

void
dr_pgcluster_end_server(struct dr_pgcluster *c)
{
    c->postmaster = order(c, 'k');
}
