// What the walk (testing.c) and the round trip of one revision (testing_trip.c) share.
#ifndef DR_CLI_TESTING_INNER_H
#define DR_CLI_TESTING_INNER_H

#include "coordinator/cli/testing.h"
#include "coordinator/cli/testing_rows.h"

#include "engine/run.h"
#include "engine/scratch.h"

// A scratch database at some place of the chain.
struct dr_test_walk {
    struct dr_testing *t;
    struct dr_scratch scratch;
    struct dr_engine *engine;
    struct dr_testing_rows *rows;
    struct dr_plan plan;          // of before and nodes, in this order
    bool *is_built;               // per revision of the plan: it belongs to the database
    const uint8_t *fingerprint;   // of the database now, 32 bytes
    const char *fingerprint_text; // in the arena
    struct dr_arena *arena;       // of this place; replaced when the walk goes on
    bool has_rows;                // made-up rows are in it
};

// What is wrong with the revision at hand (`is_note`: only to be known). The place is the
// section's that `section` names, or the first line (0). `details` may be NULL.
struct dr_test_finding *
dr_test_find(struct dr_test_walk *w, struct dr_test_revision *r, bool is_note, const char *kind,
             enum dr_section_kind section, const char *message, const char *details);
// The same for an error of the engine, at its own place.
void dr_test_find_error(struct dr_test_walk *w, struct dr_test_revision *r, bool is_note,
                        const char *kind, const struct dr_engine_result *result,
                        const struct dr_err *cause);
// Is it an error of this test, not of the revision?
bool dr_test_is_fatal(enum dr_rc rc);

// Runs revision `index` of the plan in `mode`; `*out` is in the walk's arena.
DR_MUST_CHECK enum dr_rc dr_test_step(struct dr_test_walk *w, size_t index, Drover__V1__Mode mode,
                                      struct dr_engine_result *out, struct dr_err *err);
// Reads the schema into `fingerprint` and `fingerprint_text`.
DR_MUST_CHECK enum dr_rc dr_test_read_schema(struct dr_test_walk *w, struct dr_err *err);
// A new database with all that is built; without made-up rows unless `with_rows`.
DR_MUST_CHECK enum dr_rc
dr_test_restart(struct dr_test_walk *w, bool with_rows, struct dr_err *err);
// Puts rows into what is empty, and one more where `before` (may be NULL) had other columns.
// `*out_now` and `*out_filled` (may be NULL) are the tables before and after that.
DR_MUST_CHECK enum dr_rc dr_test_fill(struct dr_test_walk *w, const struct dr_testing_seen *before,
                                      struct dr_testing_seen *out_now,
                                      struct dr_testing_seen *out_filled, struct dr_err *err);

// testing_trip.c: the round trip of revision `index` of the plan. DR_OK with the verdict in `r`, or
// a fatal error. The database is then where it was, and `index` is built when it can be.
DR_MUST_CHECK enum dr_rc
dr_test_trip(struct dr_test_walk *w, size_t index, struct dr_test_revision *r, struct dr_err *err);

#endif
