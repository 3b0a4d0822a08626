// What a way down takes, for people: one line per table and column, and JSON.
#ifndef DR_CLI_LOSS_VIEW_H
#define DR_CLI_LOSS_VIEW_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"

#include "engine/loss.h"
#include "proto/documents.pb-c.h"

// Says that everything goes; nothing unless `expr` is "base". On standard error.
void dr_loss_warn_base(const struct dr_cli *cli, const char *expr);
// "data that goes:" with a line each, on `to`; "no rows are in what goes" when all of them are 0;
// nothing when there are none.
void dr_loss_print(const struct dr_cli *cli, const struct dr_loss *losses, size_t count, FILE *to);
// The losses that a READY names, as dr_engine_losses gives them; in the cli's arena, strings lent.
// NULL when memory is out.
const struct dr_loss *
dr_loss_of_ready(const struct dr_cli *cli, const Drover__V1__Attestation *ready);
// [{"revision","table","column","count","estimate","known","note"}]; a new reference.
json_t *dr_loss_json(const struct dr_loss *losses, size_t count);

#endif
