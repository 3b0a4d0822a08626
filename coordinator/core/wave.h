// Wave: which approved targets of a stage may start now, and what the others wait for. Pure.
//
// Each approval has waves of its own, from 1. A wave goes when all before it have settled (ended,
// well or not), and the one before it has soaked and passed its probes since. After the last one
// the stage soaks once more, and the probes of all its targets are asked. Wave 1 has to succeed
// whole before another goes, which every agent checks, too; in later waves as many targets of the
// approval may fail as the budget says. What failed and is prepared again counts as failed, and has
// not settled, until another approval names it. What runs is never stopped here.
#ifndef DR_CORE_WAVE_H
#define DR_CORE_WAVE_H

#include "coordinator/core/rollout.h"

// What the environment's policy asks. 0: no soak, no limit.
struct dr_wave_rules {
    uint64_t soak_s, last_soak_s;       // of a wave, and of the last one
    uint32_t parallel, server_parallel; // most targets of the stage, and of a server, at once
    uint32_t budget;                    // targets of an approval that may fail
    bool has_probes[3];                 // for targets of this engine, by its number
    uint32_t probe_every_s[3];          // how often they are asked at least
    bool is_looked_after;               // the stage is not done before the last soak and its probes
    int64_t now;                        // unix seconds
    int64_t opens;                      // when the next window does; 0: one is open
};

enum dr_wave_wait {
    DR_WAVE_GOES,
    DR_WAVE_EARLIER,     // an earlier wave has not ended
    DR_WAVE_SOAKS,       // the wave before is looked at until a time
    DR_WAVE_PROBES,      // the wave before has soaked, and a probe has not passed since
    DR_WAVE_FULL,        // enough targets run
    DR_WAVE_SERVER_FULL, // on its server
    DR_WAVE_CANARY,      // wave 1 failed: no later one may go
    DR_WAVE_BUDGET,      // more failed than may fail: nothing more starts
    DR_WAVE_PARTED,      // wave 1 is no part of its approval any more: that cannot be shown whole
    DR_WAVE_WAITS,
};

struct dr_wave_plan {
    uint8_t *waits;         // of each target an enum dr_wave_wait, GOES for those not approved
    uint32_t *befores;      // of each target the wave that it waits for; 0: none
    enum dr_wave_wait hold; // CANARY, BUDGET: a person has to decide; GOES: none
    uint32_t failures;      // that hold it
    uint32_t soaking_wave;  // 0: none
    int64_t soaks_until;    // unix seconds
    int64_t look_at;        // the earliest time at which a soak ends; 0: none does
    uint32_t last_wave;     // all have succeeded, the highest wave; 0: not all, or none was sent
    int64_t settled;        // with last_wave: when the newest did
};

// `servers` has a name for each target, compared by its text; NULL without server_parallel. `out`
// is in the arena. DR_E_LIMIT when that is full.
DR_MUST_CHECK enum dr_rc
dr_wave_plan(const struct dr_rollout_stage *stage, const struct dr_wave_rules *rules,
             const char *const *servers, struct dr_arena *arena, struct dr_wave_plan *out,
             struct dr_err *err);
// Are the probes of this target asked for now? Those of what has succeeded in the wave that soaks;
// of all when it is the last one.
bool dr_wave_is_probed(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
                       const struct dr_wave_rules *rules, bool is_last);
// Does a person's word, or its probes, hold for all of the stage up to this wave and time?
bool dr_wave_is_promoted(const struct dr_rollout_stage *stage, uint32_t wave, int64_t settled);
// For people: "waits for wave 1", ... in `out`; never empty. What is stopped until a person
// decides, and what waits for room, begins with one of these.
#define DR_WAVE_STOPPED "stopped: "
#define DR_WAVE_LIMITED "approved, waits: "
void dr_wave_say(const struct dr_wave_plan *plan, const struct dr_wave_rules *rules, size_t target,
                 char *out, size_t out_size);

#endif
