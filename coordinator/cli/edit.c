#include "coordinator/cli/edit.h"

#include "base/cmd.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 15u
#define FILES_MAX 64u

enum dr_rc
dr_edit(struct dr_cli *cli, const char *const *paths, size_t count, const char *hint,
        struct dr_err *err)
{
    const char *argv[WORDS_MAX + FILES_MAX + 1] = {NULL};
    const char *editor = getenv("VISUAL");
    size_t n = 0;
    int exit_code = 0;
    editor = editor && editor[0] ? editor : getenv("EDITOR");
    if (!cli->interactive && (editor == NULL || editor[0] == '\0')) {
        dr_err_set(err, DR_E_USAGE, "nobody is here to edit");
        return dr_err_hint(err, "%s", hint);
    }
    editor = editor && editor[0] ? editor : "vi";
    if (count > FILES_MAX) {
        return dr_err_set(err, DR_E_USAGE, "%zu files are too many to edit at once", count);
    }
    for (const char *p = editor; *p != '\0' && n < WORDS_MAX;) { // "code --wait"; there is no shell
        size_t len = strcspn(p, " \t");
        if (len > 0) {
            argv[n++] = dr_arena_strn(cli->arena, p, len);
        }
        p += len + (p[len] != '\0' ? 1 : 0);
    }
    memcpy(&argv[n], paths, count * sizeof(*paths));
    enum dr_rc rc = dr_cmd_foreground(argv, &exit_code, err);
    if (rc == DR_OK && exit_code != 0) {
        dr_err_set(err, DR_E_INTERRUPTED, "the editor '%s' ended with %d", editor, exit_code);
        return dr_err_hint(err, "%s", hint);
    }
    return rc;
}
