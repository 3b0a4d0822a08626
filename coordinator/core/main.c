// droverd: the coordinator. Arguments, signals, the poll loop.
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/role.h"
#include "base/str.h"
#include "coordinator/core/core.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILES_WANTED 65536

struct arguments {
    const char *config;
    bool check_only;
    int ready_fd; // -1: none
};

enum { KEY_CHECK = 0x100, KEY_READY };

static const struct argp_option OPTIONS[] = {
    {"config", 'c', "FILE", 0, "the configuration", 0},
    {"check-config", KEY_CHECK, NULL, 0, "check the configuration and end", 0},
    {"ready-fd", KEY_READY, "N", 0, "write 'ready PORT' to descriptor N when serving", 0},
    {0},
};

static error_t
parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t number;

    switch (key) {
    case 'c':
        arguments->config = value;
        return 0;
    case KEY_CHECK:
        arguments->check_only = true;
        return 0;
    case KEY_READY:
        if (!dr_parse_u64(value, 0, 1023, &number)) {
            argp_error(state, "'%s' is not a descriptor", value);
        }
        arguments->ready_fd = (int)number;
        return 0;
    case ARGP_KEY_END:
        if (arguments->config == NULL) {
            argp_error(state, "--config is missing");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse_option,
    .doc =
        "The coordinator of drover: keeps signed documents, schedules rollouts, and tells agents."
        "\vExamples:\n"
        "  droverd --config droverd.conf\n"
        "  droverd --config droverd.conf --check-config\n"
        "\n"
        "SIGTERM ends it, SIGHUP takes up the root and fleet files again.",
};

static void
print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    (void)fprintf(stream, "droverd %s\n", DROVER_VERSION);
}

static int
fail(const struct dr_err *err)
{
    const char *hint = err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc);

    if (err->file[0] != '\0') {
        (void)fprintf(stderr, "droverd: error: %s:%u: %s\n", err->file, (unsigned)err->line,
                      err->message);
    } else {
        (void)fprintf(stderr, "droverd: error: %s\n", err->message);
    }
    if (hint[0] != '\0') {
        (void)fprintf(stderr, "  try: %s\n", hint);
    }
    return dr_rc_exit_code(err->rc);
}

// sd_notify(3): one datagram to the socket that systemd names.
static void
notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        const struct sockaddr *to = (const struct sockaddr *)(const void *)&address;

        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, to,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
        close(fd);
    }
}

static int
take_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// As many connections as the hard limit allows.
static void
raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void
reload(struct dr_core *core)
{
    struct dr_err err = {0};

    notify("RELOADING=1");
    if (dr_core_reload(core, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the files are not taken up; the old state holds", &err);
    } else {
        dr_log(DR_LOG_INFO, "files taken up again", NULL);
    }
    notify("READY=1");
}

// Until SIGTERM or SIGINT.
static void
run_loop(struct dr_core *core, int signal_fd)
{
    struct pollfd fds[2] = {{.fd = dr_core_fd(core), .events = POLLIN},
                            {.fd = signal_fd, .events = POLLIN}};

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(fds, 2, dr_core_timeout_ms(core)) < 0 && errno != EINTR) {
            return;
        }
        dr_core_step(core);
        if (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
            if (info.ssi_signo != SIGHUP) {
                return;
            }
            reload(core);
        }
    }
}

static void
say_ready(const struct dr_core *core, int ready_fd)
{
    char text[64], port[8];

    (void)snprintf(port, sizeof port, "%u", (unsigned)dr_core_port(core));
    if (ready_fd >= 0) {
        (void)snprintf(text, sizeof text, "ready %s\n", port);
        (void)!dr_fd_write_all(ready_fd, text, strlen(text));
    }
    notify("READY=1");
    dr_log(DR_LOG_INFO, "serving", "listen", core->config.listen, "port", port, "version",
           DROVER_VERSION, NULL);
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {.ready_fd = -1};
    struct dr_config config;
    struct dr_core *core = NULL;
    struct dr_err err = {0};

    argp_err_exit_status = 2;
    argp_program_version_hook = print_version;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &arguments) != 0) {
        return 2;
    }
    if (dr_config_read(arguments.config, &config, &err) != DR_OK) {
        return fail(&err);
    }
    if (arguments.check_only) {
        (void)printf("%s: ok\n", arguments.config);
        return 0;
    }
    dr_log_init("droverd", DR_LOG_INFO, config.log_format);
    dr_role_harden();
    raise_limit();
    int signal_fd = take_signals();
    if (signal_fd < 0) {
        dr_err_errno(&err, DR_E_IO, errno, "cannot take signals");
        return fail(&err);
    }
    if (dr_core_open(&config, &core, &err) != DR_OK) {
        return fail(&err);
    }
    say_ready(core, arguments.ready_fd);
    run_loop(core, signal_fd);
    notify("STOPPING=1");
    dr_log(DR_LOG_INFO, "ending", NULL);
    dr_core_close(&core);
    close(signal_fd);
    return 0;
}
