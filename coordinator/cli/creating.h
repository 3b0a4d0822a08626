// Creating: a rollout that this person asks for. Targets come from the signed fleet, plans are
// compiled here, and the coordinator is given both.
#ifndef DR_CLI_CREATING_H
#define DR_CLI_CREATING_H

#include "coordinator/cli/remote.h"

#include "revision/graph.h"

// `{0}` plus cli; who opens remote and graph closes them.
struct dr_creating {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_graph *graph;
    const char *expr;              // what was typed
    const char *target;            // exactly this target; NULL: as the options say
    struct dr_names targets_exact; // exactly these, when there are some
    const char *undo_of;           // the rollout that is taken back; NULL: none
    bool is_down;
    Drover__V1__Mode mode;   // NONE: UP or DOWN by is_down
    const char *remedy;      // REMEDY: the section's name
    struct dr_names current; // heads of the target that is furthest behind (up) or ahead (down)
    struct dr_nodes nodes;   // parents first
    bool has_engine[3];      // by number of Engine
    size_t targets;
    Drover__V1__OnFailure on_failure;
};

// Is this target meant by `target`, or by --environment and --target?
bool dr_creating_wants(const struct dr_creating *c, const Drover__V1__Target *target);
// Counts the targets that are meant and notes their engines. DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc dr_creating_targets(struct dr_creating *c, struct dr_err *err);
// Reads --on-failure. DR_E_USAGE.
DR_MUST_CHECK enum dr_rc dr_creating_on_failure(struct dr_creating *c, struct dr_err *err);
// Everything but the upload: the plans are compiled, the targets named.
DR_MUST_CHECK enum dr_rc dr_creating_dry_run(struct dr_creating *c, struct dr_err *err);
// Uploads plans and files, and makes the rollout. Errors of the coordinator.
DR_MUST_CHECK enum dr_rc
dr_creating_create(struct dr_creating *c, Drover__V1__Rollout **out, struct dr_err *err);
// Says what was made and what to type next.
void dr_creating_say(const struct dr_creating *c, const Drover__V1__Rollout *rollout);
// Says that there is nothing to do.
void dr_creating_say_nothing(const struct dr_creating *c);
// The command goes on as `rollout watch`.
DR_MUST_CHECK enum dr_rc
dr_creating_watch(struct dr_cli *cli, const char *rollout, struct dr_err *err);

#endif
