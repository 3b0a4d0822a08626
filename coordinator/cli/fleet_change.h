// The next fleet: a copy of the newest to be changed, then described, signed, written to
// trust/fleet.N.drv and handed on.
#ifndef DR_CLI_FLEET_CHANGE_H
#define DR_CLI_FLEET_CHANGE_H

#include "coordinator/cli/trust_now.h"

struct dr_fleet_change {
    struct dr_cli *cli;
    struct dr_trust_now now;
    struct dr_fleet_draft draft; // entries may be changed, added (up to `spare`) and removed
    const char *path;            // of the new file, when finished
    uint64_t version;
    bool is_signed; // somebody said yes
    bool is_in_force;
};

// Opens on the newest fleet: the one that the coordinator or the project has. DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc dr_fleet_change_open(struct dr_cli *cli, size_t spare,
                                              struct dr_fleet_change *out, struct dr_err *err);
// Drafts, checks, shows what changes, asks `question` (NULL: does not ask), signs, writes, hands
// on. In JSON formats it prints nothing: the command does.
DR_MUST_CHECK enum dr_rc
dr_fleet_change_finish(struct dr_fleet_change *change, const char *question, struct dr_err *err);
void dr_fleet_change_close(struct dr_fleet_change *change);
// The document that `dr_fleet_change_finish` printed nothing of: "schema" and what all changes say.
void
dr_fleet_change_json(const struct dr_fleet_change *change, const char *schema, const char *subject);
// An environment's policy among the entries, to be changed in place; `*out_index` (NULL: not
// wanted) is its entry. NULL: there is none.
Drover__V1__Environment *
dr_fleet_draft_environment(const struct dr_fleet_draft *draft, const char *name, size_t *out_index);

#endif
