// drover-agent: runs beside databases, checks every signature itself, runs what was approved, and
// signs what happened.
#include "agent/backup_cli.h"
#include "agent/check.h"
#include "agent/clock.h"
#include "agent/config.h"
#include "agent/exec.h"
#include "agent/keys.h"
#include "agent/net.h"
#include "agent/state.h"
#include "agent/worker.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/role.h"
#include "base/str.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FD_MAX 1048576u

enum option_key { OPT_READY_FD = 256, OPT_TARGET, OPT_DIR, OPT_NAME, OPT_OUTPUT };

static const struct argp_option OPTIONS[] = {
    {"config", 'c', "FILE", 0, "configuration of the agent", 0},
    {"ready-fd", OPT_READY_FD, "N", 0, "write a line to this descriptor once the agent runs", 0},
    {"target", OPT_TARGET, "NAME", 0, "disarm, backup: this target only", 0},
    {"dir", OPT_DIR, "FOLDER", 0, "key new: where the files go", 0},
    {"name", OPT_NAME, "NAME", 0, "key new: the agent's name", 0},
    {"version", 'V', NULL, 0, "print the version", -1},
    {"output", OPT_OUTPUT, "FORMAT", 0, "check: text or json", 0},
    {0},
};

static const char DOC[] =
    "Runs approved plans on the databases beside it.\v"
    "Commands:\n"
    "  (none)    run the agent until SIGTERM\n"
    "  check     look at configuration, keys, coordinator and databases\n"
    "  disarm    drop the open READY, so that no approval can be used\n"
    "  key new   make the agent's key files\n"
    "  key next  make the pair that is to follow; after SIGHUP the agent holds both\n"
    "  backup list | verify | restore-test | prune\n"
    "            look after the backups in this host's folder, without the coordinator\n"
    "  clock     show the latest time that a verified document named; clock reset forgets it\n"
    "\n"
    "Examples:\n"
    "  drover-agent key new --dir /etc/drover --name db7\n"
    "  drover-agent check --config /etc/drover/agent.conf\n"
    "  drover-agent --config /etc/drover/agent.conf\n"
    "  drover-agent clock reset --config /etc/drover/agent.conf\n"
    "  drover-agent disarm --config /etc/drover/agent.conf --target production/orders\n"
    "  drover-agent backup restore-test --config /etc/drover/agent.conf --target "
    "production/orders\n"
    "\n"
    "Exit codes: 0 good, 1 failed, 2 usage or configuration, 4 keys or permission, 5 unreachable.";

struct arguments {
    const char *config, *target, *dir, *name, *output;
    const char *words[2];
    unsigned n_words;
    int ready_fd;
};

// Behind the commands and examples: the keys of the configuration, from the table that reads them.
static char *
add_keys(int key, const char *text, void *input)
{
    struct dr_buf help = {0};
    (void)input;
    union {
        const char *in;
        char *out;
    } same = {.in = text};
    if (key != ARGP_KEY_HELP_POST_DOC || text == NULL) {
        return same.out;
    }
    dr_buf_printf(&help, "%s\n\nKeys of the configuration:\n", text);
    for (const struct dr_conf_key *row = dr_agent_config_keys(); row->name != NULL; row++) {
        dr_buf_printf(&help, "  %-22s %s\n", row->name, row->help);
    }
    return help.failed ? same.out : help.data; // argp frees what is not its own text
}

static error_t
take_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t number = 0;
    switch (key) {
    case 'c':
        arguments->config = arg;
        return 0;
    case OPT_READY_FD:
        if (!dr_parse_u64(arg, 0, FD_MAX, &number)) {
            argp_error(state, "--ready-fd takes the number of a descriptor, not '%s'", arg);
        }
        arguments->ready_fd = (int)number;
        return 0;
    case 'V':
        printf("drover-agent %s\n", DROVER_VERSION);
        exit(EXIT_SUCCESS);
    case OPT_TARGET:
        arguments->target = arg;
        return 0;
    case OPT_DIR:
        arguments->dir = arg;
        return 0;
    case OPT_NAME:
        arguments->name = arg;
        return 0;
    case OPT_OUTPUT:
        if (!dr_str_eq(arg, "text") && !dr_str_eq(arg, "json")) {
            argp_error(state, "--output takes 'text' or 'json', not '%s'", arg);
        }
        arguments->output = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->n_words == DR_COUNT_OF(arguments->words)) {
            argp_error(state, "'%s' is one word too many", arg);
        }
        arguments->words[arguments->n_words++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum dr_rc
need_config(const struct arguments *arguments, struct dr_err *err)
{
    if (arguments->config != NULL) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_USAGE, "no configuration is named");
    return dr_err_hint(err, "drover-agent --config /etc/drover/agent.conf");
}

// ---------------------------------------------------------------------------------- commands

static enum dr_rc
run_agent(const struct arguments *arguments, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    enum dr_rc rc = need_config(arguments, err);
    rc = rc != DR_OK ? rc : dr_agent_config_read(arguments->config, &config, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_log_init("drover-agent", config.log_level, config.log_format);
    rc = dr_exec_main(&config, arguments->ready_fd, err);
    dr_agent_config_fini(&config);
    return rc;
}

static enum dr_rc
run_check(const struct arguments *arguments, struct dr_err *err)
{
    enum dr_rc rc = need_config(arguments, err);
    return rc != DR_OK ? rc
                       : dr_agent_check(arguments->config, dr_str_eq(arguments->output, "json"),
                                        stdout, err);
}

static enum dr_rc
run_disarm(const struct arguments *arguments, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    struct dr_agent_state *state = NULL;
    uint32_t count = 0;
    enum dr_rc rc = need_config(arguments, err);
    rc = rc != DR_OK ? rc : dr_agent_config_read(arguments->config, &config, err);
    if (rc == DR_OK && arguments->target != NULL &&
        dr_agent_config_target(&config, arguments->target) == NULL) {
        rc = dr_err_set(err, DR_E_AGENT_NO_TARGET, "this agent has no target '%s'",
                        arguments->target);
    }
    rc = rc != DR_OK ? rc : dr_agent_state_open(config.state, &state, err);
    rc = rc != DR_OK ? rc : dr_agent_state_disarm(state, arguments->target, &count, err);
    if (rc == DR_OK) {
        printf("disarmed: %u open READY dropped; no approval given until now can be used\n", count);
        printf("a run that has begun is not stopped by this\n");
    }
    dr_agent_state_close(&state);
    dr_agent_config_fini(&config);
    return rc;
}

static enum dr_rc
run_key(const struct arguments *arguments, struct dr_err *err)
{
    if (arguments->dir == NULL || arguments->name == NULL) {
        (void)dr_err_set(err, DR_E_USAGE, "key new needs --dir and --name");
        return dr_err_hint(err, "drover-agent key new --dir /etc/drover --name db7");
    }
    return dr_agent_keys_new(arguments->dir, arguments->name, stdout, err);
}

static enum dr_rc
run_key_next(const struct arguments *arguments, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    enum dr_rc rc = need_config(arguments, err);
    rc = rc != DR_OK ? rc : dr_agent_config_read(arguments->config, &config, err);
    rc = rc != DR_OK ? rc : dr_agent_keys_next(&config, stdout, err);
    dr_agent_config_fini(&config);
    return rc;
}

static enum dr_rc
run_clock(const struct arguments *arguments, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    enum dr_rc rc = need_config(arguments, err);
    rc = rc != DR_OK ? rc : dr_agent_config_read(arguments->config, &config, err);
    rc = rc != DR_OK ? rc : dr_agent_clock(&config, arguments->n_words > 1, stdout, err);
    dr_agent_config_fini(&config);
    return rc;
}

static enum dr_rc
run_backup(const struct arguments *arguments, struct dr_err *err)
{
    struct dr_agent_config config = {0};
    enum dr_rc rc = need_config(arguments, err);
    rc = rc != DR_OK ? rc : dr_agent_config_read(arguments->config, &config, err);
    rc = rc != DR_OK
             ? rc
             : dr_agent_backup(&config, arguments->words[1], arguments->target, stdout, err);
    dr_agent_config_fini(&config);
    return rc;
}

static const struct command {
    const char *first, *second;
    enum dr_rc (*run)(const struct arguments *arguments, struct dr_err *err);
} COMMANDS[] = {
    {"", "", run_agent},
    {"check", "", run_check},
    {"disarm", "", run_disarm},
    {"key", "new", run_key},
    {"key", "next", run_key_next},
    {"clock", "", run_clock},
    {"clock", "reset", run_clock},
    {"backup", "list", run_backup},
    {"backup", "verify", run_backup},
    {"backup", "restore-test", run_backup},
    {"backup", "prune", run_backup},
};

static enum dr_rc
run_command(const struct arguments *arguments, struct dr_err *err)
{
    const char *first = arguments->n_words > 0 ? arguments->words[0] : "";
    const char *second = arguments->n_words > 1 ? arguments->words[1] : "";
    for (size_t i = 0; i < DR_COUNT_OF(COMMANDS); i++) {
        if (dr_str_eq(COMMANDS[i].first, first) && dr_str_eq(COMMANDS[i].second, second)) {
            return COMMANDS[i].run(arguments, err);
        }
    }
    (void)dr_err_set(err, DR_E_USAGE, "there is no command '%s%s%s'", first,
                     second[0] == '\0' ? "" : " ", second);
    return dr_err_hint(err, "drover-agent --help");
}

// The other processes of an agent: drover-agent --role net [USER], --role worker.
static int
run_role(int argc, char **argv)
{
    dr_log_init(dr_str_eq(argv[2], DR_NET_ROLE) ? "drover-agent.net" : "drover-agent.worker",
                DR_LOG_INFO, DR_LOG_AUTO);
    if (dr_str_eq(argv[2], DR_NET_ROLE)) {
        return dr_net_main(argc > 3 ? argv[3] : "", argc > 4 ? argv[4] : "");
    }
    return dr_str_eq(argv[2], DR_WORKER_ROLE) ? dr_worker_main() : dr_rc_exit_code(DR_E_USAGE);
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {.ready_fd = -1, .output = "text"};
    static const struct argp ARGP = {OPTIONS, take_option, "[COMMAND]", DOC, NULL, add_keys, NULL};
    struct dr_err err = {0};
    if (argc >= 3 && dr_str_eq(argv[1], "--role")) {
        return run_role(argc, argv);
    }
    argp_err_exit_status = dr_rc_exit_code(DR_E_USAGE);
    (void)argp_parse(&ARGP, argc, argv, 0, NULL, &arguments);
    dr_log_init("drover-agent", DR_LOG_INFO, DR_LOG_AUTO);
    if (run_command(&arguments, &err) == DR_OK) {
        return EXIT_SUCCESS;
    }
    if (err.file[0] != '\0' && err.line > 0) {
        (void)fprintf(stderr, "drover-agent: error: %s:%u: %s\n", err.file, (unsigned)err.line,
                      err.message);
    } else {
        (void)fprintf(stderr, "drover-agent: error: %s\n", err.message);
    }
    const char *hint = err.hint[0] != '\0' ? err.hint : dr_rc_hint(err.rc);
    if (hint[0] != '\0') {
        (void)fprintf(stderr, "  try: %s\n", hint);
    }
    return dr_rc_exit_code(err.rc);
}
