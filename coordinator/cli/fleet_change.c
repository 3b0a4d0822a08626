// The next fleet, from the newest.

#include "coordinator/cli/fleet_change.h"
#include "coordinator/cli/offer.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/signing.h"
#include "coordinator/cli/trust_words.h"

#include "base/clock.h"

#include <string.h>

// A fleet that came into force through somebody else becomes a file here first, so that the next
// one is built on it.
static enum dr_rc
bring_in(struct dr_fleet_change *change, struct dr_err *err)
{
    const struct dr_trust *trust = change->now.remote.trust;
    struct dr_signing_file file;
    if (trust == NULL || trust->fleet.msg == NULL ||
        trust->fleet.msg->version <= dr_trust_file_newest(change->cli, "fleet")) {
        return DR_OK;
    }
    return dr_signing_in_force(change->cli, &change->now, DR_TYPE_FLEET, &file, err);
}

enum dr_rc
dr_fleet_change_open(struct dr_cli *cli, size_t spare, struct dr_fleet_change *out,
                     struct dr_err *err)
{
    *out = (struct dr_fleet_change){.cli = cli};
    enum dr_rc rc = dr_project_need(cli, err);
    rc = rc == DR_OK ? dr_trust_now_open(cli, &out->now, err) : rc;
    rc = rc == DR_OK ? bring_in(out, err) : rc;
    rc = rc == DR_OK ? dr_fleet_draft_load(cli, spare, &out->draft, err) : rc;
    if (rc == DR_OK) {
        out->version = out->draft.header->version + 1;
        out->path = dr_trust_file_path(cli, "fleet", out->version);
    }
    return rc;
}

void
dr_fleet_change_close(struct dr_fleet_change *change)
{
    dr_trust_now_close(&change->now);
}

static enum dr_rc
make_draft(struct dr_fleet_change *change, struct dr_trust_file *out, struct dr_err *err)
{
    struct dr_arena *arena = change->cli->arena;
    struct dr_fleet_draft *d = &change->draft;
    Drover__V1__Fleet header = *d->header;
    struct dr_bytes payload;
    header.version = change->version;
    header.issued = dr_now_unix_s();
    header.expires = header.issued + DR_FLEET_VALID_S;
    *out = (struct dr_trust_file){.kind = DR_TYPE_FLEET, .n_parts = d->n_entries};
    enum dr_rc rc =
        dr_fleet_draft(arena, header, d->entries, d->n_entries, &payload, &out->parts, err);
    return rc == DR_OK
               ? dr_envelope_build(arena, DR_TYPE_FLEET, payload, NULL, 0, &out->envelope, err)
               : rc;
}

// Is what the change was built on in force, or signed by me? Otherwise my signature would also go
// to what somebody else proposed.
static bool
stands_on_mine(const struct dr_fleet_change *change, const struct dr_key *key)
{
    const struct dr_trust *trust = change->now.remote.trust;
    struct dr_arena *arena = change->cli->arena;
    struct dr_envelope envelope;
    struct dr_bytes pae;
    struct dr_err ignored = {0};
    if (change->now.root.msg == NULL || change->draft.header->version == 1) {
        return true; // what `drover init` made, beside a first root
    }
    if (dr_envelope_parse(change->draft.file.envelope, DR_TYPE_FLEET, &envelope, &ignored) !=
            DR_OK ||
        dr_envelope_pae(arena, envelope.type, envelope.payload, &pae, &ignored) != DR_OK) {
        return false;
    }
    bool is = trust != NULL && trust->fleet.msg != NULL &&
              memcmp(trust->fleet.sha256, envelope.sha256, 32) == 0;
    for (size_t i = 0; !is && i < envelope.n_sigs; i++) {
        is = dr_envelope_sig_is_valid(&envelope.sigs[i], key->public_key, pae);
    }
    return is;
}

static enum dr_rc
sign(struct dr_fleet_change *change, struct dr_signing *s, bool was_shown, struct dr_err *err)
{
    struct dr_key key = {0};
    bool goes_on = true;
    Drover__V1__PutDocumentReply *reply = NULL;
    enum dr_rc rc = dr_remote_signing_key(change->cli, &key, err);
    if (rc == DR_OK && !was_shown && !stands_on_mine(change, &key)) {
        dr_signing_describe(s);
        rc = dr_ask_yes(change->cli, "Sign all of this?", &goes_on, err);
        rc = rc == DR_OK && !goes_on ? dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed") : rc;
    }
    rc = rc == DR_OK ? dr_signing_add(s, &key, err) : rc;
    dr_key_fini(&key);
    if (rc != DR_OK) {
        return rc;
    }
    change->is_signed = true;
    dr_say(change->cli, "Signed: %s", dr_project_shown(change->cli, change->path));
    if (s->document.need > 0) {
        dr_say(change->cli, ", %u of %u", s->document.have, s->document.need);
    }
    dr_say(change->cli, "\n");
    dr_offer(change->cli, change->path, &s->document.file, &reply);
    change->is_in_force = reply != NULL && reply->complete;
    if (s->document.need > s->document.have) {
        dr_say(change->cli, "next: another signer types  drover sign fleet.%llu\n",
               (unsigned long long)change->version);
    }
    return rc;
}

enum dr_rc
dr_fleet_change_finish(struct dr_fleet_change *change, const char *question, struct dr_err *err)
{
    struct dr_trust_file file;
    struct dr_signing s = {0};
    bool goes_on = true;
    enum dr_rc rc = make_draft(change, &file, err);
    rc = rc == DR_OK ? dr_signing_begin(change->cli, &change->now, change->path, &file, &s, err)
                     : rc;
    if (rc == DR_OK && question != NULL) {
        dr_signing_describe(&s);
        rc = dr_ask_yes(change->cli, question, &goes_on, err);
    }
    if (rc == DR_OK && goes_on) {
        rc = sign(change, &s, question != NULL, err);
    } else if (rc == DR_OK) {
        dr_say(change->cli, "Nothing was signed.\n");
    }
    dr_signing_fini(&s);
    return rc;
}

void
dr_fleet_change_json(const struct dr_fleet_change *change, const char *schema, const char *subject)
{
    if (change->cli->format == DR_CLI_TEXT) {
        return;
    }
    dr_print_json(change->cli,
                  json_pack("{s:s, s:s*, s:s*, s:I, s:b, s:b}", "schema", schema, "subject",
                            subject, "file",
                            change->is_signed ? dr_project_shown(change->cli, change->path) : NULL,
                            "version", (json_int_t)change->version, "signed", change->is_signed,
                            "inForce", change->is_in_force));
}

Drover__V1__Environment *
dr_fleet_draft_environment(const struct dr_fleet_draft *draft, const char *name, size_t *out_index)
{
    for (size_t i = 0; i < draft->n_entries; i++) {
        Drover__V1__Environment *e = draft->entries[i]->environment;
        if (e != NULL && dr_str_eq(e->name, name)) {
            if (out_index != NULL) {
                *out_index = i;
            }
            return e;
        }
    }
    return NULL;
}
