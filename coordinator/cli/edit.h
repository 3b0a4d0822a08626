// The person's editor: $VISUAL, else $EDITOR, else vi.
#ifndef DR_CLI_EDIT_H
#define DR_CLI_EDIT_H

#include "coordinator/cli/cli.h"

// Runs it on `count` files and waits for it. DR_E_USAGE with `hint` when no editor is named and
// nobody is at the terminal; DR_E_INTERRUPTED when it ended with an error.
DR_MUST_CHECK enum dr_rc dr_edit(struct dr_cli *cli, const char *const *paths, size_t count,
                                 const char *hint, struct dr_err *err);

#endif
