// The core's test world around droverd itself, a process of its own that can be killed. Included
// before world_rollout.h.
#ifndef DR_TEST_CORE_WORLD_DROVERD_H
#define DR_TEST_CORE_WORLD_DROVERD_H

#define SITE_DROVERD

#include "unit/core/world.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define START_MS 30000

static void
write_conf(const struct site *site, const char *path)
{
    char text[4 * PATH_MAX];
    struct dr_err err = {0};
    int n = snprintf(text, sizeof text,
                     "project = \"shop\"\nlisten = \"tcp://127.0.0.1:0\"\nstate = \"%s\"\n"
                     "transport_key = \"%s\"\nroot = \"%s\"\n",
                     site->config.state, site->config.transport_key, site->config.root);

    assert_int_equal(dr_file_write(path, text, (size_t)n, 0600, &err), DR_OK);
}

// Its clock stands at NOW when it starts; the world's documents are of that time.
static void
become_droverd(const char *conf, int ready_fd, const char *log)
{
    const char *build = getenv("DROVER_BUILD");
    char path[PATH_MAX], number[16];
    glob_t found = {0};
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(fd, STDERR_FILENO);
    (void)snprintf(path, sizeof path, "%s/droverd", build != NULL ? build : ".");
    (void)snprintf(number, sizeof number, "%d", ready_fd);
    if (glob("/usr/lib/*/faketime/libfaketime.so.1", 0, NULL, &found) == 0) {
        (void)setenv("LD_PRELOAD", found.gl_pathv[0], 1);
    }
    (void)setenv("TZ", "UTC", 1);
    (void)setenv("FAKETIME", "@2027-01-15 08:00:00", 1);
    (void)setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    (void)setenv("FAKETIME_FORCE_MONOTONIC_FIX", "0", 1);
    (void)setenv("NO_FAKE_STAT", "1", 1);
    (void)setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    (void)execl(path, "droverd", "--config", conf, "--ready-fd", number, (char *)NULL);
    _exit(127);
}

static void
site_start(struct site *site)
{
    char conf[PATH_MAX], log[PATH_MAX], line[32] = "";
    int fds[2];

    (void)dr_tmp_path(&site->tmp, "droverd.conf", conf);
    (void)dr_tmp_path(&site->tmp, "droverd.log", log);
    write_conf(site, conf);
    assert_int_equal(pipe(fds), 0);
    site->droverd = fork();
    if (site->droverd == 0) {
        become_droverd(conf, fds[1], log);
    }
    close(fds[1]);
    struct pollfd fd = {.fd = fds[0], .events = POLLIN};
    ssize_t n = poll(&fd, 1, START_MS) == 1 ? read(fds[0], line, sizeof line - 1) : 0;
    close(fds[0]);
    if (n < 7 || sscanf(line, "ready %u", &site->port) != 1) {
        fail_msg("droverd did not start");
    }
}

static void
site_stop(struct site *site)
{
    assert_int_equal(kill(site->droverd, SIGKILL), 0);
    assert_int_equal(waitpid(site->droverd, NULL, 0), site->droverd);
}

#endif
