// A proxy with the coordinator's own key before a real droverd: it changes what droverd answers to
// the real drover. Included once per test program.
#ifndef DR_TESTS_SUPPORT_EVIL_CLI_H
#define DR_TESTS_SUPPORT_EVIL_CLI_H

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "support/test_tmp.h"
#include "proto/service.pb-c.h"
#include "trust/envelope.h"
#include "trust/keyfile.h"
#include "trust/strict.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_MS   90000
#define COMMAND_MS 60000
#define OUTPUT_MAX (1u << 20)

struct evil_cli {
    pid_t world;
    int world_in;
    char folder[PATH_MAX];
    struct dr_key coordinator, transport;
    struct dr_rpc_server *server;
    struct dr_rpc_client *client; // as carol, to the real droverd
    struct dr_err err;
    struct dr_arena *arena;
    // what the enemy does
    void (*spoil)(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
                  ProtobufCMessage *reply, struct dr_arena *arena);
    unsigned approvals, spoilt, trusts;
    struct dr_bytes plan; // another one than what is shown
    uint8_t plan_sha256[32];
    char output[OUTPUT_MAX + 1];
};

static struct evil_cli *evil;

#define E_OK(call)                                                                                 \
    do {                                                                                           \
        enum dr_rc e_rc = (call);                                                                  \
        if (e_rc != DR_OK) {                                                                       \
            fail_msg("%s: %s: %s", #call, dr_rc_name(e_rc), evil->err.message);                    \
        }                                                                                          \
    } while (0)

// ------------------------------------------------------------------------------------ the proxy

static inline void
lookup(void *user, const uint8_t key[32], struct dr_caller *out)
{
    (void)user;
    (void)key;
    out->kind = DR_CALLER_PERSON;
    (void)snprintf(out->name, sizeof out->name, "carol");
}

// Answers itself: the plan that nobody compiled.
static inline bool
serve_other_plan(struct dr_call *call, enum dr_method_id method, const ProtobufCMessage *request)
{
    const Drover__V1__GetBlobRequest *asked = (const Drover__V1__GetBlobRequest *)request;
    Drover__V1__GetBlobReply reply = DROVER__V1__GET_BLOB_REPLY__INIT;
    if (method != DR_METHOD_DOCUMENTS_GET_BLOB || evil->plan.len == 0 ||
        !dr_data_is(asked->sha256, evil->plan_sha256) || asked->offset != 0) {
        return false;
    }
    reply.total = evil->plan.len;
    reply.bytes = dr_data(evil->plan.data, evil->plan.len);
    dr_call_reply(call, &reply.base);
    return true;
}

static inline void
forward(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    enum dr_method_id method = dr_call_method(call)->id;
    struct dr_arena *arena = dr_call_arena(call);
    ProtobufCMessage *reply = NULL;
    struct dr_err err = {0};
    (void)user;
    if (serve_other_plan(call, method, request)) {
        return;
    }
    if (method == DR_METHOD_DOCUMENTS_PUT &&
        strcmp(((const Drover__V1__Document *)request)->kind, DR_TYPE_APPROVAL) == 0) {
        evil->approvals++;
    }
    if (dr_rpc_call(evil->client, method, request, arena, &reply, COMMAND_MS, &err) != DR_OK) {
        dr_call_fail(call, &err);
        return;
    }
    if (evil->spoil != NULL) {
        evil->spoil(evil, method, request, reply, arena);
    }
    dr_call_reply(call, reply);
}

static const struct dr_rpc_route ROUTES[] = {
    {DR_METHOD_DOCUMENTS_PUT, forward},          {DR_METHOD_DOCUMENTS_GET, forward},
    {DR_METHOD_DOCUMENTS_LIST, forward},         {DR_METHOD_DOCUMENTS_PUT_BLOB, forward},
    {DR_METHOD_DOCUMENTS_GET_BLOB, forward},     {DR_METHOD_OPERATOR_LIST_REVISIONS, forward},
    {DR_METHOD_OPERATOR_GET_ROLLOUT, forward},   {DR_METHOD_OPERATOR_LIST_ROLLOUTS, forward},
    {DR_METHOD_OPERATOR_ORDER_ROLLOUT, forward}, {DR_METHOD_OPERATOR_STATUS, forward},
    {DR_METHOD_OPERATOR_LOG, forward},           {DR_METHOD_OPERATOR_AGENTS, forward},
};

// -------------------------------------------------------------------------------- start, stop

static inline char *
in_world(char out[PATH_MAX], const char *name)
{
    (void)snprintf(out, PATH_MAX, "%.3000s/%s", evil->folder, name);
    return out;
}

static inline char *
read_world(const char *name)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    E_OK(dr_file_read(in_world(path, name), OUTPUT_MAX, &text, &len, &evil->err));
    return text;
}

static inline void
start_world(void)
{
    char script[PATH_MAX];
    int in[2], out[2];
    const char *source = getenv("DROVER_SOURCE");
    (void)snprintf(script, sizeof script, "%.3000s/tests/attack/coordinator/world_for_cli.sh",
                   source == NULL ? "." : source);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    evil->world = fork();
    if (evil->world == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execl("/bin/bash", "bash", script, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    evil->world_in = in[1];
    struct pollfd fd = {.fd = out[0], .events = POLLIN};
    ssize_t n = poll(&fd, 1, SETUP_MS) == 1 ? read(out[0], evil->folder, PATH_MAX - 1) : -1;
    (void)close(out[0]);
    assert_true(n > 1);
    evil->folder[n - 1] = '\0'; // the line's end
}

static inline void
start_proxy(void)
{
    char path[PATH_MAX];
    char url[64];
    static uint8_t cluster[16];
    struct dr_envelope root;
    char *wire = NULL;
    size_t len = 0;
    E_OK(dr_file_read(in_world(path, "trust/root.1.drv"), OUTPUT_MAX, &wire, &len, &evil->err));
    E_OK(dr_envelope_parse((struct dr_bytes){.data = (const uint8_t *)wire, .len = len}, NULL,
                           &root, &evil->err));
    Drover__V1__Root *msg = drover__v1__root__unpack(dr_arena_protobuf(evil->arena),
                                                     root.payload.len, root.payload.data);
    memcpy(cluster, msg->cluster_id.data, sizeof cluster);
    free(wire);
    char *conf = read_world("droverd.conf");
    char *at = strstr(conf, "transport_key = \"");
    assert_non_null(at);
    at += strlen("transport_key = \"");
    *strchr(at, '"') = '\0';
    E_OK(dr_keyfile_load(at[0] == '/' ? at : in_world(path, at), DR_KEY_TRANSPORT, NULL,
                         &evil->coordinator, &evil->err));
    free(conf);
    E_OK(dr_keyfile_load(in_world(path, "keys/carol.transport"), DR_KEY_TRANSPORT, NULL,
                         &evil->transport, &evil->err));
    char *port = read_world("run/port");
    const char *digits = strrchr(port, ':') == NULL ? port : strrchr(port, ':') + 1;
    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%d", (int)strtol(digits, NULL, 10));
    free(port);
    const struct dr_rpc_client_config client = {.url = url,
                                                .server_key = evil->coordinator.public_key,
                                                .secret_key =
                                                    dr_secret_bytes(evil->transport.secret)};
    E_OK(dr_rpc_client_open(&client, &evil->client, &evil->err));
    const struct dr_rpc_server_config server = {
        .url = "tcp://127.0.0.1:0",
        .secret_key = dr_secret_bytes(evil->coordinator.secret),
        .cluster_id = cluster,
        .lookup = lookup,
        .routes = ROUTES,
        .route_count = DR_COUNT_OF(ROUTES),
    };
    E_OK(dr_rpc_server_open(&server, &evil->server, &evil->err));
}

// The project as it is, but its coordinator is the proxy.
static inline void
write_conf(void)
{
    char path[PATH_MAX];
    struct dr_buf out = {0};
    char *conf = read_world("drover.conf");
    for (char *line = conf; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        bool is_last = line[len] == '\0';
        line[len] = '\0';
        if (strncmp(line, "coordinator = ", 14) == 0) {
            dr_buf_printf(&out, "coordinator = \"tcp://127.0.0.1:%u\"\n",
                          dr_rpc_server_port(evil->server));
        } else {
            dr_buf_printf(&out, "%s\n", line);
        }
        line += is_last ? len : len + 1;
    }
    E_OK(dr_file_write(in_world(path, "evil.conf"), out.data, out.len, 0644, &evil->err));
    dr_buf_fini(&out);
    free(conf);
}

static inline int
start(void **state)
{
    static struct evil_cli e;
    (void)state;
    evil = &e;
    e = (struct evil_cli){.world_in = -1};
    e.arena = dr_arena_new(64u << 20);
    start_world();
    start_proxy();
    write_conf();
    return 0;
}

static inline int
stop(void **state)
{
    (void)state;
    dr_rpc_client_close(&evil->client);
    dr_rpc_server_close(&evil->server);
    dr_key_fini(&evil->coordinator);
    dr_key_fini(&evil->transport);
    dr_arena_free(&evil->arena);
    (void)close(evil->world_in);
    (void)waitpid(evil->world, NULL, 0);
    return 0;
}

// ---------------------------------------------------------------------------------- a command

static inline void
become_carol(int out)
{
    char path[PATH_MAX];
    static const char *const FILES[][2] = {{"DROVER_KEY", "keys/carol.key"},
                                           {"DROVER_TRANSPORT", "keys/carol.transport"},
                                           {"DROVER_CONFIG", "evil.conf"}};
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)setenv("DROVER_PERSON", "carol", 1);
    for (size_t i = 0; i < DR_COUNT_OF(FILES); i++) {
        (void)setenv(FILES[i][0], in_world(path, FILES[i][1]), 1);
    }
    (void)snprintf(path, sizeof path, "%.3000s/run/trust-evil-%u", evil->folder, evil->trusts);
    (void)setenv("DROVER_TRUST", path, 1);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    (void)!chdir(evil->folder);
}

// Runs `drover ARG...` as carol against the proxy; its output is in evil->output. The exit code.
static inline int
drover(const char *const *args)
{
    char program[PATH_MAX];
    char file[PATH_MAX];
    const char *build = getenv("DROVER_BUILD");
    (void)snprintf(program, sizeof program, "%.3000s/drover", build == NULL ? "." : build);
    int out = open(in_world(file, "run/evil.out"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    evil->spoilt = evil->approvals = 0;
    pid_t pid = fork();
    if (pid == 0) {
        union {
            const char *in[16];
            char *out[16];
        } argv = {.in = {program}};
        for (size_t i = 0; i < 14 && args[i] != NULL; i++) {
            argv.in[i + 1] = args[i];
        }
        become_carol(out);
        (void)execv(program, argv.out);
        _exit(127);
    }
    int status = 0;
    int64_t deadline = dr_monotonic_ms() + COMMAND_MS;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct pollfd fd = {.fd = dr_rpc_server_fd(evil->server), .events = POLLIN};
        if (dr_monotonic_ms() > deadline) {
            (void)kill(pid, SIGKILL);
        }
        (void)poll(&fd, 1, 10);
        dr_rpc_server_step(evil->server);
    }
    ssize_t n = pread(out, evil->output, OUTPUT_MAX, 0);
    evil->output[n < 0 ? 0 : n] = '\0';
    (void)close(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
