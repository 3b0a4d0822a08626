// Log: one line per event on stderr; text for people on a terminal, JSON lines otherwise. Library
// code does not log.
#ifndef DR_BASE_LOG_H
#define DR_BASE_LOG_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct dr_err;

enum dr_log_level { DR_LOG_DEBUG, DR_LOG_INFO, DR_LOG_WARN, DR_LOG_ERROR };
enum dr_log_format { DR_LOG_AUTO, DR_LOG_TEXT, DR_LOG_JSON };

// Sets the program's name ("droverd"), the least level and the format. AUTO: text on a terminal,
// else JSON lines. DROVER_LOG=debug|info|warn|error overrides the level.
void dr_log_init(const char *component, enum dr_log_level level, enum dr_log_format format);

// One event. `fields`: pairs of key and string value, ended by NULL, e.g. dr_log(DR_LOG_INFO, "plan
// received", "target", name, "plan", hex, NULL). Control characters in values are escaped. Any
// thread.
void dr_log(enum dr_log_level level, const char *message, ...);
// An error with its code, message, hint and position.
void dr_log_err(enum dr_log_level level, const char *message, const struct dr_err *err);

#endif
