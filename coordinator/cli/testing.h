// Testing: every revision of a range on a scratch database: up, verify, rows, down, up again, with
// the schema and the rows compared. What was found is told per revision.
#ifndef DR_CLI_TESTING_H
#define DR_CLI_TESTING_H

#include "coordinator/cli/cli.h"

#include "engine/driver.h"
#include "revision/graph.h"
#include "revision/plan.h"

enum dr_test_verdict {
    DR_TEST_PASSED = 1,
    DR_TEST_FAILED,
    DR_TEST_SKIPPED, // it stands on one that failed
};

// What stands against a revision, or is to be known. Strings in the cli's arena.
struct dr_test_finding {
    bool is_note;     // not a failure
    const char *kind; // "up", "down", "schema", "rows", "again", "budget", "empty"
    const char *message;
    const char *hint;    // "": none
    const char *details; // lines, e.g. the objects that differ; "": none
    const char *file;
    uint32_t line, column;
};

#define DR_TEST_FINDINGS_MAX 16u

struct dr_test_revision {
    const struct dr_node *node;
    enum dr_test_verdict verdict;
    bool has_down;                        // false: it says that it has no way back
    uint64_t up_ms, down_ms, again_ms;    // of the runs; 0: did not run
    uint64_t rows;                        // that were there when it went up
    const struct dr_check_result *checks; // verify sections of the way up, then of the way down
    size_t checks_count;
    struct dr_test_finding findings[DR_TEST_FINDINGS_MAX];
    size_t findings_count;
};

// One engine's part.
struct dr_testing {
    struct dr_cli *cli;
    struct dr_graph *graph;
    Drover__V1__Engine engine;
    const char *name;        // "postgresql", "sqlite"
    const char *server_url;  // for dr_scratch_open
    const char *environment; // NULL: none
    int cancel_fd;           // -1: none
    struct dr_nodes before;  // built first, not tested; parents first
    struct dr_nodes nodes;   // parents first
    void (*progress)(void *arg, const struct dr_testing *t, size_t done); // may be NULL
    void *progress_arg;
    // filled by dr_testing_run
    char version[64];
    struct dr_test_revision *revisions; // nodes.count
    size_t failed, skipped;
    uint64_t duration_ms;
};

// Runs it. DR_OK whatever was found. Errors: no scratch database, a plan that does not compile, a
// start (`before`) that does not build, DR_E_INTERRUPTED, a lost server. Leaves no database behind.
DR_MUST_CHECK enum dr_rc dr_testing_run(struct dr_testing *t, struct dr_err *err);

#endif
