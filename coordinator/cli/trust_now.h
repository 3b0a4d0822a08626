// What is in force now, for commands that make or sign the next root or fleet: from the coordinator
// when it answers, otherwise from the person's trusted folder and the project's trust files.
#ifndef DR_CLI_TRUST_NOW_H
#define DR_CLI_TRUST_NOW_H

#include "coordinator/cli/remote.h"
#include "coordinator/cli/trust_files.h"

// `{0}` is closed. `root.msg` is NULL while the first root lacks signatures.
struct dr_trust_now {
    struct dr_remote remote;
    bool is_online; // `remote` has a client
    struct dr_root root;
};

// Opens the project and finds the root in force: every step from the pinned root on is verified,
// files trust/root.N.drv that have enough signatures included. A coordinator that does not answer,
// or does not know this person, is no error.
DR_MUST_CHECK enum dr_rc
dr_trust_now_open(struct dr_cli *cli, struct dr_trust_now *out, struct dr_err *err);
// The same, but DR_E_CONFIG while the first root is not complete.
DR_MUST_CHECK enum dr_rc
dr_trust_now_need(struct dr_cli *cli, struct dr_trust_now *out, struct dr_err *err);
void dr_trust_now_close(struct dr_trust_now *now);

// A fleet as it can be edited: entries are copies. `version` is the file's.
struct dr_fleet_draft {
    const Drover__V1__Fleet *header;
    struct dr_trust_file file;
    Drover__V1__FleetEntry **entries; // room for `spare` more
    size_t n_entries;
};
// The newest fleet of the project, signed or not: the file with the highest version. DR_E_NOT_FOUND
// when there is none.
DR_MUST_CHECK enum dr_rc dr_fleet_draft_load(struct dr_cli *cli, size_t spare,
                                             struct dr_fleet_draft *out, struct dr_err *err);

// Has the document in `file` enough signatures under `root`? Any of the three kinds; roots count
// their own root role. `out_have` and `out_need` may be NULL.
DR_MUST_CHECK enum dr_rc dr_trust_file_count(struct dr_cli *cli, const Drover__V1__Root *root,
                                             const struct dr_trust_file *file, uint32_t *out_have,
                                             uint32_t *out_need, struct dr_err *err);

#endif
