// Time zones: how far local time is from UTC, read from the system's time zone database without
// the process's own TZ (which threads share).
#ifndef DR_BASE_ZONE_H
#define DR_BASE_ZONE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define DR_ZONE_FOLDER   "/usr/share/zoneinfo"
#define DR_ZONE_NAME_MAX 64u
#define DR_ZONE_FILE_MAX (256u * 1024u)

struct dr_zone;

// Could this be a zone's name? Letters, digits, '_', '+', '-' and '/', at most DR_ZONE_NAME_MAX, no
// way out of the folder. Asks no file.
bool dr_zone_name_is_sound(const char *name);
// Reads the zone `name` ("UTC" needs no file; else "Europe/Zurich") from `folder`, NULL: the
// system's. Format: TZif, version 1 to 4 (RFC 9636). DR_E_NOT_FOUND (no such zone, with a hint),
// DR_E_INVALID (the file is none of a zone), DR_E_IO, DR_E_LIMIT, DR_E_NOMEM. Blocks on one read.
DR_MUST_CHECK enum dr_rc
dr_zone_load(const char *folder, const char *name, struct dr_zone **out, struct dr_err *err);
// Seconds to add to UTC at `unix_s`, in [-26 h, 26 h]. Before the first change that is known the
// first type counts, behind the last one the file's rule.
int32_t dr_zone_offset_s(const struct dr_zone *zone, int64_t unix_s);
void dr_zone_free(struct dr_zone **zone);

#endif
