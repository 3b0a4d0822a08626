// Evidence: what a configured command says about a backup, as one JSON object on its standard
// output. Nothing in it is believed that is not written as it has to be.
#ifndef DR_ENGINE_BACKUP_EVIDENCE_H
#define DR_ENGINE_BACKUP_EVIDENCE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_EVIDENCE_MAX          65536u // bytes of the JSON text
#define DR_EVIDENCE_ID_MAX       128u
#define DR_EVIDENCE_TOOL_MAX     48u
#define DR_EVIDENCE_LOCATION_MAX 1024u
#define DR_EVIDENCE_DETAIL_MAX   300u

// What is asked of the object: of a backup that was taken all of it, of a restore the id and how
// far it came.
enum dr_backup_evidence_kind { DR_EVIDENCE_TAKEN, DR_EVIDENCE_RESTORED };

struct dr_backup_evidence {
    char id[DR_EVIDENCE_ID_MAX + 1]; // what the tool calls it
    uint64_t size_bytes;             // of the backup where it lies
    int64_t started, finished;       // unix seconds
    uint32_t restore_level;          // DR_BACKUP_LISTED, ...
    bool has_sha256;                 // not every tool has one digest of a backup
    uint8_t sha256[32];
    int64_t keep_until;                  // unix seconds; 0: as long as nobody prunes it
    char tool[DR_EVIDENCE_TOOL_MAX + 1]; // "pgBackRest 2.45"; "": not told
    char location[DR_EVIDENCE_LOCATION_MAX + 1];
    char system_identifier[24]; // of the PostgreSQL cluster that is in it; "": not told
    char detail[DR_EVIDENCE_DETAIL_MAX + 1];
};

// Reads `text`. DR_E_BACKUP_EVIDENCE names the key that is missing, unknown, twice there or not
// what it has to be, and says what that is; DR_E_BACKUP_EMPTY: a backup of 0 bytes.
DR_MUST_CHECK enum dr_rc
dr_backup_evidence_read(const char *text, size_t len, enum dr_backup_evidence_kind kind,
                        struct dr_backup_evidence *out, struct dr_err *err);

#endif
