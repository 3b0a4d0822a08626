// Check: `drover-agent check` tells what is wrong with this host before an agent runs on it. Every
// finding names what to do. It changes nothing.
#ifndef DR_AGENT_CHECK_H
#define DR_AGENT_CHECK_H

#include "agent/config.h"

#include <stdbool.h>
#include <stdio.h>

enum dr_agent_check_level { DR_LEVEL_OK, DR_LEVEL_WARN, DR_LEVEL_FAIL };

struct dr_agent_check_list;

// Looks at everything and prints a line each to `out` ("ok    root             ..."), or one JSON
// array. DR_E_AGENT_CHECK when something is FAIL. Blocks up to about 10 s per database and
// coordinator.
DR_MUST_CHECK enum dr_rc
dr_agent_check(const char *config_path, bool as_json, FILE *out, struct dr_err *err);

// For check_db.c: one finding; `remedy` may be NULL.
void dr_agent_check_add(struct dr_agent_check_list *list, enum dr_agent_check_level level,
                        const char *item, const char *remedy, const char *fmt, ...) DR_PRINTF(5, 6);
void dr_agent_check_add_err(struct dr_agent_check_list *list, const char *item,
                            const struct dr_err *err);
// Connection, identity, pooler, standby, privileges and backup tool of one target.
void dr_agent_check_database(struct dr_agent_check_list *list, const struct dr_agent_config *config,
                             const struct dr_agent_target *target);

#endif
