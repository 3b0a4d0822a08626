// Signing a root, fleet or chain: what it says, what it changes, my signature, and how many there
// are. A root brings along the fleet and the chain that would not hold under it otherwise.
#ifndef DR_CLI_SIGNING_H
#define DR_CLI_SIGNING_H

#include "coordinator/cli/trust_now.h"

// One document on disk.
struct dr_signing_file {
    const char *path;
    struct dr_trust_file file;
    uint64_t version;
    uint32_t have, need;         // under the root that decides now
    uint32_t have_old, need_old; // a next root: under the root in force; need_old 0 otherwise
    bool is_complete;
    bool is_file; // named as a file by who types, not fetched
};

struct dr_signing {
    struct dr_cli *cli;
    const struct dr_trust_now *now;
    struct dr_signing_file document;
    struct dr_signing_file with[2]; // fleet and chain that go with a next root
    size_t n_with;
    const Drover__V1__Root *root; // whose people may sign: the document's own, or the one in force
    struct dr_buf changes;        // lines of words
    char until[32];               // when a fleet expires
    bool is_in_force;             // to the byte what is in force already
};

// Finds what `name` means (a file, or root, fleet or chain with or without .N, in the project or at
// the coordinator) and reads it. DR_E_NOT_FOUND, DR_E_BAD_*.
DR_MUST_CHECK enum dr_rc
dr_signing_open(struct dr_cli *cli, const struct dr_trust_now *now, const char *name,
                struct dr_signing *out, struct dr_err *err);
// The same for a document that was just made; nothing is on disk yet.
DR_MUST_CHECK enum dr_rc
dr_signing_begin(struct dr_cli *cli, const struct dr_trust_now *now, const char *path,
                 const struct dr_trust_file *file, struct dr_signing *out, struct dr_err *err);
void dr_signing_fini(struct dr_signing *signing);

// Tells in words what the document says and changes, and what is signed along with it.
void dr_signing_describe(const struct dr_signing *signing);
// Adds a signature of `key` to all of it and writes the files. DR_E_PERMISSION when nobody there
// has this key.
DR_MUST_CHECK enum dr_rc
dr_signing_add(struct dr_signing *signing, const struct dr_key *key, struct dr_err *err);
// Says how far it is, notes the pin of a first root, hands everything to the coordinator.
DR_MUST_CHECK enum dr_rc dr_signing_report(struct dr_signing *signing, struct dr_err *err);

// For signing.c: what `name` means, in signing_find.c; lines of change, in signing_words.c.
DR_MUST_CHECK enum dr_rc
dr_signing_find(struct dr_cli *cli, const struct dr_trust_now *now, const char *name,
                struct dr_signing_file *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_signing_read_words(struct dr_signing *signing, struct dr_err *err);
// The fleet or chain that is in force as trust/KIND.N.drv, written if it is not there; path NULL:
// none is known. Without the person's trusted folder the newest complete file.
DR_MUST_CHECK enum dr_rc
dr_signing_in_force(struct dr_cli *cli, const struct dr_trust_now *now, const char *kind,
                    struct dr_signing_file *out, struct dr_err *err);

#endif
