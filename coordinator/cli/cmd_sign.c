// sign: a person's signature on a root, fleet or chain.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/signing.h"

// The first root is pinned by the digest of the whole file: once it is complete, one signature more
// would cut off everybody who pinned it.
static bool
is_closed(const struct dr_signing *s)
{
    return dr_str_eq(s->document.file.kind, DR_TYPE_ROOT) && s->document.version == 1 &&
           s->document.is_complete;
}

// What came from the coordinator is signed after a look at it: where nobody can be asked, only with
// --yes. A file was named by who types.
static enum dr_rc
confirm(const struct dr_signing *s, struct dr_err *err)
{
    bool go = true;
    enum dr_rc rc = s->cli->interactive || !s->document.is_file
                        ? dr_ask_yes(s->cli, "Sign this?", &go, err)
                        : DR_OK;
    return rc == DR_OK && !go ? dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed") : rc;
}

static enum dr_rc
sign(struct dr_cli *cli, const struct dr_trust_now *now, const char *name, struct dr_err *err)
{
    struct dr_signing s = {0};
    struct dr_key key = {0};
    enum dr_rc rc = dr_signing_open(cli, now, name, &s, err);
    if (rc == DR_OK) {
        dr_signing_describe(&s);
    }
    if (rc == DR_OK && is_closed(&s)) {
        dr_print_note(cli, "note: it had enough signatures already, so none was added");
    } else if (rc == DR_OK) {
        rc = confirm(&s, err);
        rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
        rc = rc == DR_OK ? dr_signing_add(&s, &key, err) : rc;
    }
    rc = rc == DR_OK ? dr_signing_report(&s, err) : rc;
    dr_key_fini(&key);
    dr_signing_fini(&s);
    return rc;
}

enum dr_rc
dr_cmd_sign(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_trust_now now = {0};
    enum dr_rc rc = dr_trust_now_open(cli, &now, err);
    rc = rc == DR_OK ? sign(cli, &now, cli->args_count > 0 ? cli->args[0] : "root", err) : rc;
    dr_trust_now_close(&now);
    return rc;
}
