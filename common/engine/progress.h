// Progress: a run's place in words, the same in direct mode and in what an agent reports. The
// server's own words and counts where it has them, otherwise what it waits for and the WAL written
// meanwhile: never a guess.
#ifndef DR_ENGINE_PROGRESS_H
#define DR_ENGINE_PROGRESS_H

#include "engine/run.h"

#define DR_BLOCKER_QUERY_MAX 80u // bytes of a blocker's statement that are told

// "building index: scanning table: 12 of 100 blocks", "waits for a lock",
// "up, IO DataFileRead, 3 MiB of WAL", "up".
void dr_progress_phase(const struct dr_engine_progress *progress, char *out, size_t out_size);

// "pid 4711 (app, 12 s): UPDATE t SET n = ?, pid 4712 ..."; "" without blockers. Cut at `out_size`.
void dr_progress_blockers(const struct dr_engine_progress *progress, char *out, size_t out_size);

// A blocker's statement without what may be data: strings and numbers are '?', comments are gone;
// "..." where it was cut.
void dr_blocker_query(const struct dr_blocker *blocker, char *out, size_t out_size);

#endif
