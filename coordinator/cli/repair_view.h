// Repair for people: what was proved unit by unit, and the commands that lead out.
#ifndef DR_CLI_REPAIR_VIEW_H
#define DR_CLI_REPAIR_VIEW_H

#include "coordinator/cli/cli.h"

#include "engine/repair.h"
#include "revision/graph.h"

// What is shown of a target beside its units.
struct dr_repair_facts {
    const char *target;   // name, or URL without its password
    const char *where;    // "production/orders", or "--url URL": as commands name it
    const char *trouble;  // what is wrong beside half-done units; "" when nothing is
    const char *finished; // revision that is there once what is half done is finished; "" for none
    const char *undone;   // revision that is there once it is undone; "base" for none
};

// Prints text or JSON (schema drover.v1.Repair), as the call wants, and sets exit code 7 when
// something is to be repaired.
void dr_repair_print(struct dr_cli *cli, const struct dr_repair_facts *facts,
                     const struct dr_repair *repair, const struct dr_graph *graph);

#endif
