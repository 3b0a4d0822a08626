// State, what was sent: kept in case the coordinator loses it, sent again in its order, and the
// head of the log that was seen.
#include "agent/state_internal.h"
#include "support/test_tmp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define TARGET "production/orders"

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_agent_state *state;
    struct dr_err err;
};

static struct world w;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != DR_OK) {                                                                     \
            fail_msg("%s: %s", #call, w.err.message);                                              \
        }                                                                                          \
    } while (0)

static int
setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    dr_tmp_init(&w.tmp);
    w.arena = dr_arena_new(64u << 20);
    OK(dr_agent_state_open(w.tmp.path, &w.state, &w.err));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    dr_agent_state_close(&w.state);
    dr_arena_free(&w.arena);
    dr_tmp_fini(&w.tmp);
    return 0;
}

static void
digest(uint32_t number, uint8_t out[32])
{
    memset(out, 0x5a, 32);
    memcpy(out, &number, sizeof(number));
}

// Attestations with these numbers go into the outbox.
static void
attest(uint32_t first, size_t n)
{
    struct dr_agent_outgoing *list = dr_arena_array(w.arena, n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        char *text = dr_arena_printf(w.arena, "attestation %u", first + (uint32_t)i);
        digest(first + (uint32_t)i, list[i].sha256);
        list[i].envelope = (struct dr_bytes){(const uint8_t *)text, strlen(text)};
        list[i].kind = 8;
    }
    struct dr_agent_change change = {
        .target = TARGET, .outgoing = list, .n_outgoing = n, .attest = {.counter = first + n - 1}};
    OK(dr_agent_state_commit(w.state, &change, &w.err));
}

static void
done(uint32_t number)
{
    uint8_t sha256[32];
    digest(number, sha256);
    OK(dr_agent_state_outbox_done(w.state, sha256, &w.err));
}

// The outbox holds exactly these numbers, in this order, with their bytes.
static void
outbox_is(const uint32_t *numbers, size_t n)
{
    int64_t place = 0, count = -1;
    OK(dr_agent_state_outbox_count(w.state, &count, &w.err));
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++) {
        struct dr_agent_outgoing out;
        uint8_t sha256[32];
        char text[32];
        OK(dr_agent_state_outbox_next(w.state, w.arena, place, &place, &out, &w.err));
        digest(numbers[i], sha256);
        (void)snprintf(text, sizeof(text), "attestation %u", numbers[i]);
        assert_memory_equal(out.sha256, sha256, 32);
        assert_int_equal(out.envelope.len, strlen(text));
        assert_memory_equal(out.envelope.data, text, strlen(text));
        assert_int_equal(out.kind, 8);
    }
}

static void
what_was_taken_is_sent_again_before_what_is_newer(void **state)
{
    (void)state;
    attest(1, 2);
    done(1);
    done(2);
    outbox_is(NULL, 0);
    attest(3, 1);
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is((const uint32_t[]){1, 2, 3}, 3);
}

static void
sending_again_twice_sends_nothing_twice(void **state)
{
    (void)state;
    attest(1, 3);
    done(1);
    OK(dr_agent_state_send_again(w.state, &w.err));
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is((const uint32_t[]){1, 2, 3}, 3);
    done(1);
    done(2);
    done(3);
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is((const uint32_t[]){1, 2, 3}, 3);
}

static void
nothing_was_sent_and_nothing_is_sent_again(void **state)
{
    (void)state;
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is(NULL, 0);
    done(7); // of which nothing is known
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is(NULL, 0);
}

static void
what_was_sent_is_there_after_a_restart(void **state)
{
    (void)state; // id: P6
    attest(1, 2);
    done(1);
    dr_agent_state_close(&w.state);
    OK(dr_agent_state_open(w.tmp.path, &w.state, &w.err));
    OK(dr_agent_state_send_again(w.state, &w.err));
    outbox_is((const uint32_t[]){1, 2}, 2);
}

static void
only_the_newest_thousand_are_kept(void **state)
{
    static uint32_t last[DR_AGENT_SENT_MAX];
    const uint32_t all = DR_AGENT_SENT_MAX + 3;
    (void)state;
    attest(1, all);
    OK(dr_agent_state_begin(w.state, &w.err)); // one flush for all
    enum dr_rc rc = DR_OK;
    for (uint32_t i = 1; rc == DR_OK && i <= all; i++) {
        uint8_t sha256[32];
        digest(i, sha256);
        rc = dr_agent_state_keep_sent(w.state, sha256, &w.err);
    }
    rc = rc == DR_OK ? dr_agent_state_exec(w.state, "DELETE FROM outbox", NULL, 0, NULL, &w.err)
                     : rc;
    OK(dr_agent_state_end(w.state, rc, &w.err));
    OK(dr_agent_state_send_again(w.state, &w.err));
    for (uint32_t i = 0; i < DR_AGENT_SENT_MAX; i++) {
        last[i] = i + 4;
    }
    outbox_is(last, DR_AGENT_SENT_MAX);
}

static void
head_is(uint64_t index, uint8_t byte)
{
    uint64_t found = 99;
    uint8_t hash[32], expected[32];
    memset(expected, byte, 32);
    memset(hash, 0xee, 32);
    OK(dr_agent_state_log_head(w.state, &found, hash, &w.err));
    assert_int_equal(found, index);
    assert_memory_equal(hash, expected, 32);
}

static void
head_of_the_log_is_remembered_across_a_restart(void **state)
{
    uint8_t hash[32];
    (void)state;
    head_is(0, 0);
    memset(hash, 3, 32);
    OK(dr_agent_state_set_log_head(w.state, 41, hash, &w.err));
    memset(hash, 4, 32);
    OK(dr_agent_state_set_log_head(w.state, 42, hash, &w.err));
    dr_agent_state_close(&w.state);
    OK(dr_agent_state_open(w.tmp.path, &w.state, &w.err));
    head_is(42, 4);
}

static void
head_whose_hash_is_damaged_counts_as_none(void **state)
{
    uint8_t hash[32] = {3};
    (void)state;
    OK(dr_agent_state_set_log_head(w.state, 41, hash, &w.err));
    OK(dr_agent_state_exec(w.state, "UPDATE meta SET value = x'0303' WHERE key = 'log_hash'", NULL,
                           0, NULL, &w.err));
    head_is(0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_taken_is_sent_again_before_what_is_newer),
        TEST(sending_again_twice_sends_nothing_twice),
        TEST(nothing_was_sent_and_nothing_is_sent_again),
        TEST(what_was_sent_is_there_after_a_restart),
        TEST(only_the_newest_thousand_are_kept),
        TEST(head_of_the_log_is_remembered_across_a_restart),
        TEST(head_whose_hash_is_damaged_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
