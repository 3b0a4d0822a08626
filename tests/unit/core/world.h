// A coordinator in this process on a thread of its own, over the small world of trust's tests:
// three people and four agents that call it over the wire with real keys. Included by tests of the
// core.
#ifndef DR_TEST_CORE_WORLD_H
#define DR_TEST_CORE_WORLD_H

#include "unit/trust/world.h"

#include "base/clock.h"
#include "base/file.h"
#include "coordinator/core/core.h"
#include "rpc/client.h"
#include "support/test_tmp.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEADLINE_MS 10000u

struct site {
    struct world w; // trust's world: documents and signing keys
    struct dr_tmp tmp;
    struct dr_config config;
    struct dr_key server_key, person_transport[PEOPLE], agent_transport[TARGETS];
    struct dr_core *core;
    unsigned port;
    pid_t droverd; // where it is a process of its own
    pthread_t thread;
    int stop_fd;
    struct dr_rpc_client *person[PEOPLE], *agent[TARGETS];
    struct dr_rpc_stream *watch[TARGETS];
    struct dr_trust_store *agent_trust[TARGETS];
    uint8_t ready_sha[TARGETS][32], applied_sha[TARGETS][32], state_sha[TARGETS][32];
    struct dr_bytes ready_wire[TARGETS], backup_wire[TARGETS];
    Drover__V1__UnitProof **units; // of each APPLIED; NULL: the world's
    size_t n_units;
};

#ifdef SITE_DROVERD // a process of its own, which can be killed: it defines these two
static void site_start(struct site *site);
static void site_stop(struct site *site);
#else
static void *
site_loop(void *user)
{
    struct site *site = user;
    struct pollfd fds[2] = {{.fd = dr_core_fd(site->core), .events = POLLIN},
                            {.fd = site->stop_fd, .events = POLLIN}};

    while ((fds[1].revents & POLLIN) == 0) {
        (void)poll(fds, 2, dr_core_timeout_ms(site->core));
        dr_core_step(site->core);
    }
    return NULL;
}

DR_UNUSED static void
site_start(struct site *site)
{
    OK(&site->w, dr_core_open(&site->config, &site->core, &site->w.err));
    site->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&site->thread, NULL, site_loop, site), 0);
    site->port = (unsigned)dr_core_port(site->core);
}

static void
site_stop(struct site *site)
{
    const uint64_t one = 1;

    assert_int_equal(write(site->stop_fd, &one, sizeof one), sizeof one);
    assert_int_equal(pthread_join(site->thread, NULL), 0);
    close(site->stop_fd);
    dr_core_close(&site->core);
}
#endif

static struct dr_rpc_client *
site_client(struct site *site, const struct dr_key *key)
{
    char url[64];
    struct dr_rpc_client *client = NULL;
    struct dr_rpc_client_config config = {.url = url,
                                          .server_key = site->server_key.public_key,
                                          .cluster_id = site->w.root_msg.cluster_id.data};
    union {
        const struct dr_key *from;
        struct dr_key *to;
    } lent = {key};

    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u", site->port);
    config.secret_key = dr_secret_bytes(lent.to->secret);
    OK(&site->w, dr_rpc_client_open(&config, &client, &site->w.err));
    return client;
}

DR_UNUSED static void
site_connect(struct site *site)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        site->person[i] = site_client(site, &site->person_transport[i]);
    }
    for (size_t i = 0; i < TARGETS; i++) {
        site->agent[i] = site_client(site, &site->agent_transport[i]);
    }
}

static void
site_disconnect(struct site *site)
{
    for (size_t i = 0; i < TARGETS; i++) {
        dr_rpc_stream_close(&site->watch[i]);
        dr_rpc_client_close(&site->agent[i]);
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        dr_rpc_client_close(&site->person[i]);
    }
}

// What a crash and a new start do to the coordinator; agents and people connect again.
DR_UNUSED static void
site_restart(struct site *site)
{
    site_disconnect(site);
    site_stop(site);
    site_start(site);
    site_connect(site);
}

static void
site_keys(struct site *site)
{
    struct world *w = &site->w;

    site->server_key = test_key(w, DR_KEY_TRANSPORT, 60);
    for (size_t i = 0; i < PEOPLE; i++) {
        site->person_transport[i] = test_key(w, DR_KEY_TRANSPORT, (uint8_t)(50 + i));
        w->people[i].transport_key =
            DATA32(dr_arena_copy(w->arena, site->person_transport[i].public_key, 32));
    }
    for (size_t i = 0; i < TARGETS; i++) {
        site->agent_transport[i] = test_key(w, DR_KEY_TRANSPORT, (uint8_t)(40 + i));
    }
}

// Production asks for a backup, staging applied by both, and the sign-off "logs-reviewed".
static void
site_policy(struct world *w)
{
    w->gate[G_STAGED].soak_s = 0;
    w->gate_p[0] = &w->gate[G_BACKUP];
    w->gate_p[1] = &w->gate[G_STAGED];
    w->gate_p[2] = &w->gate[G_SIGNOFF];
    w->gate_p[3] = &w->gate[G_MONITORED];
    w->environment[PRODUCTION].n_gates = 4;
#ifdef SITE_POLICY
    SITE_POLICY(w); // what the test adds
#endif
}

static int
site_setup(void **state)
{
    struct site *site = calloc(1, sizeof *site);
    char path[PATH_MAX];

    assert_non_null(site);
    dr_tmp_init(&site->tmp);
    dr_clock_set_for_test(NOW * 1000);
    world_begin(&site->w);
    site_keys(site);
    site_policy(&site->w);
    world_sign(&site->w);
    OK(&site->w, dr_file_write(dr_tmp_path(&site->tmp, "root", site->config.root),
                               site->w.root.wire.data, site->w.root.wire.len, 0600, &site->w.err));
    OK(&site->w, dr_keyfile_save(dr_tmp_path(&site->tmp, "key", site->config.transport_key),
                                 &site->server_key, NULL, DR_KEY_COST_MIN, "", &site->w.err));
    (void)dr_tmp_path(&site->tmp, "state", site->config.state);
    (void)snprintf(site->config.project, sizeof site->config.project, "shop");
    site->config.tick_ms = 20; // what time brings is not waited for long
    (void)snprintf(site->config.listen, sizeof site->config.listen, "tcp://127.0.0.1:0");
    site_start(site);
    site_connect(site);
    for (size_t i = 0; i < TARGETS; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "agent-%zu", i);
        OK(&site->w, dr_dir_make(dr_tmp_path(&site->tmp, name, path), 0700, &site->w.err));
        OK(&site->w, dr_trust_store_open(path, site->w.root.wire, site->w.root.file_sha256,
                                         &site->agent_trust[i], &site->w.err));
    }
    memset(site->w.counters, 0, sizeof site->w.counters);
    *state = site;
    return 0;
}

static int
site_teardown(void **state)
{
    struct site *site = *state;

    site_disconnect(site);
    site_stop(site);
    for (size_t i = 0; i < TARGETS; i++) {
        dr_trust_store_close(&site->agent_trust[i]);
        dr_key_fini(&site->agent_transport[i]);
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        dr_key_fini(&site->person_transport[i]);
    }
    dr_key_fini(&site->server_key);
    world_end(&site->w);
    dr_clock_set_for_test(-1);
    dr_tmp_fini(&site->tmp);
    free(site);
    return 0;
}

// ---- calls

DR_UNUSED static enum dr_rc
call(struct site *site, struct dr_rpc_client *client, enum dr_method_id method,
     const ProtobufCMessage *request, ProtobufCMessage **out)
{
    memset(&site->w.err, 0, sizeof site->w.err);
    enum dr_rc rc =
        dr_rpc_call(client, method, request, site->w.arena, out, DEADLINE_MS, &site->w.err);
    // What has one of these is not shown to people: they may paste it into a shell.
    assert_null(strpbrk(site->w.err.hint, ";|&$`<>\"\\\n*?~#![]{}%^"));
    return rc;
}

DR_UNUSED static enum dr_rc
put_document(struct site *site, int who, const char *kind, struct dr_bytes wire,
             const struct dr_bytes *parts, size_t n_parts, Drover__V1__PutDocumentReply **out)
{
    Drover__V1__Document request;
    ProtobufCMessage *reply = NULL;
    ProtobufCBinaryData list[64];

    assert_true(n_parts <= 64);
    drover__v1__document__init(&request);
    request.kind = word(&site->w, kind);
    request.envelope = data_of(wire);
    for (size_t i = 0; i < n_parts; i++) {
        list[i] = data_of(parts[i]);
    }
    request.parts = list;
    request.n_parts = n_parts;
    enum dr_rc rc = call(site, site->person[who], DR_METHOD_DOCUMENTS_PUT, &request.base, &reply);
    if (out != NULL) {
        *out = (Drover__V1__PutDocumentReply *)(void *)reply;
    }
    return rc;
}

DR_UNUSED static void
put_blob(struct site *site, const uint8_t sha256[32], struct dr_bytes bytes)
{
    Drover__V1__PutBlobRequest request;
    ProtobufCMessage *reply = NULL;

    drover__v1__put_blob_request__init(&request);
    request.sha256 = dr_data(sha256, 32);
    request.total = bytes.len;
    request.bytes = data_of(bytes);
    OK(&site->w,
       call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT_BLOB, &request.base, &reply));
    assert_true(((Drover__V1__PutBlobReply *)(void *)reply)->complete);
}

DR_UNUSED static enum dr_rc
create_rollout(struct site *site, Drover__V1__Rollout **out)
{
    Drover__V1__CreateRolloutRequest request;
    Drover__V1__EnginePlan plan, *plans[1] = {&plan};
    ProtobufCMessage *reply = NULL;

    drover__v1__create_rollout_request__init(&request);
    drover__v1__engine_plan__init(&plan);
    plan.engine = DROVER__V1__ENGINE__POSTGRESQL;
    plan.plan_sha256 = DATA32(site->w.plan_sha);
    request.plans = plans;
    request.n_plans = 1;
    request.mode = MODE(UP);
    request.from = word(&site->w, "base");
    request.to = word(&site->w, "003_index");
    enum dr_rc rc =
        call(site, site->person[ALICE], DR_METHOD_OPERATOR_CREATE_ROLLOUT, &request.base, &reply);
    if (out != NULL) {
        *out = (Drover__V1__Rollout *)(void *)reply;
    }
    return rc;
}

DR_UNUSED static Drover__V1__Rollout *
get_rollout(struct site *site)
{
    Drover__V1__RolloutId request;
    ProtobufCMessage *reply = NULL;

    drover__v1__rollout_id__init(&request);
    request.id = word(&site->w, "R-1");
    OK(&site->w,
       call(site, site->person[BOB], DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base, &reply));
    return (Drover__V1__Rollout *)(void *)reply;
}

DR_UNUSED static const char *
state_of(struct site *site, int target)
{
    const Drover__V1__Rollout *rollout = get_rollout(site);

    for (size_t s = 0; s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s]->n_targets; t++) {
            if (strcmp(rollout->stages[s]->targets[t]->target, site->w.target[target].name) == 0) {
                return rollout->stages[s]->targets[t]->state;
            }
        }
    }
    return "";
}

DR_UNUSED static enum dr_rc
order(struct site *site, const char *what, const char *target)
{
    Drover__V1__RolloutOrder request;
    ProtobufCMessage *reply = NULL;

    drover__v1__rollout_order__init(&request);
    request.id = word(&site->w, "R-1");
    request.order = word(&site->w, what);
    request.target = word(&site->w, target);
    return call(site, site->person[ALICE], DR_METHOD_OPERATOR_ORDER_ROLLOUT, &request.base, &reply);
}

// The trust documents and the plan: what has to be there before a rollout.
DR_UNUSED static void
begin_site(struct site *site)
{
    struct world *w = &site->w;
    Drover__V1__PutDocumentReply *reply;

    OK(w, put_document(site, ALICE, DR_TYPE_FLEET, w->fleet.wire, w->leaves, TARGETS + ENVIRONMENTS,
                       &reply));
    assert_true(reply->complete);
    OK(w, put_document(site, ALICE, DR_TYPE_CHAIN, w->chain.wire, NULL, 0, &reply));
    assert_true(reply->complete);
    put_blob(site, w->plan_sha, w->plan_bytes);
}

#endif
