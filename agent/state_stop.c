// State, part five: stops that people signed and that were shown to this agent. What was shown is
// not forgotten while it may be needed: whoever floods the agent with stops, even with a stolen
// key, finds the room used up, and the stops of the others still there.
#include "agent/state_internal.h"

#include <string.h>

enum { OF_VETO = DROVER__V1__SIGNOFF_KIND__VETO, OF_CANCEL = DROVER__V1__SIGNOFF_KIND__CANCEL };

static enum dr_rc
insert(struct dr_agent_state *state, const struct dr_agent_stop *stop, struct dr_err *err)
{
    const Drover__V1__Signoff *msg = stop->msg;
    const struct dr_bytes plan = {.data = msg->plan_sha256.data, .len = msg->plan_sha256.len};
    const struct dr_bytes seen = {.data = msg->seen_sha256.data, .len = msg->seen_sha256.len};
    const struct dr_agent_bind binds[] = {
        DR_AGENT_BIND_SHA(stop->sha256),  DR_AGENT_BIND_BLOB(stop->envelope),
        DR_AGENT_BIND_TEXT(stop->person), DR_AGENT_BIND_INT(msg->kind),
        DR_AGENT_BIND_BLOB(plan),         DR_AGENT_BIND_BLOB(seen),
        DR_AGENT_BIND_INT(msg->time),     DR_AGENT_BIND_INT(msg->expires)};
    return dr_agent_state_exec(state,
                               "INSERT INTO stop(sha256, envelope, person, kind, plan, seen, time,"
                               " expires) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                               binds, DR_COUNT_OF(binds), NULL, err);
}

static bool
is_known(const struct dr_agent_known *known, const uint8_t plan[32])
{
    for (size_t i = 0; i < known->n_plans; i++) {
        if (memcmp(known->plans[i], plan, 32) == 0) {
            return true;
        }
    }
    return false;
}

// A VETO or CANCEL of this person whose plan nothing here can run any more; 0: none.
static enum dr_rc
find_past(struct dr_agent_state *state, const char *person, const struct dr_agent_known *known,
          int64_t *out_place, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {
        DR_AGENT_BIND_TEXT(person), DR_AGENT_BIND_INT(OF_VETO), DR_AGENT_BIND_INT(OF_CANCEL),
        DR_AGENT_BIND_INT(known->now - known->approval_s - DR_CLOCK_SKEW_S)};
    struct dr_sqlite_stmt *stmt = NULL;
    enum dr_rc rc = dr_agent_state_query(state,
                                         "SELECT place, plan FROM stop WHERE person = ?1 AND"
                                         " kind IN (?2, ?3) AND time < ?4 ORDER BY time, place",
                                         binds, DR_COUNT_OF(binds), &stmt, err);
    *out_place = 0;
    while (rc == DR_OK && *out_place == 0) {
        bool has_row = false;
        uint8_t plan[32];
        rc = dr_sqlite_step(stmt, &has_row, err);
        if (rc != DR_OK || !has_row) {
            break;
        }
        dr_agent_state_sha(stmt, 1, plan);
        *out_place = is_known(known, plan) ? 0 : dr_sqlite_column_int(stmt, 0);
    }
    dr_sqlite_finalize(&stmt);
    return rc;
}

// Makes room among the stops of one person, and never more than is asked for: at most one of those
// that are merely past.
static enum dr_rc
make_room(struct dr_agent_state *state, const char *person, const struct dr_agent_known *known,
          struct dr_err *err)
{
    const struct dr_agent_bind over[] = {DR_AGENT_BIND_TEXT(person),
                                         DR_AGENT_BIND_INT(known->now - DR_CLOCK_SKEW_S)};
    const struct dr_agent_bind lift[] = {DR_AGENT_BIND_INT(DROVER__V1__SIGNOFF_KIND__LIFT)};
    int64_t gone = 0;
    int64_t place = 0;
    enum dr_rc rc = dr_agent_state_exec(
        state, "DELETE FROM stop WHERE person = ?1 AND expires <> 0 AND expires < ?2", over, 2,
        &gone, err);
    if (rc == DR_OK && gone == 0) {
        rc = find_past(state, person, known, &place, err);
    }
    if (rc == DR_OK && place != 0) {
        const struct dr_agent_bind one[] = {DR_AGENT_BIND_INT(place)};
        rc = dr_agent_state_exec(state, "DELETE FROM stop WHERE place = ?1", one, 1, NULL, err);
    }
    // A lift without what it lifts says nothing.
    return rc != DR_OK ? rc
                       : dr_agent_state_exec(state,
                                             "DELETE FROM stop WHERE kind = ?1 AND seen NOT IN"
                                             " (SELECT sha256 FROM stop)",
                                             lift, 1, NULL, err);
}

static enum dr_rc
count(struct dr_agent_state *state, const char *person, int64_t *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(person)};
    return dr_agent_state_int(state, "SELECT count(*) FROM stop WHERE ?1 = '' OR person = ?1",
                              binds, 1, 0, out, err);
}

static enum dr_rc
add_within_limits(struct dr_agent_state *state, const struct dr_agent_stop *stop,
                  const struct dr_agent_known *known, struct dr_err *err)
{
    int64_t own = 0;
    int64_t all = 0;
    enum dr_rc rc = count(state, stop->person, &own, err);
    if (rc == DR_OK && own >= DR_AGENT_STOPS_PERSON) {
        rc = make_room(state, stop->person, known, err);
        rc = rc != DR_OK ? rc : count(state, stop->person, &own, err);
    }
    rc = rc != DR_OK ? rc : count(state, "", &all, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (own >= DR_AGENT_STOPS_PERSON || all >= DR_AGENT_STOPS_MAX) {
        return dr_err_set(err, DR_E_LIMIT,
                          "%lld stops of '%s' and %lld in all are remembered: there is no room for "
                          "another",
                          (long long)own, stop->person, (long long)all);
    }
    return insert(state, stop, err);
}

enum dr_rc
dr_agent_state_add_stop(struct dr_agent_state *state, const struct dr_agent_stop *stop,
                        const struct dr_agent_known *known, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_SHA(stop->sha256)};
    int64_t is_there = 0;
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_int(state, "SELECT count(*) FROM stop WHERE sha256 = ?1", binds, 1, 0,
                            &is_there, err);
    if (rc == DR_OK && is_there == 0) {
        rc = add_within_limits(state, stop, known, err);
    }
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_stops(struct dr_agent_state *state, struct dr_arena *arena,
                     ProtobufCBinaryData **out, size_t *out_n, struct dr_err *err)
{
    ProtobufCBinaryData *list = dr_arena_array(arena, DR_AGENT_STOPS_MAX, sizeof *list);
    struct dr_sqlite_stmt *stmt = NULL;
    size_t n = 0;
    enum dr_rc rc = list == NULL
                        ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                        : dr_agent_state_query(state, "SELECT envelope FROM stop ORDER BY place",
                                               NULL, 0, &stmt, err);
    while (rc == DR_OK && n < DR_AGENT_STOPS_MAX) {
        bool has_row = false;
        rc = dr_sqlite_step(stmt, &has_row, err);
        if (rc != DR_OK || !has_row) {
            break;
        }
        size_t len = 0;
        const void *bytes = dr_sqlite_column_blob(stmt, 0, &len);
        list[n] = (ProtobufCBinaryData){.len = len, .data = dr_arena_copy(arena, bytes, len)};
        rc = list[n].data == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
        n++;
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = list;
        *out_n = n;
    }
    return rc;
}
