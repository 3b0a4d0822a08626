// Large pushes: fetched whole, in their turn, or not at all. A server of the test's own hands out
// the pieces and lies where a test wants it to.
#include "agent/net.h"
#include "agent/net_large.h"

#include "base/clock.h"
#include "rpc/noise.h"
#include "rpc/server.h"
#include "trust/envelope.h"
#include "trust/strict.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000
#define PIECE       100u
#define BLOB        250u // three pieces
#define DELIVERED   (DR_NET_QUEUE_LEN + 8)

// What the server does with a request for a piece.
enum lie { HONEST, OTHER_BYTES, OTHER_TOTAL, NO_BYTES, TOO_MANY_BYTES, NOT_THERE, SILENT };

struct world {
    struct dr_noise_pair server_key, agent_key;
    struct dr_rpc_server *server;
    struct dr_rpc_client *client;
    struct dr_net_large large;
    uint8_t blobs[2][BLOB], sha256[2][32];
    enum lie lie;
    uint64_t lie_from; // offset from which it lies
    unsigned asked, blob_asked[2];
    // What net was given.
    uint64_t seqs[DELIVERED];
    struct dr_bytes bodies[DELIVERED];
    size_t n_delivered, given_up;
    enum dr_rc why;
    char message[1024];
};

static struct world w;

static void
look_up(void *user, const uint8_t key[32], struct dr_caller *out)
{
    (void)user;
    if (memcmp(key, w.agent_key.public, 32) == 0) {
        out->kind = DR_CALLER_AGENT;
        (void)snprintf(out->name, sizeof out->name, "orders");
    }
}

static void
forget(struct dr_call *call, void *user)
{
    (void)call;
    (void)user;
}

static void
get_blob(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    const Drover__V1__GetBlobRequest *request = (const Drover__V1__GetBlobRequest *)message;
    Drover__V1__GetBlobReply reply = DROVER__V1__GET_BLOB_REPLY__INIT;
    size_t which = dr_data_is(request->sha256, w.sha256[0]) ? 0 : 1;
    uint8_t bytes[BLOB + 1];
    struct dr_err err = {0};
    enum lie lie = request->offset >= w.lie_from ? w.lie : HONEST;
    (void)user;
    w.asked++;
    w.blob_asked[which]++;
    memcpy(bytes, w.blobs[which], BLOB);
    bytes[request->offset] ^= lie == OTHER_BYTES ? 1 : 0;
    size_t left = BLOB - (size_t)request->offset;
    reply.total = lie == OTHER_TOTAL ? BLOB + 1 : BLOB;
    reply.bytes.data = bytes + request->offset;
    reply.bytes.len = lie == NO_BYTES         ? 0
                      : lie == TOO_MANY_BYTES ? left + 1
                      : left < PIECE          ? left
                                              : PIECE;
    if (lie == NOT_THERE) {
        (void)dr_err_set(&err, DR_E_NOT_FOUND, "no such blob was offered");
        dr_call_fail(call, &err);
    } else if (lie == SILENT) {
        dr_call_on_gone(call, forget, NULL); // stays open until the connection is gone
    } else {
        dr_call_reply(call, &reply.base);
    }
}

static const struct dr_rpc_route ROUTES[] = {{DR_METHOD_DOCUMENTS_GET_BLOB, get_blob}};

static void
deliver(void *user, const Drover__V1__Push *push)
{
    uint8_t *copy = malloc(push->body.len + 1);
    assert_ptr_equal(user, &w);
    assert_non_null(copy);
    assert_int_equal(push->blob.len, 0);
    memcpy(copy, push->body.data ? push->body.data : (const uint8_t *)"", push->body.len);
    w.seqs[w.n_delivered] = push->seq;
    w.bodies[w.n_delivered++] = (struct dr_bytes){copy, push->body.len};
}

static void
give_up(void *user, const struct dr_err *why)
{
    assert_ptr_equal(user, &w);
    w.given_up++;
    w.why = why->rc;
    (void)snprintf(w.message, sizeof w.message, "%s", why->message);
}

static void
turn(void)
{
    struct pollfd fds[] = {{.fd = dr_rpc_server_fd(w.server), .events = POLLIN},
                           {.fd = dr_rpc_client_fd(w.client), .events = POLLIN}};
    (void)poll(fds, 2, 5);
    dr_rpc_server_step(w.server);
    dr_rpc_client_step(w.client);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t deadline = dr_monotonic_ms() + PATIENCE_MS;                                        \
        while (!(condition)) {                                                                     \
            if (dr_monotonic_ms() > deadline) {                                                    \
                fail_msg("not in time: %s (%s)", #condition, w.message);                           \
            }                                                                                      \
            turn();                                                                                \
        }                                                                                          \
    } while (0)

static int
setup(void **state)
{
    char url[64];
    struct dr_err err = {0};
    (void)state;
    memset(&w, 0, sizeof w);
    for (size_t b = 0; b < 2; b++) {
        dr_random(w.blobs[b], BLOB);
        dr_sha256((struct dr_bytes){w.blobs[b], BLOB}, w.sha256[b]);
    }
    dr_noise_random(w.server_key.secret, sizeof w.server_key.secret);
    dr_noise_public(&w.server_key);
    dr_noise_random(w.agent_key.secret, sizeof w.agent_key.secret);
    dr_noise_public(&w.agent_key);
    const struct dr_rpc_server_config served = {.url = "tcp://127.0.0.1:0",
                                                .secret_key = w.server_key.secret,
                                                .cluster_id = (const uint8_t *)"0123456789abcdef",
                                                .lookup = look_up,
                                                .routes = ROUTES,
                                                .route_count = 1};
    assert_int_equal(dr_rpc_server_open(&served, &w.server, &err), DR_OK);
    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u", dr_rpc_server_port(w.server));
    const struct dr_rpc_client_config client = {.url = url,
                                                .server_key = w.server_key.public,
                                                .secret_key = w.agent_key.secret,
                                                .backoff_min_ms = 1,
                                                .backoff_max_ms = 20,
                                                .is_persistent = true};
    assert_int_equal(dr_rpc_client_open(&client, &w.client, &err), DR_OK);
    w.large = (struct dr_net_large){.deliver = deliver, .give_up = give_up, .user = &w};
    UNTIL(dr_rpc_client_is_up(w.client));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    dr_net_large_reset(&w.large);
    dr_rpc_client_close(&w.client);
    dr_rpc_server_close(&w.server);
    for (size_t i = 0; i < w.n_delivered; i++) {
        uint8_t *body;
        memcpy(&body, &w.bodies[i].data, sizeof body);
        free(body);
    }
    return 0;
}

// ---- pushes

static void
take_small(uint64_t seq)
{
    Drover__V1__Push push = DROVER__V1__PUSH__INIT;
    push.seq = seq;
    push.body = dr_data((const uint8_t *)"small", 5);
    dr_net_large_take(&w.large, w.client, &push);
}

static void
take_sized(uint64_t seq, size_t blob, uint64_t size, size_t digest_len)
{
    Drover__V1__Push push = DROVER__V1__PUSH__INIT;
    push.seq = seq;
    push.blob = dr_data(w.sha256[blob], digest_len);
    push.size = size;
    dr_net_large_take(&w.large, w.client, &push);
}

static void
take_large(uint64_t seq, size_t blob)
{
    take_sized(seq, blob, BLOB, 32);
}

static void
delivered_is(size_t at, uint64_t seq, struct dr_bytes body)
{
    assert_true(at < w.n_delivered);
    assert_int_equal(w.seqs[at], seq);
    assert_int_equal(w.bodies[at].len, body.len);
    assert_memory_equal(w.bodies[at].data, body.data, body.len);
}

static const struct dr_bytes SMALL = {(const uint8_t *)"small", 5};

static struct dr_bytes
whole(size_t blob)
{
    return (struct dr_bytes){w.blobs[blob], BLOB};
}

// It was given up for this reason, all that waited is gone, and the next fetch works.
static void
given_up_is(enum dr_rc why, const char *message)
{
    UNTIL(w.given_up > 0);
    assert_int_equal(w.given_up, 1);
    assert_string_equal(dr_rc_name(w.why), dr_rc_name(why));
    if (strstr(w.message, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, w.message);
    }
    assert_int_equal(w.n_delivered, 0);
    assert_int_equal(w.large.n, 0);
    assert_null(w.large.bytes);
    assert_false(w.large.is_asked);
    w.lie = HONEST;
    take_large(100, 1);
    take_small(101);
    UNTIL(w.n_delivered == 2);
    delivered_is(0, 100, whole(1));
    delivered_is(1, 101, SMALL);
    assert_int_equal(w.given_up, 1);
}

// ---- tests

static void
push_with_its_body_goes_straight_on(void **state)
{
    (void)state;
    take_small(1);
    delivered_is(0, 1, SMALL);
    assert_int_equal(w.asked, 0);
}

static void
large_push_is_put_together_and_those_behind_it_wait(void **state)
{
    (void)state;
    take_large(1, 0);
    take_small(2);
    take_small(3);
    assert_int_equal(w.n_delivered, 0);
    UNTIL(w.n_delivered == 3);
    assert_int_equal(w.asked, 3);
    delivered_is(0, 1, whole(0));
    delivered_is(1, 2, SMALL);
    delivered_is(2, 3, SMALL);
    assert_int_equal(w.given_up, 0);
}

static void
two_at_once_are_fetched_one_after_the_other(void **state)
{
    (void)state;
    take_large(1, 0);
    take_large(2, 1);
    take_small(3);
    UNTIL(w.blob_asked[0] == 3);
    assert_int_equal(w.blob_asked[1], 0);
    UNTIL(w.n_delivered == 3);
    delivered_is(0, 1, whole(0));
    delivered_is(1, 2, whole(1));
    delivered_is(2, 3, SMALL);
    assert_int_equal(w.asked, 6);
}

static void
bytes_of_another_digest_are_not_handed_on(void **state)
{
    (void)state;
    w.lie = OTHER_BYTES;
    w.lie_from = 2 * PIECE;
    take_large(1, 0);
    take_small(2);
    given_up_is(DR_E_BLOB_DIGEST, "it has another digest");
}

static void
push_that_is_too_large_is_not_even_asked_for(void **state)
{
    (void)state;
    take_sized(1, 0, DR_NET_PUSH_MAX + 1, 32);
    assert_int_equal(w.asked, 0);
    given_up_is(DR_E_LIMIT, "out of range");
}

static void
push_without_size_is_refused(void **state)
{
    (void)state;
    take_sized(1, 0, 0, 32);
    given_up_is(DR_E_LIMIT, "out of range");
}

static void
push_with_a_short_digest_is_refused(void **state)
{
    (void)state;
    take_sized(1, 0, BLOB, 31);
    given_up_is(DR_E_LIMIT, "out of range");
}

static void
blob_of_another_size_is_refused(void **state)
{
    (void)state;
    w.lie = OTHER_TOTAL;
    take_large(1, 0);
    given_up_is(DR_E_INVALID, "another size");
}

static void
more_bytes_than_were_said_are_refused(void **state)
{
    (void)state;
    w.lie = TOO_MANY_BYTES;
    w.lie_from = PIECE;
    take_large(1, 0);
    given_up_is(DR_E_INVALID, "another size");
}

static void
empty_piece_does_not_go_on_for_ever(void **state)
{
    (void)state;
    w.lie = NO_BYTES;
    w.lie_from = PIECE;
    take_large(1, 0);
    given_up_is(DR_E_INVALID, "another size");
    assert_int_equal(w.blob_asked[0], 2);
}

static void
blob_that_is_gone_ends_the_watch(void **state)
{
    (void)state;
    w.lie = NOT_THERE;
    w.lie_from = PIECE;
    take_large(1, 0);
    take_small(2);
    given_up_is(DR_E_NOT_FOUND, "no such blob was offered");
}

static void
fetch_goes_on_over_a_connection_that_broke(void **state)
{
    (void)state;
    w.lie = SILENT;
    w.lie_from = PIECE;
    take_large(1, 0);
    take_small(2);
    UNTIL(w.asked == 2); // one piece is here, the second is asked for
    w.lie = HONEST;
    assert_int_equal(dr_rpc_server_kick(w.server, w.agent_key.public), 1);
    UNTIL(w.n_delivered == 2);
    delivered_is(0, 1, whole(0));
    delivered_is(1, 2, SMALL);
    assert_int_equal(w.given_up, 0);
}

static void
reset_in_the_middle_forgets_it_and_it_is_pushed_again(void **state)
{
    (void)state;
    w.lie = SILENT;
    w.lie_from = PIECE;
    take_large(1, 0);
    take_small(2);
    UNTIL(w.asked == 2);
    assert_int_equal(dr_rpc_server_kick(w.server, w.agent_key.public), 1);
    UNTIL(!dr_rpc_client_is_up(w.client));
    dr_net_large_reset(&w.large); // as net does when its watch ends
    assert_int_equal(w.large.n, 0);
    assert_null(w.large.bytes);
    w.lie = HONEST;
    UNTIL(dr_rpc_client_is_up(w.client));
    take_large(1, 0);
    take_small(2);
    UNTIL(w.n_delivered == 2);
    delivered_is(0, 1, whole(0));
    delivered_is(1, 2, SMALL);
    assert_int_equal(w.given_up, 0);
}

static void
more_than_can_wait_begin_the_watch_again(void **state)
{
    (void)state;
    w.lie = SILENT;
    take_large(1, 0);
    for (uint64_t seq = 2; seq <= DR_NET_QUEUE_LEN; seq++) {
        take_small(seq);
    }
    assert_int_equal(w.given_up, 0);
    take_small(DR_NET_QUEUE_LEN + 1);
    given_up_is(DR_E_LIMIT, "too many pushes wait");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(push_with_its_body_goes_straight_on),
        TEST(large_push_is_put_together_and_those_behind_it_wait),
        TEST(two_at_once_are_fetched_one_after_the_other),
        TEST(bytes_of_another_digest_are_not_handed_on),
        TEST(push_that_is_too_large_is_not_even_asked_for),
        TEST(push_without_size_is_refused),
        TEST(push_with_a_short_digest_is_refused),
        TEST(blob_of_another_size_is_refused),
        TEST(more_bytes_than_were_said_are_refused),
        TEST(empty_piece_does_not_go_on_for_ever),
        TEST(blob_that_is_gone_ends_the_watch),
        TEST(fetch_goes_on_over_a_connection_that_broke),
        TEST(reset_in_the_middle_forgets_it_and_it_is_pushed_again),
        TEST(more_than_can_wait_begin_the_watch_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
