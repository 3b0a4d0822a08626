// `drover check`: questions that a pipeline asks before anyone signs. One row for each; a check
// that finds something adds its lines.
#ifndef DR_CLI_CHECK_H
#define DR_CLI_CHECK_H

#include "coordinator/cli/cli.h"
#include "revision/graph.h"

#include <jansson.h>

// What is collected while the checks run.
struct dr_checking {
    struct dr_cli *cli;
    struct dr_graph *graph; // drafts may be among its revisions
    const char *folder;     // of the revisions, as people see it
    json_t *rows;           // what was said, in order
    size_t bad;             // checks that found something
};

// One line of the answer: "ok      heads   one head: ae10". `hint` (may be NULL) is what to type.
void dr_check_say(struct dr_checking *check, const char *name, bool is_ok, const char *hint,
                  const char *fmt, ...) DR_PRINTF(5, 6);

// Has a revision that stands in the git state of --base changed, or gone? DR_E_NOT_FOUND when git
// does not know it.
DR_MUST_CHECK enum dr_rc dr_check_base(struct dr_checking *check, struct dr_err *err);

#endif
