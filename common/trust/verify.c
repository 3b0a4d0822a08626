// The rows stand in the order in which they run. A row passes only by returning ROW_PASSED, which
// is neither 0 nor 1, and then sets its bit: a row that was left out cannot look like one that
// passed.
#include "trust/verify.h"

#include "trust/strict.h"
#include "trust/verify_rows.h"

#include <string.h>

static const struct {
    const char *name;
    enum dr_row (*run)(struct dr_check *check);
} rows[] = {
    {"sizes", dr_row_sizes},
    {"clock", dr_row_clock},
    {"root", dr_row_root},
    {"fleet", dr_row_fleet},
    {"me", dr_row_me},
    {"chain", dr_row_chain},
    {"approval", dr_row_approval},
    {"lifetime", dr_row_lifetime},
    {"leaf", dr_row_leaf},
    {"policy", dr_row_policy},
    {"ready", dr_row_ready},
    {"flags", dr_row_flags},
    {"plan", dr_row_plan},
    {"mode", dr_row_mode},
    {"in chain", dr_row_in_chain},
    {"withdrawn", dr_row_withdrawn},
    {"contiguous", dr_row_contiguous},
    {"authors", dr_row_authors},
    {"evidence", dr_row_evidence},
    {"stops", dr_row_stops},
    {"gates", dr_row_gates},
    {"canaries", dr_row_canaries},
    {"window", dr_row_window},
};
#define ROWS_ALL ((1u << DR_COUNT_OF(rows)) - 1u)

const char *
dr_verify_row_name(size_t index)
{
    return index < DR_COUNT_OF(rows) ? rows[index].name : NULL;
}

enum dr_rc
dr_verify(struct dr_arena *arena, const struct dr_verify_input *input, struct dr_verdict *out,
          struct dr_err *err)
{
    struct dr_err first = {0};
    struct dr_check check = {.arena = arena, .in = input, .out = out, .err = &first};
    *out = (struct dr_verdict){0};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
#ifdef DR_MUTATE
        if (i == DR_MUTATE) { // tests: what happens when a check is taken out
            out->mask |= 1u << i;
            continue;
        }
#endif
        if (rows[i].run(&check) != DR_ROW_PASSED) {
            out->failed_check = rows[i].name;
            enum dr_rc rc = first.rc;
            if (rc == DR_OK) { // GCOVR_EXCL_START only a defect leaves the error unset
                rc = DR_E_CHECK_SKIPPED;
            } // GCOVR_EXCL_STOP
            return dr_err_set(err, rc, "%s", first.message);
        }
        out->mask |= 1u << i;
    }
    if (out->mask != ROWS_ALL) { // GCOVR_EXCL_START only a defect leads here
        return dr_err_set(err, DR_E_CHECK_SKIPPED, "a check did not run");
    } // GCOVR_EXCL_STOP
    out->accepted = DR_VERDICT_ACCEPTED;
    return DR_OK;
}

bool
dr_verdict_is_accepted(const struct dr_verdict *verdict)
{
    return verdict->accepted == DR_VERDICT_ACCEPTED && verdict->mask == ROWS_ALL;
}

// ------------------------------------------------------------------------------- database

static bool
is_as_pinned(const char *pinned, const char *found)
{
    return pinned[0] == '\0' || strcmp(pinned, found) == 0;
}

enum dr_rc
dr_verify_identity(const Drover__V1__DatabaseIdentity *pinned,
                   const Drover__V1__DatabaseIdentity *found, struct dr_err *err)
{
    if (!pinned) {
        return DR_OK;
    }
    if (!found || !is_as_pinned(pinned->system_identifier, found->system_identifier) ||
        !is_as_pinned(pinned->database, found->database) ||
        !is_as_pinned(pinned->schema, found->schema)) {
        return dr_err_set(
            err, DR_E_DATABASE_IDENTITY,
            "this is not the database that the fleet names: '%s' '%s' '%s' is pinned, "
            "'%s' '%s' '%s' is here",
            pinned->system_identifier, pinned->database, pinned->schema,
            found ? found->system_identifier : "", found ? found->database : "",
            found ? found->schema : "");
    }
    return DR_OK;
}

enum dr_rc
dr_verify_database(const struct dr_verdict *verdict, const struct dr_database_facts *facts,
                   struct dr_err *err)
{
    if (!dr_verdict_is_accepted(verdict)) {
        return dr_err_set(err, DR_E_CHECK_SKIPPED, "nothing was approved");
    }
    const Drover__V1__Attestation *ready = verdict->ready;
    enum dr_rc rc = dr_verify_identity(verdict->entry->msg->target->identity, facts->identity, err);
    rc = rc == DR_OK ? dr_verify_identity(ready->identity, facts->identity, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (facts->is_pooler) {
        return dr_err_set(err, DR_E_BEHIND_POOLER, "a pooler stands before the database");
    }
    if (facts->is_standby) {
        return dr_err_set(err, DR_E_ON_STANDBY, "this server is a standby");
    }
    if (!facts->has_lock_a || !facts->has_lock_b) {
        return dr_err_set(err, DR_E_NOT_LOCKED, "the locks of this target are not held");
    }
    if (!dr_data_is(ready->ledger_head, facts->ledger_head)) {
        return dr_err_set(err, DR_E_LEDGER_CHANGED, "the ledger is not as it was in READY");
    }
    if (ready->fingerprint.len > 0 && !dr_data_is(ready->fingerprint, facts->fingerprint)) {
        return dr_err_set(err, DR_E_SCHEMA_CHANGED, "the schema is not as it was in READY");
    }
    return DR_OK;
}

enum dr_rc
dr_verify_resume(const Drover__V1__Environment *policy, int64_t started, int64_t now,
                 struct dr_err *err)
{
    uint64_t window = policy->resume_window_s ? policy->resume_window_s : DR_RESUME_WINDOW_MAX_S;
    if (started > now + DR_CLOCK_SKEW_S || (now > started && (uint64_t)(now - started) > window)) {
        return dr_err_set(err, DR_E_RESUME_WINDOW,
                          "what began is too long ago to go on: a new approval is needed");
    }
    return DR_OK;
}
