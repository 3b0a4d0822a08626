// State, stops: what people forbade is remembered while it may be needed, whatever floods in.
#include "proto/service.pb-c.h"
#include "db/sqlite.h"
#include "support/agent_state.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW       1800000000
#define OPEN_PLAN 77 // digest of the plan that has an open READY
#define VETO      DROVER__V1__SIGNOFF_KIND__VETO
#define CANCEL    DROVER__V1__SIGNOFF_KIND__CANCEL
#define FREEZE    DROVER__V1__SIGNOFF_KIND__FREEZE

// A stop number `number` of `person` against plan 32 times `plan`.
static enum dr_rc
add_stop(struct world *w, const char *person, unsigned number, Drover__V1__SignoffKind kind,
         uint8_t plan, int64_t time, int64_t expires)
{
    Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
    static struct dr_agent_known known;
    uint8_t sha256[32] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)person[0]};
    uint8_t plans[32];
    memset(plans, plan, 32);
    known = (struct dr_agent_known){.now = NOW, .approval_s = 3600, .n_plans = 1};
    memset(known.plans[0], OPEN_PLAN, 32);
    msg.kind = kind;
    msg.plan_sha256 = (ProtobufCBinaryData){.len = 32, .data = plans};
    msg.time = time;
    msg.expires = expires;
    const struct dr_agent_stop stop = {
        .sha256 = sha256, .person = person, .msg = &msg, .envelope = text(person)};
    struct dr_err err = {0};
    return dr_agent_state_add_stop(w->state, &stop, &known, &err);
}

// `n` VETOs of `person` against plan 32 times `plan`, at once.
static void
fill(struct world *w, const char *person, unsigned n, uint8_t plan, int64_t time)
{
    char path[PATH_MAX];
    char sql[512];
    char hex[65];
    uint8_t plans[32];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.is_state = true};
    memset(plans, plan, 32);
    dr_hex(hex, plans, 32);
    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %u)"
                   " INSERT INTO stop(sha256, envelope, person, kind, plan, time)"
                   " SELECT randomblob(32), x'00', '%s', %d, x'%s', %lld FROM k",
                   n, person, (int)VETO, hex, (long long)time);
    dr_tmp_path(&w->tmp, DR_AGENT_STATE_FILE, path);
    assert_int_equal(dr_sqlite_open(path, &options, &db, NULL), DR_OK);
    assert_int_equal(dr_sqlite_script(db, sql, NULL), DR_OK);
    dr_sqlite_close(&db);
}

static size_t
count_stops(struct world *w)
{
    ProtobufCBinaryData *stops = NULL;
    size_t n = 0;
    assert_int_equal(dr_agent_state_stops(w->state, w->arena, &stops, &n, NULL), DR_OK);
    return n;
}

static void
stops_are_remembered_once_each(void **state)
{
    struct world *w = *state;
    ProtobufCBinaryData *stops = NULL;
    size_t n = 0;
    assert_int_equal(add_stop(w, "alice", 1, VETO, 1, NOW, 0), DR_OK);
    assert_int_equal(add_stop(w, "alice", 1, VETO, 1, NOW, 0), DR_OK);
    reopen(w);
    assert_int_equal(dr_agent_state_stops(w->state, w->arena, &stops, &n, NULL), DR_OK);
    assert_int_equal(n, 1);
    assert_memory_equal(stops[0].data, "alice", 5);
}

// id: P1
static void
a_flood_of_one_persons_stops_takes_no_room_from_the_others(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_stop(w, "alice", 1, VETO, OPEN_PLAN, NOW - 9000, 0), DR_OK);
    fill(w, "mallory", DR_AGENT_STOPS_PERSON - 1, 1, NOW);
    assert_int_equal(add_stop(w, "mallory", 999, VETO, 1, NOW, 0), DR_OK);
    assert_int_equal(add_stop(w, "mallory", 1000, VETO, 1, NOW, 0), DR_E_LIMIT);
    assert_int_equal(add_stop(w, "alice", 2, CANCEL, 1, NOW, 0), DR_OK);
    assert_int_equal(count_stops(w), DR_AGENT_STOPS_PERSON + 2);
}

static void
a_stop_of_a_plan_that_may_still_run_never_makes_room(void **state)
{
    struct world *w = *state;
    fill(w, "alice", DR_AGENT_STOPS_PERSON, OPEN_PLAN, NOW - 9000);
    assert_int_equal(add_stop(w, "alice", 1000, VETO, 1, NOW, 0), DR_E_LIMIT);
    assert_int_equal(count_stops(w), DR_AGENT_STOPS_PERSON);
}

static void
stops_that_are_past_make_room_when_it_is_needed(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_stop(w, "alice", 0, FREEZE, 1, NOW - 9000, NOW - 8000), DR_OK);
    // Only one is from before every approval that still holds.
    assert_int_equal(add_stop(w, "alice", 1, VETO, 1, NOW - 3600 - 301, 0), DR_OK);
    fill(w, "alice", DR_AGENT_STOPS_PERSON - 2, 1, NOW - 3600 - 299);
    assert_int_equal(add_stop(w, "alice", 1000, VETO, 1, NOW, 0), DR_OK);
    assert_int_equal(add_stop(w, "alice", 1001, VETO, 1, NOW, 0), DR_OK);
    assert_int_equal(add_stop(w, "alice", 1002, VETO, 1, NOW, 0), DR_E_LIMIT);
    assert_int_equal(count_stops(w), DR_AGENT_STOPS_PERSON);
}

static void
stops_have_a_limit_in_all(void **state)
{
    struct world *w = *state;
    char person[16];
    for (char i = 'a'; i < 'a' + (int)(DR_AGENT_STOPS_MAX / DR_AGENT_STOPS_PERSON); i++) {
        (void)snprintf(person, sizeof person, "%c-person", i);
        fill(w, person, DR_AGENT_STOPS_PERSON, 1, NOW);
    }
    assert_int_equal(add_stop(w, "zed", 1, VETO, 1, NOW, 0), DR_E_LIMIT);
}

// As version 1 made it.
static void
stops_of_an_earlier_version_are_kept(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.is_state = true};
    dr_agent_state_close(&w->state);
    dr_tmp_path(&w->tmp, DR_AGENT_STATE_FILE, path);
    assert_int_equal(dr_sqlite_open(path, &options, &db, NULL), DR_OK);
    assert_int_equal(
        dr_sqlite_script(db,
                         "DROP TABLE stop; CREATE TABLE stop(place INTEGER PRIMARY KEY"
                         " AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, envelope BLOB NOT NULL);"
                         "INSERT INTO stop(sha256, envelope) VALUES(x'01', x'02');"
                         "ALTER TABLE record DROP COLUMN what;"
                         "UPDATE meta SET value = 1 WHERE key = 'version'",
                         NULL),
        DR_OK);
    dr_sqlite_close(&db);
    open_state(w);
    reopen(w);
    assert_int_equal(add_stop(w, "alice", 1, VETO, 1, NOW, 0), DR_OK);
    assert_int_equal(count_stops(w), 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(stops_are_remembered_once_each),
        TEST(a_flood_of_one_persons_stops_takes_no_room_from_the_others),
        TEST(a_stop_of_a_plan_that_may_still_run_never_makes_room),
        TEST(stops_that_are_past_make_room_when_it_is_needed),
        TEST(stops_have_a_limit_in_all),
        TEST(stops_of_an_earlier_version_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
