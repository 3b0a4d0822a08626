// A small coordinator for tests of the real agent: three people, one environment, one target, a
// plan that is true, an RPC server in this process, and helpers that push, wait for attestations
// and sign. It may lie where a test wants it to. Included once per test program.
#ifndef DR_TESTS_AGENT_COORDINATOR_H
#define DR_TESTS_AGENT_COORDINATOR_H

#include "base/clock.h"
#include "base/file.h"
#include "db/sqlite.h"
#include "rpc/server.h"
#include "support/engine_plans.h"
#include "support/pgcluster.h"
#include "support/test_tmp.h"
#include "trust/approval.h"
#include "trust/attest.h"
#include "trust/chain.h"
#include "trust/envelope.h"
#include "trust/fleet.h"
#include "trust/keyfile.h"
#include "trust/root.h"
#include "trust/strict.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define C_PEOPLE      3
#define C_PUSHES      32u
#define C_SEEN        256u
#define C_PATIENCE_MS 30000
#define C_STEP_MS     20
#define C_TARGET      "production/app"
#define C_AGENT       "db7"
#define KIND_OF(name) DROVER__V1__ATTESTATION_KIND__##name

struct coord {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_err err;
    Drover__V1__Engine engine;
    char url[600];
    struct dr_key person[C_PEOPLE], server_key;
    struct dr_public agent_key;
    struct tp_plan *plan;
    struct dr_bytes plan_bytes;
    // signed documents
    struct dr_bytes root_wire, fleet_wire, chain_wire;
    struct dr_root root;
    struct dr_fleet fleet;
    struct dr_bytes *leaves;
    struct dr_fleet_entry *entries;
    size_t n_entries;
    uint64_t chain_version;
    size_t withdrawn; // 1 + index of a revision that the next chain withdraws; 0: none
    bool prove;
    bool with_backup_gate;
    // the server
    struct dr_rpc_server *server;
    uint16_t port;
    struct dr_call *watch;
    uint64_t after_seq, next_seq;
    struct {
        uint64_t seq;
        uint8_t id[16];
        Drover__V1__PushKind kind;
        struct dr_bytes body;
        bool is_acked, is_sent;
    } push[C_PUSHES];
    size_t n_push;
    struct dr_bytes seen[C_SEEN]; // envelopes of attestations, in order
    size_t n_seen, n_taken;
    unsigned progress, blobs_asked;
    bool lies_about_blobs, refuses_attestations;
    // the agent
    pid_t agent;
};

#define C_OK(c, call)                                                                              \
    do {                                                                                           \
        enum dr_rc c_rc = (call);                                                                  \
        if (c_rc != DR_OK) {                                                                       \
            fail_msg("%s: %s: %s", #call, dr_rc_name(c_rc), (c)->err.message);                     \
        }                                                                                          \
    } while (0)

static struct dr_bytes
c_pack(struct coord *c, const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *bytes = dr_arena_alloc(c->arena, len + 1);
    assert_non_null(bytes);
    (void)protobuf_c_message_pack(msg, bytes);
    return (struct dr_bytes){.data = bytes, .len = len};
}

static char *
c_text(struct coord *c, const char *text)
{
    char *copy = dr_arena_str(c->arena, text);
    assert_non_null(copy);
    return copy;
}

static void *
c_new(struct coord *c, const ProtobufCMessageDescriptor *type)
{
    void *msg = dr_arena_alloc(c->arena, type->sizeof_message);
    assert_non_null(msg);
    protobuf_c_message_init(type, msg);
    return msg;
}

static ProtobufCBinaryData
c_data(struct coord *c, const uint8_t *bytes, size_t len)
{
    return (ProtobufCBinaryData){.len = len, .data = dr_arena_copy(c->arena, bytes, len)};
}

// Signed by the first `n` people.
static struct dr_bytes
c_sign(struct coord *c, const char *type, struct dr_bytes payload, size_t n)
{
    struct dr_bytes wire = {0};
    C_OK(c, dr_envelope_build(c->arena, type, payload, NULL, 0, &wire, &c->err));
    for (size_t i = 0; i < n; i++) {
        struct dr_envelope envelope;
        C_OK(c, dr_envelope_parse(wire, type, &envelope, &c->err));
        C_OK(c, dr_envelope_add(c->arena, &envelope, &c->person[i], &wire, &c->err));
    }
    return wire;
}

// ------------------------------------------------------------------------------- documents

static Drover__V1__Role *
c_role(struct coord *c, uint32_t threshold)
{
    Drover__V1__Role *role = c_new(c, &drover__v1__role__descriptor);
    role->people = dr_arena_array(c->arena, C_PEOPLE, sizeof *role->people);
    for (uint32_t i = 0; i < C_PEOPLE; i++) {
        role->people[i] = i;
    }
    role->n_people = C_PEOPLE;
    role->threshold = threshold;
    return role;
}

static const uint8_t C_CLUSTER[16] = "a test cluster.";

static void
c_make_root(struct coord *c)
{
    static const char *const NAMES[C_PEOPLE] = {"alice", "bob", "carol"};
    Drover__V1__Root *root = c_new(c, &drover__v1__root__descriptor);
    root->cluster_id = c_data(c, C_CLUSTER, 16);
    root->version = 1;
    root->issued = dr_now_unix_s() - 100;
    root->expires = dr_now_unix_s() + 86400;
    root->people = dr_arena_array(c->arena, C_PEOPLE, sizeof *root->people);
    for (size_t i = 0; i < C_PEOPLE; i++) {
        C_OK(c, dr_key_generate(DR_KEY_SIGNING, &c->person[i], &c->err));
        root->people[i] = c_new(c, &drover__v1__person__descriptor);
        root->people[i]->name = c_text(c, NAMES[i]);
        root->people[i]->keys = dr_arena_array(c->arena, 1, sizeof *root->people[i]->keys);
        root->people[i]->keys[0] = c_new(c, &drover__v1__person_key__descriptor);
        root->people[i]->keys[0]->kind = DROVER__V1__KEY_KIND__KEY_FILE;
        root->people[i]->keys[0]->public_key = c_data(c, c->person[i].public_key, 32);
        root->people[i]->n_keys = 1;
    }
    root->n_people = C_PEOPLE;
    root->root = c_role(c, 2);
    root->fleet = c_role(c, 2);
    root->reviewers = c_role(c, 2);
    root->approvers = dr_arena_array(c->arena, 1, sizeof *root->approvers);
    root->approvers[0] = c_new(c, &drover__v1__environment_role__descriptor);
    root->approvers[0]->environment = c_text(c, "production");
    root->approvers[0]->role = c_role(c, 2);
    root->n_approvers = 1;
    c->root_wire = c_sign(c, DR_TYPE_ROOT, c_pack(c, &root->base), 2);
    C_OK(c, dr_root_first(c->arena, c->root_wire, NULL, &c->root, &c->err));
}

static Drover__V1__FleetEntry *
c_target_entry(struct coord *c)
{
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Target *target = c_new(c, &drover__v1__target__descriptor);
    entry->target = target;
    target->name = c_text(c, C_TARGET);
    target->environment = c_text(c, "production");
    target->engine = c->engine;
    target->agent = c_text(c, C_AGENT);
    target->agent_signing_key = c_data(c, c->agent_key.signing, 32);
    target->agent_transport_key = c_data(c, c->agent_key.transport, 32);
    target->state = DROVER__V1__TARGET_STATE__ACTIVE;
    return entry;
}

static Drover__V1__FleetEntry *
c_policy_entry(struct coord *c)
{
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Environment *policy = c_new(c, &drover__v1__environment__descriptor);
    entry->environment = policy;
    policy->name = c_text(c, "production");
    policy->rank = 1;
    policy->prove = c->prove;
    policy->approval_max_s = 3600;
    if (c->with_backup_gate) {
        policy->gates = dr_arena_array(c->arena, 1, sizeof *policy->gates);
        policy->gates[0] = c_new(c, &drover__v1__gate__descriptor);
        policy->gates[0]->kind = DROVER__V1__GATE_KIND__GATE_BACKUP;
        policy->gates[0]->max_age_s = 3600;
        policy->gates[0]->restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
        policy->n_gates = 1;
    }
    return entry;
}

static void
c_make_fleet(struct coord *c)
{
    Drover__V1__Fleet header = DROVER__V1__FLEET__INIT;
    Drover__V1__FleetEntry **entries = dr_arena_array(c->arena, 2, sizeof *entries);
    struct dr_bytes payload = {0};
    header.cluster_id = c_data(c, C_CLUSTER, 16);
    header.version = 1;
    header.issued = dr_now_unix_s() - 50;
    header.expires = dr_now_unix_s() + 86400;
    header.coordinator_key = c_data(c, c->server_key.public_key, 32);
    entries[0] = c_target_entry(c);
    entries[1] = c_policy_entry(c);
    c->n_entries = 2;
    C_OK(c, dr_fleet_draft(c->arena, header, entries, 2, &payload, &c->leaves, &c->err));
    c->fleet_wire = c_sign(c, DR_TYPE_FLEET, payload, 2);
    C_OK(c, dr_fleet_load(c->arena, &c->root, c->fleet_wire, &c->fleet, &c->err));
    C_OK(c, dr_fleet_entries_check(c->arena, &c->fleet, c->leaves, 2, &c->entries, &c->err));
}

static void
c_make_chain(struct coord *c)
{
    Drover__V1__Chain *chain = c_new(c, &drover__v1__chain__descriptor);
    const Drover__V1__Plan *plan = c->plan->plan;
    chain->cluster_id = c_data(c, C_CLUSTER, 16);
    chain->version = ++c->chain_version;
    chain->issued = dr_now_unix_s() - 40;
    chain->project = c_text(c, plan->project);
    chain->entries = dr_arena_array(c->arena, plan->n_revisions + 1, sizeof *chain->entries);
    for (size_t i = 0; i < plan->n_revisions; i++) {
        Drover__V1__ChainEntry *entry = c_new(c, &drover__v1__chain_entry__descriptor);
        entry->action = DROVER__V1__CHAIN_ACTION__ADD;
        entry->revision_id = plan->revisions[i]->id;
        entry->digest = plan->revisions[i]->digest;
        entry->parents = plan->revisions[i]->parents;
        entry->n_parents = plan->revisions[i]->n_parents;
        entry->author = c_text(c, "carol");
        chain->entries[chain->n_entries++] = entry;
    }
    if (c->withdrawn > 0) {
        Drover__V1__ChainEntry *entry = c_new(c, &drover__v1__chain_entry__descriptor);
        entry->action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
        entry->revision_id = plan->revisions[c->withdrawn - 1]->id;
        entry->digest = plan->revisions[c->withdrawn - 1]->digest;
        entry->reason = c_text(c, "it was wrong");
        chain->entries[chain->n_entries++] = entry;
    }
    c->chain_wire = c_sign(c, DR_TYPE_CHAIN, c_pack(c, &chain->base), 2);
}

static Drover__V1__TrustUpdate *
c_trust(struct coord *c)
{
    Drover__V1__TrustUpdate *update = c_new(c, &drover__v1__trust_update__descriptor);
    struct dr_merkle_tree tree;
    C_OK(c, dr_merkle_build(c->arena, c->leaves, c->n_entries, &tree, &c->err));
    update->fleet = c_data(c, c->fleet_wire.data, c->fleet_wire.len);
    update->chain = c_data(c, c->chain_wire.data, c->chain_wire.len);
    update->entries = dr_arena_array(c->arena, c->n_entries, sizeof *update->entries);
    for (size_t i = 0; i < c->n_entries; i++) {
        C_OK(c, dr_proven_make(c->arena, &tree, c->leaves[i], i, &update->entries[i], &c->err));
    }
    update->n_entries = c->n_entries;
    return update;
}

// ---------------------------------------------------------------------------------- server

static void
c_lookup(void *user, const uint8_t key[32], struct dr_caller *out)
{
    struct coord *c = user;
    if (memcmp(key, c->agent_key.transport, 32) == 0) {
        out->kind = DR_CALLER_AGENT;
        (void)snprintf(out->name, sizeof out->name, "%s", C_AGENT);
    }
}

static void
c_gone(struct dr_call *call, void *user)
{
    struct coord *c = user;
    if (c->watch == call) {
        c->watch = NULL;
    }
}

static void
c_pump(struct coord *c)
{
    for (size_t i = 0; c->watch != NULL && i < c->n_push; i++) {
        if (!c->push[i].is_acked && !c->push[i].is_sent) {
            Drover__V1__Push push = DROVER__V1__PUSH__INIT;
            push.seq = c->push[i].seq;
            push.kind = c->push[i].kind;
            push.body = dr_data(c->push[i].body.data, c->push[i].body.len);
            push.id = dr_data(c->push[i].id, 16);
            c->push[i].is_sent = true;
            C_OK(c, dr_call_send(c->watch, &push.base, &c->err));
        }
    }
}

static void
c_on_watch(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    c->after_seq = ((const Drover__V1__AgentHello *)request)->after_seq;
    c->watch = call;
    dr_call_on_gone(call, c_gone, c);
    for (size_t i = 0; i < c->n_push; i++) {
        c->push[i].is_sent = false;
    }
}

static void
c_on_ack(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    for (size_t i = 0; i < c->n_push; i++) {
        if (c->push[i].seq == ((const Drover__V1__AckRequest *)request)->seq) {
            c->push[i].is_acked = true;
        }
    }
    dr_call_reply(call, &reply.base);
}

static void
c_on_attest(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    const Drover__V1__Document *document = (const Drover__V1__Document *)request;
    Drover__V1__AttestReply reply = DROVER__V1__ATTEST_REPLY__INIT;
    struct dr_err err = {0};
    if (c->refuses_attestations) {
        (void)dr_err_set(&err, DR_E_INTERNAL, "not today");
        dr_call_fail(call, &err);
        return;
    }
    for (size_t i = 0; i < c->n_seen; i++) {
        bool is_same = c->seen[i].len == document->envelope.len &&
                       memcmp(c->seen[i].data, document->envelope.data, c->seen[i].len) == 0;
        if (is_same) {
            dr_call_reply(call, &reply.base);
            return;
        }
    }
    assert_true(c->n_seen < C_SEEN);
    c->seen[c->n_seen++] = (struct dr_bytes){
        .data = dr_arena_copy(c->arena, document->envelope.data, document->envelope.len),
        .len = document->envelope.len};
    reply.is_new = true;
    dr_call_reply(call, &reply.base);
}

static void
c_on_report(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    (void)request;
    c->progress++;
    dr_call_reply(call, &reply.base);
}

static struct dr_bytes
c_find_blob(struct coord *c, const uint8_t sha256[32])
{
    if (memcmp(sha256, c->plan->sha256, 32) == 0) {
        return c->plan_bytes;
    }
    for (size_t i = 0; i < c->plan->plan->n_revisions; i++) {
        if (dr_data_is(c->plan->plan->revisions[i]->file_sha256, sha256)) {
            return (struct dr_bytes){.data = (const uint8_t *)c->plan->files[i],
                                     .len = c->plan->sizes[i]};
        }
    }
    return (struct dr_bytes){0};
}

static void
c_on_blob(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    const Drover__V1__GetBlobRequest *asked = (const Drover__V1__GetBlobRequest *)request;
    Drover__V1__GetBlobReply reply = DROVER__V1__GET_BLOB_REPLY__INIT;
    struct dr_bytes blob =
        asked->sha256.len == 32 ? c_find_blob(c, asked->sha256.data) : (struct dr_bytes){0};
    struct dr_err err = {0};
    const uint64_t piece = 64; // small, so that there are several
    c->blobs_asked++;
    if (blob.len == 0 || asked->offset >= blob.len) {
        (void)dr_err_set(&err, DR_E_NOT_FOUND, "there is no such blob");
        dr_call_fail(call, &err);
        return;
    }
    uint8_t *copy = dr_arena_copy(c->arena, blob.data, blob.len);
    if (c->lies_about_blobs) {
        copy[blob.len / 2] ^= 1;
    }
    reply.total = blob.len;
    reply.bytes.data = copy + asked->offset;
    reply.bytes.len = blob.len - asked->offset < piece ? blob.len - asked->offset : piece;
    dr_call_reply(call, &reply.base);
}

static const struct dr_rpc_route C_ROUTES[] = {
    {DR_METHOD_AGENT_WATCH, c_on_watch},       {DR_METHOD_AGENT_ACK, c_on_ack},
    {DR_METHOD_AGENT_ATTEST, c_on_attest},     {DR_METHOD_AGENT_REPORT, c_on_report},
    {DR_METHOD_DOCUMENTS_GET_BLOB, c_on_blob},
};

static void
c_serve(struct coord *c)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u", c->port);
    const struct dr_rpc_server_config config = {
        .url = url,
        .secret_key = dr_secret_bytes(c->server_key.secret),
        .cluster_id = C_CLUSTER,
        .lookup = c_lookup,
        .routes = C_ROUTES,
        .route_count = DR_COUNT_OF(C_ROUTES),
        .user = c,
    };
    C_OK(c, dr_rpc_server_open(&config, &c->server, &c->err));
    c->port = dr_rpc_server_port(c->server);
}

// One turn of the server.
static void
c_turn(struct coord *c)
{
    if (c->server == NULL) {
        (void)poll(NULL, 0, C_STEP_MS);
        return;
    }
    c_pump(c);
    struct pollfd fd = {.fd = dr_rpc_server_fd(c->server), .events = POLLIN};
    (void)poll(&fd, 1, C_STEP_MS);
    dr_rpc_server_step(c->server);
}

// Waits for a condition in terms of `c`, serving meanwhile.
#define C_UNTIL(c, condition)                                                                      \
    do {                                                                                           \
        int64_t c_deadline = dr_monotonic_ms() + C_PATIENCE_MS;                                    \
        while (!(condition)) {                                                                     \
            if (dr_monotonic_ms() > c_deadline) {                                                  \
                fail_msg("waited in vain for: %s", #condition);                                    \
            }                                                                                      \
            c_turn(c);                                                                             \
        }                                                                                          \
    } while (0)

// -------------------------------------------------------------------------------- the agent

static void
c_configure(struct coord *c)
{
    char path[PATH_MAX];
    struct dr_buf text = {0};
    char hex[65];
    dr_hex(hex, c->server_key.public_key, 32);
    dr_buf_printf(
        &text,
        "agent = \"%s\"\nenvironment = \"production\"\ncoordinator = \"tcp://127.0.0.1:%u\"\n"
        "coordinator_key = \"%s\"\nroot = \"root.drv\"\n",
        C_AGENT, c->port, hex);
    dr_hex(hex, c->root.file_sha256, 32);
    dr_buf_printf(
        &text, "root_sha256 = \"%s\"\nstate = \"state\"\nlog = \"debug\"\nlog_format = \"text\"\n",
        hex);
    dr_buf_printf(&text, "target \"%s\" { url = \"%s\" }\n", C_TARGET, c->url);
    (void)dr_tmp_file(&c->tmp, "agent.conf", text.data, 0600, path);
    dr_buf_fini(&text);
    C_OK(c, dr_file_write(dr_tmp_path(&c->tmp, "root.drv", path), c->root_wire.data,
                          c->root_wire.len, 0644, &c->err));
}

static const char *
c_agent_path(void)
{
    static char path[PATH_MAX];
    const char *build = getenv("DROVER_BUILD");
    (void)snprintf(path, sizeof path, "%s/drover-agent", build == NULL ? "." : build);
    return path;
}

// Runs `drover-agent ARG...` to its end; standard output goes to "out" in the folder. Returns the
// exit code.
static int
c_command(struct coord *c, const char *const *args)
{
    char out[PATH_MAX];
    (void)dr_tmp_path(&c->tmp, "out", out);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[16] = {c_agent_path()};
        int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        for (size_t i = 0; args[i] != NULL && i < 14; i++) {
            argv[i + 1] = args[i];
        }
        union {
            const char **in;
            char *const *out;
        } lend = {.in = argv};
        (void)execv(argv[0], lend.out);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *
c_output(struct coord *c)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    C_OK(c, dr_file_read(dr_tmp_path(&c->tmp, "out", path), 1u << 20, &text, &len, &c->err));
    char *copy = dr_arena_strn(c->arena, text, len);
    free(text);
    return copy;
}

// Starts the agent with `failpoint` in its environment (NULL: none) and waits until it says that it
// is ready.
static void
c_start_agent(struct coord *c, const char *failpoint)
{
    char conf[PATH_MAX];
    char log[PATH_MAX];
    int fds[2];
    (void)dr_tmp_path(&c->tmp, "agent.conf", conf);
    (void)dr_tmp_path(&c->tmp, "agent.log", log);
    assert_int_equal(pipe(fds), 0);
    c->agent = fork();
    if (c->agent == 0) {
        char number[16];
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)dup2(fd, STDERR_FILENO);
        (void)dup2(fd, STDOUT_FILENO);
        (void)close(fds[0]);
        (void)snprintf(number, sizeof number, "%d", fds[1]);
        if (failpoint != NULL) {
            (void)setenv("DROVER_FAILPOINT", failpoint, 1);
        }
        (void)execl(c_agent_path(), "drover-agent", "--config", conf, "--ready-fd", number,
                    (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    char line[8] = "";
    ssize_t n = 0;
    struct pollfd fd = {.fd = fds[0], .events = POLLIN};
    if (poll(&fd, 1, C_PATIENCE_MS) == 1) {
        n = read(fds[0], line, sizeof line - 1);
    }
    (void)close(fds[0]);
    if (n != 6) {
        fail_msg("the agent did not start");
    }
}

// The end of the agent by `sig`; gives its status.
static int
c_stop_agent(struct coord *c, int sig)
{
    int status = 0;
    if (c->agent > 0) {
        (void)kill(c->agent, sig);
        while (waitpid(c->agent, &status, WNOHANG) == 0) {
            c_turn(c);
        }
        c->agent = 0;
    }
    return status;
}

// The child of the agent whose command line holds `word`; 0: none.
static pid_t
c_child(const struct coord *c, const char *word)
{
    char path[64];
    char text[65536];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)c->agent, (int)c->agent);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n < 0 ? 0 : n] = '\0';
    for (char *at = text; *at != '\0';) {
        char *end = at;
        long pid = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        at = end;
        char line[256] = "";
        (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
        fd = open(path, O_RDONLY);
        n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
        (void)close(fd);
        for (ssize_t i = 0; i < n; i++) {
            line[i] = line[i] == '\0' ? ' ' : line[i];
        }
        if (n > 0 && strstr(line, word) != NULL) {
            return (pid_t)pid;
        }
    }
    return 0;
}

// ------------------------------------------------------------------------- start and end

static void
c_read_agent_key(struct coord *c)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    const char *const args[] = {"key", "new", "--dir", c->tmp.path, "--name", C_AGENT, NULL};
    assert_int_equal(c_command(c, args), 0);
    C_OK(c, dr_file_read(dr_tmp_path(&c->tmp, "agent.pub", path), 4096, &text, &len, &c->err));
    C_OK(c, dr_public_parse(text, &c->agent_key, &c->err));
    free(text);
}

static void
c_make_database(struct coord *c)
{
    if (c->engine == DROVER__V1__ENGINE__POSTGRESQL) {
        (void)snprintf(c->url, sizeof c->url, "%s",
                       dr_pgcluster_new_database(dr_pgcluster_shared()));
        return;
    }
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.create = true};
    C_OK(c, dr_sqlite_open(dr_tmp_path(&c->tmp, "app.db", path), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, "CREATE TABLE before(id INTEGER)", &c->err));
    dr_sqlite_close(&db);
    (void)snprintf(c->url, sizeof c->url, "sqlite:%.500s", path);
}

static void
c_begin(struct coord *c, Drover__V1__Engine engine, const struct tp_revision *revisions, size_t n)
{
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // the agent turns tracing of itself off
    dr_tmp_init(&c->tmp);
    c->arena = dr_arena_new(256u << 20);
    c->engine = engine;
    c->plan = tp_make(engine, revisions, n);
    c->plan_bytes = c_pack(c, &c->plan->plan->base);
    C_OK(c, dr_key_generate(DR_KEY_TRANSPORT, &c->server_key, &c->err));
    c_read_agent_key(c);
    c_make_database(c);
    c_serve(c);
    c_make_root(c);
    c_make_fleet(c);
    c_make_chain(c);
    c_configure(c);
}

static void
c_end(struct coord *c)
{
    (void)c_stop_agent(c, SIGKILL);
    dr_rpc_server_close(&c->server);
    for (size_t i = 0; i < C_PEOPLE; i++) {
        dr_key_fini(&c->person[i]);
    }
    dr_key_fini(&c->server_key);
    tp_free(c->plan);
    dr_arena_free(&c->arena);
    dr_tmp_fini(&c->tmp);
}

// ------------------------------------------------------------------------------------ pushes

static uint64_t
c_push(struct coord *c, Drover__V1__PushKind kind, const ProtobufCMessage *msg)
{
    assert_true(c->n_push < C_PUSHES);
    size_t i = c->n_push++;
    c->push[i].seq = ++c->next_seq;
    c->push[i].kind = kind;
    c->push[i].body = c_pack(c, msg);
    dr_random(c->push[i].id, 16);
    return c->push[i].seq;
}

static void
c_push_trust(struct coord *c)
{
    (void)c_push(c, DROVER__V1__PUSH_KIND__PUSH_TRUST, &c_trust(c)->base);
}

static void
c_push_prepare(struct coord *c, Drover__V1__Mode mode)
{
    Drover__V1__Prepare *prepare = c_new(c, &drover__v1__prepare__descriptor);
    prepare->rollout = c_text(c, "R-1");
    prepare->target = c_text(c, C_TARGET);
    prepare->plan_sha256 = c_data(c, c->plan->sha256, 32);
    prepare->mode = mode;
    prepare->with_backup = c->with_backup_gate;
    (void)c_push(c, DROVER__V1__PUSH_KIND__PUSH_PREPARE, &prepare->base);
}

static void
c_push_order(struct coord *c, const char *order)
{
    Drover__V1__Order *msg = c_new(c, &drover__v1__order__descriptor);
    msg->rollout = c_text(c, "R-1");
    msg->target = c_text(c, C_TARGET);
    msg->order = c_text(c, order);
    (void)c_push(c, DROVER__V1__PUSH_KIND__PUSH_ORDER, &msg->base);
}

// The next attestation that was not looked at yet; it must verify under the fleet and follow the
// one before.
static struct dr_attestation
c_next(struct coord *c)
{
    struct dr_attestation one = {0};
    C_UNTIL(c, c->n_taken < c->n_seen);
    struct dr_bytes wire = c->seen[c->n_taken++];
    C_OK(c, dr_attest_load(c->arena, &c->fleet, c->entries, c->n_entries, wire, &one, &c->err));
    return one;
}

// The next of that kind; STATEs on the way are skipped, anything else fails the test.
static struct dr_attestation
c_expect(struct coord *c, Drover__V1__AttestationKind kind)
{
    for (;;) {
        struct dr_attestation one = c_next(c);
        if (one.msg->kind == kind) {
            return one;
        }
        if (one.msg->kind != KIND_OF(STATE)) {
            fail_msg("attestation of kind %d came, not %d: %s %s", (int)one.msg->kind, (int)kind,
                     one.msg->code, one.msg->detail);
        }
    }
}

struct c_approve {
    Drover__V1__Mode mode;
    Drover__V1__OnFailure on_failure;
    size_t people;
    int64_t expires_in_s; // 0: an hour
    uint32_t acknowledged;
    const uint8_t *ready_sha256; // another READY than the one given
};

static Drover__V1__Bundle *
c_bundle(struct coord *c, const struct dr_attestation *ready, const struct c_approve *how)
{
    struct dr_approval_request request = {.header = DROVER__V1__APPROVAL__INIT};
    struct dr_approval_target target = {
        .target = C_TARGET, .wave = 1, .acknowledged_flags = how->acknowledged};
    struct dr_bytes payload = {0};
    struct dr_bytes *leaves = NULL;
    struct dr_merkle_tree tree;
    uint8_t(*evidence)[32] = dr_arena_array(c->arena, 1, 32);
    Drover__V1__Bundle *bundle = c_new(c, &drover__v1__bundle__descriptor);
    memcpy(target.entry_sha256, dr_fleet_target(c->entries, c->n_entries, C_TARGET)->sha256, 32);
    memcpy(target.ready_sha256, how->ready_sha256 == NULL ? ready->sha256 : how->ready_sha256, 32);
    request.header.cluster_id = c_data(c, C_CLUSTER, 16);
    request.header.plan_sha256 = c_data(c, c->plan->sha256, 32);
    request.header.mode = how->mode;
    request.header.on_failure = how->on_failure == DROVER__V1__ON_FAILURE__ON_FAILURE_NONE
                                    ? DROVER__V1__ON_FAILURE__HOLD
                                    : how->on_failure;
    request.header.environment = c_text(c, "production");
    request.header.policy_sha256 =
        c_data(c, dr_fleet_environment(c->entries, c->n_entries, "production")->sha256, 32);
    request.header.not_before = dr_now_unix_s() - 10;
    request.header.expires = dr_now_unix_s() + (how->expires_in_s == 0 ? 3000 : how->expires_in_s);
    request.header.rollout = c_text(c, "R-1");
    request.targets = &target;
    request.n_targets = 1;
    request.evidence = evidence;
    C_OK(c, dr_approval_draft(c->arena, &request, &payload, &leaves, &c->err));
    C_OK(c, dr_merkle_build(c->arena, leaves, 1, &tree, &c->err));
    bundle->rollout = request.header.rollout;
    bundle->target = c_text(c, C_TARGET);
    bundle->trust = c_trust(c);
    struct dr_bytes wire = c_sign(c, DR_TYPE_APPROVAL, payload, how->people);
    bundle->approval = dr_data(wire.data, wire.len);
    C_OK(c, dr_proven_make(c->arena, &tree, leaves[0], 0, &bundle->leaf, &c->err));
    return bundle;
}

static void
c_push_bundle(struct coord *c, const struct dr_attestation *ready, const struct c_approve *how)
{
    (void)c_push(c, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, &c_bundle(c, ready, how)->base);
}

// Trust and PREPARE, then the READY (and the BACKUP before it, if the policy asks).
static struct dr_attestation
c_prepare(struct coord *c, Drover__V1__Mode mode)
{
    c_push_trust(c);
    c_push_prepare(c, mode);
    if (c->with_backup_gate) {
        struct dr_attestation backup = c_expect(c, KIND_OF(BACKUP));
        assert_int_equal(backup.msg->backup->restore_level, DROVER__V1__RESTORE_LEVEL__LISTED);
        assert_true(backup.msg->backup->size_bytes > 0);
    }
    return c_expect(c, KIND_OF(READY));
}

// ---------------------------------------------------------------------------------- database

// Does the target have a table of that name?
static bool
c_has_table(struct coord *c, const char *table)
{
    char sql[256];
    if (c->engine == DROVER__V1__ENGINE__POSTGRESQL) {
        (void)snprintf(sql, sizeof sql, "SELECT to_regclass('public.%s') IS NOT NULL", table);
        return dr_pgcluster_ask(dr_pgcluster_shared(), c->url, sql)[0] == 't';
    }
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.read_only = true};
    int64_t count = 0;
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'", table);
    C_OK(c, dr_sqlite_open(c->url + strlen("sqlite:"), &options, &db, &c->err));
    C_OK(c, dr_sqlite_value_int(db, sql, &count, &c->err));
    dr_sqlite_close(&db);
    return count > 0;
}

#endif
