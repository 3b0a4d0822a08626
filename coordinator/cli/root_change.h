// The next root: a copy of the one in force to be changed, then described, signed, written to
// trust/root.N.drv and handed on, together with the fleet and chain that must hold under it.
#ifndef DR_CLI_ROOT_CHANGE_H
#define DR_CLI_ROOT_CHANGE_H

#include "coordinator/cli/trust_now.h"

struct dr_root_change {
    struct dr_cli *cli;
    struct dr_trust_now now;
    Drover__V1__Root *next; // a copy to be changed; version and times are set at the end
};

// Opens. DR_E_CONFIG while the first root is not complete; DR_E_EXISTS when a next root waits for
// signatures already (--discard: it is thrown away).
DR_MUST_CHECK enum dr_rc
dr_root_change_open(struct dr_cli *cli, struct dr_root_change *out, struct dr_err *err);
// Checks, shows what changes, asks, signs with my key (and --new-key), writes and hands on.
DR_MUST_CHECK enum dr_rc dr_root_change_finish(struct dr_root_change *change, struct dr_err *err);
void dr_root_change_close(struct dr_root_change *change);

// Room for one more person at the end of `next`. DR_E_EXISTS, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_root_add_person(struct dr_root_change *change, const struct dr_public *key, struct dr_err *err);
// Takes person `index` out of the list and of every role.
void dr_root_remove_person(Drover__V1__Root *root, uint32_t index);
// Takes a person out of every role, but leaves the person there.
void dr_root_take_roles(Drover__V1__Root *root, uint32_t person);
// Gives a person the roles that `list` names ("fleet,production"; NULL: all).
DR_MUST_CHECK enum dr_rc dr_root_give_roles(struct dr_root_change *change, uint32_t person,
                                            const char *list, struct dr_err *err);
// "2" for every role but the first environment's, "production=3,root=2" for some.
DR_MUST_CHECK enum dr_rc
dr_root_set_thresholds(struct dr_root_change *change, const char *text, struct dr_err *err);

#endif
