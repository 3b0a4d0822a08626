// Failpoints: named places where tests can make a process fail. Empty in release builds.
#ifndef DR_BASE_FAILPOINT_H
#define DR_BASE_FAILPOINT_H

// DROVER_FAILPOINT="name=kill" (SIGKILL to itself), "name=exit", "name=error", "name=pause:FILE"
// (until FILE is gone), with "@N" for the N-th hit: "ledger-insert=kill@2". DR_FAILPOINT(name) is
// true when the caller shall report an error.
// DROVER_FAILPOINT_SOCKET=PATH instead tells the test that listens at that Unix socket of every hit
// ("NAME PID\n" on a connection of its own) and goes on when it answers or closes: "error" makes
// DR_FAILPOINT true. Until then the process stands still at that place, and can be killed there.
#ifdef DROVER_FAILPOINTS
int dr_failpoint_hit(const char *name);
#define DR_FAILPOINT(name) (dr_failpoint_hit(name) != 0)
#else
#define DR_FAILPOINT(name) 0
#endif

#endif
