// What the files of a run share. Nobody else includes this.
#ifndef DR_ENGINE_RUN_INTERNAL_H
#define DR_ENGINE_RUN_INTERNAL_H

#include "engine/run.h"
#include "engine/schedule.h"

#define DR_ENGINE_MAGIC                0x64726531u
#define DR_SCRATCH_MAX                 (256u * 1024 * 1024) // memory of one unit
#define DR_RECOVERIES_MAX              5u                   // lost connections in one run
#define DR_ENGINE_UNITS_MAX            1000000u
#define DR_UNAPPROVED_STATEMENT_MS     5000u  // of a preflight's statement that names no time-out
#define DR_UNAPPROVED_STATEMENT_MAX_MS 60000u // and at most
#define DR_UNAPPROVED_PHASE_MS         300000 // all preflights before one READY

struct dr_engine_run;
struct dr_guard_facts;

struct dr_engine {
    uint32_t magic;
    const struct dr_driver_ops *ops;
    struct dr_driver *driver;
    struct dr_engine_options options; // its strings are our copies
    char *strings[6];
    uint8_t owner_key[32];
    struct dr_engine_run *current; // while one is on its way, for ticks
};

struct dr_engine_file {
    const char *bytes; // NULL: not yet asked for
    size_t len;
    struct dr_guard_facts *facts; // per unit of the revision: of all its statements together
};

// A run on its way.
struct dr_engine_run {
    struct dr_engine *engine;
    const struct dr_engine_job *job;
    struct dr_arena *arena; // of the result
    struct dr_engine_result *result;
    struct dr_engine_file *files; // per revision of the plan
    bool *deferred; // preflight to be asked right before the revision, per revision of the plan
    size_t units_cap, checks_cap;
    uint64_t *positions; // ledger position of each unit of the result
    size_t positions_cap;
    uint64_t position; // of the last row that we know
    uint8_t head[32];
    uint64_t durable_position; // what is certainly flushed
    uint8_t durable_head[32];
    const char *begun_at; // newest revision that was there when the run began; NULL: none
    uint64_t since;       // first position of the revision at hand
    uint32_t recoveries;
    bool makes_alembic;            // alembic_version is to be made before the first unit
    bool must_read;                // the ledger is to be read again, and the schedule made anew
    bool is_unapproved;            // only preflights, and nobody has approved: see run_check.c
    int64_t preflight_deadline_ms; // of all preflights of an unapproved run together
    // For ticks.
    const struct dr_step *step;
    size_t revisions;
    size_t statements;
    uint32_t attempt;
};

// run.c: what a view says of a target, and who may run on it.
DR_MUST_CHECK enum dr_rc
dr_run_heads(const struct dr_ledger_view *view, struct dr_arena *arena, struct dr_engine_head **out,
             size_t *out_count, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_run_state(struct dr_engine *engine, struct dr_arena *arena, const struct dr_ledger_view *view,
             struct dr_engine_state *out, struct dr_err *err);
// Makes the ledger and its owner when the job says so. Under the lock.
DR_MUST_CHECK enum dr_rc
dr_run_own(const struct dr_engine_run *run, const struct dr_ledger_view *view, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_run_check_owner(const struct dr_engine *engine,
                                            const struct dr_ledger_view *view, struct dr_err *err);

// run_job.c: is the plan for this engine, and well-formed? DR_E_INVALID.
DR_MUST_CHECK enum dr_rc dr_run_check_plan(const struct dr_engine *engine,
                                           const struct dr_engine_job *job, struct dr_err *err);

// run_position.c: takes over where a ledger that was read ends; units of the result that are not in
// it go. DR_E_LEDGER_BEHIND when it lacks what was flushed, naming the first of it.
DR_MUST_CHECK enum dr_rc
dr_run_note_position(struct dr_engine_run *run, const struct dr_ledger_view *view,
                     struct dr_err *err);

// run_file.c: asks for the file of a revision and checks it: DR_E_FILE_DIGEST, DR_E_PLAN_MISMATCH,
// DR_E_FORBIDDEN_STATEMENT for any statement of it that a run may send.
DR_MUST_CHECK enum dr_rc
dr_run_load(struct dr_engine_run *run, size_t revision, struct dr_err *err);
// The statements of a unit into `arena`; facts of all of them together into `out_facts` (may be
// NULL).
DR_MUST_CHECK enum dr_rc
dr_run_statements(struct dr_engine_run *run, size_t revision, const Drover__V1__Unit *unit,
                  struct dr_arena *arena, struct dr_statement **out, size_t *out_count,
                  struct dr_guard_facts *out_facts, struct dr_err *err);

// run_check.c: the checks of one kind that apply here, into `arena`.
DR_MUST_CHECK enum dr_rc
dr_run_checks(struct dr_engine_run *run, size_t revision, Drover__V1__UnitKind kind,
              struct dr_arena *arena, struct dr_check **out, size_t *out_count, struct dr_err *err);
// Keeps a check's result in the run's result.
DR_MUST_CHECK enum dr_rc dr_run_keep_check(struct dr_engine_run *run,
                                           const struct dr_check_result *check, struct dr_err *err);
// Preflights of all revisions of the schedule; those that name what is not there yet are deferred.
DR_MUST_CHECK enum dr_rc dr_run_preflights(struct dr_engine_run *run,
                                           const struct dr_schedule *schedule, struct dr_err *err);
// Those of one revision, now.
DR_MUST_CHECK enum dr_rc
dr_run_preflight(struct dr_engine_run *run, size_t revision, bool may_defer, struct dr_err *err);

// run_alembic.c: does alembic_version say what the ledger says? DR_E_ALEMBIC_MOVED,
// DR_E_ALEMBIC_ID; nothing where the options do not keep it. `make` makes it, once the ledger is
// there.
DR_MUST_CHECK enum dr_rc
dr_run_alembic_check(struct dr_engine_run *run, const struct dr_ledger_view *view,
                     struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_run_alembic_make(struct dr_engine_run *run, struct dr_err *err);

// run_job.c: all of one direction, `mask` (by the plan's order; NULL: all) saying of what.
// `schedule` is as the ledger is now, and made anew as often as it has to be read.
DR_MUST_CHECK enum dr_rc
dr_run_work(struct dr_engine_run *run, enum dr_ledger_direction direction, const bool *mask,
            struct dr_schedule *schedule, struct dr_err *err);
// The same from reading the ledger on, and the schema that it ends with.
DR_MUST_CHECK enum dr_rc
dr_run_phase(struct dr_engine_run *run, enum dr_ledger_direction direction, const bool *mask,
             uint8_t fingerprint[32], struct dr_err *err);
// run_prove.c: up, down, up. DR_E_NO_DOWN when nothing of `schedule` can go back.
DR_MUST_CHECK enum dr_rc
dr_run_prove(struct dr_engine_run *run, struct dr_schedule *schedule, struct dr_err *err);

// run_step.c: does one step; on success the run's position has moved. run->must_read: make the
// schedule anew.
DR_MUST_CHECK enum dr_rc dr_run_step(struct dr_engine_run *run, const struct dr_step *step,
                                     bool is_synchronous, struct dr_err *err);
// run_outside.c: the same for a unit outside a transaction.
DR_MUST_CHECK enum dr_rc
dr_run_outside(struct dr_engine_run *run, const struct dr_step *step, struct dr_err *err);

// Shared by both: the row and the change of a step.
void dr_run_row(const struct dr_engine_run *run, const struct dr_step *step,
                enum dr_ledger_kind kind, struct dr_ledger_row *out, uint8_t (*parents)[32]);
void dr_run_change(const struct dr_engine_run *run, const struct dr_step *step,
                   const struct dr_ledger_row *row, struct dr_ledger_change *out);
// The row is committed: moves on.
void dr_run_advance(struct dr_engine_run *run, const struct dr_ledger_row *row, bool is_durable);
DR_MUST_CHECK enum dr_rc dr_run_keep_unit(struct dr_engine_run *run, const struct dr_step *step,
                                          const struct dr_exec_result *done, uint64_t duration_ms,
                                          uint32_t retries, struct dr_err *err);
// Notes SQLSTATE, place and blockers of a failure and gives it the engine's code.
enum dr_rc dr_run_failed(struct dr_engine_run *run, const struct dr_step *step,
                         const struct dr_exec_result *done, enum dr_rc rc, struct dr_err *err);
// After a lost connection: looks whether the row is there. `*out_done`: it is.
DR_MUST_CHECK enum dr_rc dr_run_recover(struct dr_engine_run *run, const struct dr_ledger_row *row,
                                        uint64_t transaction, bool *out_done, struct dr_err *err);
void dr_run_tell(struct dr_engine_run *run, const struct dr_tick *tick, bool is_done);

#endif
