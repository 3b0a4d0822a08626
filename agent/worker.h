// Worker: the process that touches one database for one job. It gets the URL and the job over its
// channel, holds no key, verifies nothing but digests, and may block; exec kills it when it takes
// too long.
#ifndef DR_AGENT_WORKER_H
#define DR_AGENT_WORKER_H

#define DR_WORKER_ROLE        "worker"
#define DR_WORKER_START_MS    30000 // for the job to arrive
#define DR_WORKER_GO_MS       60000 // for exec to consume the approval
#define DR_WORKER_PROGRESS_MS 500   // least time between two reports
#define DR_WORKER_STOP_MS     15000 // for the unit at hand to end after SIGTERM
#define DR_WORKER_HEADS_MAX   256u
#define DR_WORKER_UNITS_MAX   100000u
#define DR_WORKER_SCHEMA_MAX  (16u * 1048576u) // bytes of a schema's text that are told
#define DR_WORKER_ARENA_MAX   (1024u * 1048576u)

// The whole process: reads PIPE_RUN from descriptor 3, works, writes PIPE_RESULT. Returns its exit
// code.
int dr_worker_main(void);

#endif
