// What a test found, for people (a table, then the findings), for programs (JSON) and for CI
// systems (JUnit's XML).
#ifndef DR_CLI_TESTING_VIEW_H
#define DR_CLI_TESTING_VIEW_H

#include "coordinator/cli/print.h"
#include "coordinator/cli/testing.h"

// The table and the sum on standard output, findings on standard error.
void dr_testing_print(const struct dr_cli *cli, const struct dr_testing *parts, size_t count);
// drover.v1.Test; a new reference, NULL when memory is out.
json_t *dr_testing_json(const struct dr_testing *parts, size_t count);
// One suite per engine, one case per revision and per verify section. Appended to `out`.
void dr_testing_junit(const struct dr_testing *parts, size_t count, struct dr_buf *out);

#endif
