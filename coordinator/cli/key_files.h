// A person's three files: NAME.key (signing), NAME.transport, NAME.pub.
#ifndef DR_CLI_KEY_FILES_H
#define DR_CLI_KEY_FILES_H

#include "coordinator/cli/cli.h"

#include "trust/keyfile.h"

// Makes them in `folder` (which is made). The signing key gets the passphrase that --passphrase-fd
// or the terminal gives, none with --no-passphrase; the transport key is always unattended.
// `out_signing` (NULL: not kept) is the caller's to wipe. DR_E_EXISTS leaves everything as it was.
DR_MUST_CHECK enum dr_rc
dr_key_files_make(struct dr_cli *cli, const char *folder, const char *name,
                  struct dr_public *out_public, struct dr_key *out_signing, struct dr_err *err);

// A new passphrase from `fd` (-1: asked twice on the terminal); NULL in `*out` with
// --no-passphrase. DR_E_USAGE when it is empty or the two differ.
DR_MUST_CHECK enum dr_rc
dr_key_new_passphrase(struct dr_cli *cli, int fd, struct dr_secret **out, struct dr_err *err);

#endif
