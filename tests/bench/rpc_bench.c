// RPC on loopback: rpc_bench unary IN_FLIGHT SECONDS    calls per second of 1 KiB through Noise
//                  rpc_bench agents COUNT               memory per connected agent with an open
//                  Watch
// Server and client are two processes, so that each one's memory and time are its own.
#include "base/clock.h"
#include "base/file.h"
#include "proto/service.pb-c.h"
#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/noise.h"
#include "rpc/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_BYTES 1024u
#define AGENTS_MAX 20000

static const uint8_t cluster[16] = {1};

// A new pair of transport keys.
static void
make_pair(struct dr_noise_pair *out)
{
    dr_noise_random(out->secret, sizeof out->secret);
    dr_noise_public(out);
}

static void
die(const char *what, const struct dr_err *err)
{
    fprintf(stderr, "rpc_bench: %s: %s\n", what, err == NULL ? "" : err->message);
    exit(1);
}

// -------------------------------------------------------------------------------------------------
// server

static void
put(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    const Drover__V1__Document *asked = (const Drover__V1__Document *)request;
    Drover__V1__PutDocumentReply reply;
    (void)user;
    drover__v1__put_document_reply__init(&reply);
    reply.sha256 = asked->envelope;
    dr_call_reply(call, &reply.base);
}

static void
on_gone(struct dr_call *call, void *user)
{
    (void)call;
    (void)user;
}

static void
watch(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    (void)request;
    (void)user;
    dr_call_on_gone(call, on_gone, NULL);
}

static void
lookup(void *user, const uint8_t key[32], struct dr_caller *out)
{
    (void)user;
    (void)key;
    out->kind = DR_CALLER_AGENT;
    snprintf(out->name, sizeof out->name, "bench");
}

static long
rss_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

// Serves until `control` is closed; each byte read from it is answered with a line of figures.
static void
serve(const struct dr_noise_pair *key, int control, int answers)
{
    static const struct dr_rpc_route routes[] = {{DR_METHOD_DOCUMENTS_PUT, put},
                                                 {DR_METHOD_AGENT_WATCH, watch}};
    const struct dr_rpc_server_config config = {.url = "tcp://127.0.0.1:0",
                                                .secret_key = key->secret,
                                                .cluster_id = cluster,
                                                .lookup = lookup,
                                                .routes = routes,
                                                .route_count = 2};
    struct dr_rpc_server *server = NULL;
    struct dr_err err = {0};
    char byte;
    if (dr_rpc_server_open(&config, &server, &err) != DR_OK) {
        die("listen", &err);
    }
    dprintf(answers, "%u\n", dr_rpc_server_port(server));
    struct pollfd fds[2] = {{.fd = dr_rpc_server_fd(server), .events = POLLIN},
                            {.fd = control, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0) {
        if (fds[1].revents != 0) {
            struct dr_rpc_server_stats stats;
            if (read(control, &byte, 1) <= 0) {
                break;
            }
            dr_rpc_server_stats(server, &stats);
            dprintf(answers, "%ld %u\n", rss_kib(), stats.open_calls);
        }
        dr_rpc_server_step(server);
    }
    _exit(0);
}

// -------------------------------------------------------------------------------------------------
// client

struct load {
    struct dr_rpc_client *client;
    Drover__V1__Document request;
    uint64_t done, failed;
    int64_t until_ms;
};

static void on_reply(void *user, const ProtobufCMessage *reply, const struct dr_err *err);

static void
start_one(struct load *load)
{
    if (dr_rpc_client_start(load->client, DR_METHOD_DOCUMENTS_PUT, &load->request.base, 60000, NULL,
                            on_reply, load, NULL, NULL) != DR_OK) {
        die("start", NULL);
    }
}

static void
on_reply(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct load *load = user;
    load->done++;
    load->failed += reply == NULL || err->rc != DR_OK;
    if (dr_monotonic_ms() < load->until_ms) {
        start_one(load);
    }
}

static struct dr_rpc_client *
connect_to(unsigned port, const struct dr_noise_pair *server, const struct dr_noise_pair *self)
{
    char url[64];
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    const struct dr_rpc_client_config config = {.url = url,
                                                .server_key = server->public,
                                                .secret_key = self->secret,
                                                .is_persistent = true};
    if (dr_rpc_client_open(&config, &client, &err) != DR_OK) {
        die("client", &err);
    }
    return client;
}

static void
step(struct dr_rpc_client *client)
{
    struct pollfd fd = {.fd = dr_rpc_client_fd(client), .events = POLLIN};
    (void)poll(&fd, 1, 100);
    dr_rpc_client_step(client);
}

static void
run_unary(unsigned port, const struct dr_noise_pair *server, unsigned in_flight, unsigned seconds)
{
    struct dr_noise_pair self;
    static uint8_t body[BODY_BYTES];
    struct load load = {0};
    make_pair(&self);
    load.client = connect_to(port, server, &self);
    drover__v1__document__init(&load.request);
    load.request.envelope.data = body;
    load.request.envelope.len = sizeof body;
    while (!dr_rpc_client_is_up(load.client)) {
        step(load.client);
    }
    int64_t from_ms = dr_monotonic_ms();
    load.until_ms = from_ms + (int64_t)seconds * 1000;
    for (unsigned i = 0; i < in_flight; i++) {
        start_one(&load);
    }
    while (dr_monotonic_ms() < load.until_ms) {
        step(load.client);
    }
    double took_s = (double)(dr_monotonic_ms() - from_ms) / 1000;
    printf("%.0f\n", (double)load.done / took_s);
    if (load.failed > 0) {
        die("calls failed", NULL);
    }
    dr_rpc_client_close(&load.client);
}

static long
ask_rss(int control, FILE *answers, unsigned *out_open)
{
    char line[64];
    long kib = -1;
    if (write(control, "x", 1) != 1 || fgets(line, sizeof line, answers) == NULL ||
        sscanf(line, "%ld %u", &kib, out_open) != 2) {
        die("the server has gone", NULL);
    }
    return kib;
}

// An agent by hand: a whole client has threads of its own. Returns its socket.
static int
join_by_hand(unsigned port, const struct dr_noise_pair *server, const struct dr_noise_pair *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct dr_noise noise;
    struct dr_noise_cipher to_server, from_server;
    struct dr_err err = {0};
    uint8_t hello[2 + DR_NOISE_HELLO_BYTES] = {0, DR_NOISE_HELLO_BYTES}, answer[256], *frame_bytes;
    char method[] = "drover.v1.Agent/Watch";
    Drover__V1__Frame frame;
    size_t len;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    dr_noise_init(&noise, true, DR_NOISE_PROLOGUE, sizeof DR_NOISE_PROLOGUE - 1, self,
                  server->public, NULL);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        dr_noise_write(&noise, NULL, 0, hello + 2, sizeof hello - 2, &len, &err) != DR_OK ||
        !dr_fd_write_all(fd, hello, sizeof hello) || !dr_fd_read_all(fd, answer, 2) ||
        !dr_fd_read_all(fd, answer + 2, answer[1]) ||
        dr_noise_read(&noise, answer + 2, answer[1], answer + 128, 64, &len, &err) != DR_OK ||
        dr_noise_split(&noise, &to_server, &from_server, &err) != DR_OK) {
        die("an agent could not join", &err);
    }
    drover__v1__frame__init(&frame);
    frame.call_id = 1;
    frame.kind = DROVER__V1__FRAME_KIND__REQUEST;
    frame.method = method;
    if (dr_frame_seal(&to_server, &frame, &frame_bytes, &len, &err) != DR_OK ||
        !dr_fd_write_all(fd, frame_bytes, len)) {
        die("an agent could not watch", &err);
    }
    free(frame_bytes);
    return fd;
}

static void
run_agents(unsigned port, const struct dr_noise_pair *server, unsigned count, int control,
           FILE *answers)
{
    struct dr_noise_pair self;
    unsigned open = 0;
    make_pair(&self);
    int warm = join_by_hand(port, server, &self);
    long before_kib = ask_rss(control, answers, &open);
    int64_t from_ms = dr_monotonic_ms();
    for (unsigned i = 0; i < count; i++) {
        (void)join_by_hand(port, server, &self); // stays open until the end of the program
    }
    long after_kib = 0;
    for (open = 0; open < count + 1;) {
        after_kib = ask_rss(control, answers, &open);
    }
    printf("%.2f %.2f\n", (double)(after_kib - before_kib) / count,
           (double)(dr_monotonic_ms() - from_ms) / 1000);
    close(warm);
}

int
main(int argc, char **argv)
{
    int control[2], answers[2];
    char line[64];
    struct dr_noise_pair server;
    struct rlimit files;
    uint64_t a = 0, b = 0;
    bool is_unary = argc == 4 && strcmp(argv[1], "unary") == 0 &&
                    dr_parse_u64(argv[2], 1, 200, &a) && dr_parse_u64(argv[3], 1, 60, &b);
    bool is_agents =
        argc == 3 && strcmp(argv[1], "agents") == 0 && dr_parse_u64(argv[2], 1, AGENTS_MAX, &a);
    if ((!is_unary && !is_agents) || pipe(control) != 0 || pipe(answers) != 0) {
        fprintf(stderr, "usage: rpc_bench unary IN_FLIGHT SECONDS | rpc_bench agents COUNT\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    make_pair(&server);
    pid_t child = fork();
    if (child == 0) {
        close(control[1]);
        serve(&server, control[0], answers[1]);
    }
    close(control[0]);
    FILE *from_server = fdopen(answers[0], "r");
    unsigned port = 0;
    if (from_server == NULL || fgets(line, sizeof line, from_server) == NULL ||
        sscanf(line, "%u", &port) != 1) {
        die("the server did not start", NULL);
    }
    if (is_unary) {
        run_unary(port, &server, (unsigned)a, (unsigned)b);
    } else {
        run_agents(port, &server, (unsigned)a, control[1], from_server);
    }
    close(control[1]);
    fclose(from_server);
    (void)waitpid(child, NULL, 0);
    return 0;
}
