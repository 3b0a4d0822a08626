// Failpoints: named places where tests can make a process fail. Empty in release builds.
#ifndef DR_BASE_FAILPOINT_H
#define DR_BASE_FAILPOINT_H

// DROVER_FAILPOINT="name=kill" (SIGKILL to itself), "name=exit", "name=error", "name=pause:FILE"
// (until FILE is gone), with "@N" for the N-th hit: "ledger-insert=kill@2". DR_FAILPOINT(name) is
// true when the caller shall report an error.
#ifdef DROVER_FAILPOINTS
int dr_failpoint_hit(const char *name);
#define DR_FAILPOINT(name) (dr_failpoint_hit(name) != 0)
#else
#define DR_FAILPOINT(name) 0
#endif

#endif
