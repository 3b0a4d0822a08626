// Root and fleet documents as files in the project's trust folder: made, read, signed by each
// person in turn.
#ifndef DR_CLI_TRUST_FILES_H
#define DR_CLI_TRUST_FILES_H

#include "coordinator/cli/cli.h"

#include "proto/service.pb-c.h"
#include "trust/fleet.h"
#include "trust/keyfile.h"
#include "trust/root.h"

#define DR_TRUST_FILE_MAX   (64u * 1024 * 1024)
#define DR_ROOT_VALID_S     (365 * 86400)
#define DR_FLEET_VALID_S    (90 * 86400)
#define DR_ENVIRONMENTS_MAX 16u

// A document with the leaves that travel beside it. A root's file is its envelope alone (its
// SHA-256 is what gets pinned); every other file is a packed Document.
struct dr_trust_file {
    const char *kind;
    struct dr_bytes envelope;
    struct dr_bytes *parts;
    size_t n_parts;
};

// Reads a root or fleet file. DR_E_NOT_FOUND, DR_E_BAD_ENVELOPE with a hint.
DR_MUST_CHECK enum dr_rc dr_trust_file_read(struct dr_cli *cli, const char *path,
                                            struct dr_trust_file *out, struct dr_err *err);
// Writes it atomically.
DR_MUST_CHECK enum dr_rc
dr_trust_file_write(const char *path, const struct dr_trust_file *file, struct dr_err *err);

// Who the first root names.
struct dr_founders {
    const struct dr_public *people;
    size_t n_people;
    uint32_t threshold;       // of root, fleet, reviewers and every environment but the first
    uint32_t first_threshold; // of the first environment
    const char *environments[DR_ENVIRONMENTS_MAX];
    size_t n_environments;
};
// The payload of root 1 with a new cluster id. DR_E_BAD_ROOT and DR_E_BAD_DOCUMENT say what is
// wrong.
DR_MUST_CHECK enum dr_rc
dr_root_found(struct dr_cli *cli, const struct dr_founders *founders, int64_t now,
              struct dr_bytes *out_payload, const uint8_t **out_cluster_id, struct dr_err *err);
// The payload and leaves of fleet 1: no targets, the default policy of each environment.
DR_MUST_CHECK enum dr_rc
dr_fleet_found(struct dr_cli *cli, const struct dr_founders *founders, const uint8_t *cluster_id,
               const uint8_t coordinator_key[32], int64_t now, struct dr_trust_file *out,
               struct dr_err *err);
// A person of a root with one key, in the arena; NULL when memory is out. Borrows the key's bytes.
Drover__V1__Person *dr_person_new(struct dr_arena *arena, const struct dr_public *from);
// The highest version of a file trust/KIND.N.drv in the project; 0 when there is none.
uint64_t dr_trust_file_newest(const struct dr_cli *cli, const char *name);
// Path of version `version`, in the cli's arena.
const char *dr_trust_file_path(const struct dr_cli *cli, const char *name, uint64_t version);

#endif
