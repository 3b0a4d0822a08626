// inbox: everything that waits for my signature, with the command to type.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/stops.h"
#include "coordinator/cli/trust_now.h"

#include "trust/chain.h"

#include <string.h>

#define ROWS_MAX 1000u

struct row {
    const char *what, *text, *command;
    uint32_t have, need;
};

struct inbox {
    struct dr_cli *cli;
    struct dr_remote *remote;
    const Drover__V1__Person *me;
    struct row *rows;
    size_t n;
    struct dr_stop *stops;
    size_t n_stops;
    struct dr_chain proposed; // the longest chain that lacks signatures; msg NULL: none
};

static void
add(struct inbox *in, struct row row)
{
    if (in->n < ROWS_MAX && row.text != NULL && row.command != NULL) {
        in->rows[in->n++] = row;
    }
}

static bool
have_signed(const struct inbox *in, const struct dr_envelope *envelope)
{
    for (size_t i = 0; i < envelope->n_sigs; i++) {
        for (size_t k = 0; k < in->me->n_keys; k++) {
            uint8_t id[32];
            dr_keyid(in->me->keys[k]->public_key.data, id);
            if (memcmp(id, envelope->sigs[i].keyid, 32) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_in(const struct inbox *in, const Drover__V1__Role *role)
{
    int index = dr_root_person_index(in->remote->trust->root.msg, in->me->name);
    return index >= 0 && role != NULL && dr_role_has(role, (uint32_t)index);
}

static uint64_t
version_in(struct inbox *in, const char *kind, struct dr_bytes payload)
{
    ProtobufCMessage *message = NULL;
    struct dr_chain chain;
    struct dr_err ignored = {0};
    struct dr_arena *arena = in->cli->arena;
    if (dr_str_eq(kind, "chain")) {
        if (dr_chain_decode(arena, payload, &chain, &ignored) != DR_OK) {
            return 0;
        }
        if (in->proposed.msg == NULL || chain.msg->n_entries > in->proposed.msg->n_entries) {
            in->proposed = chain;
        }
        return chain.msg->version;
    }
    bool is_root = dr_str_eq(kind, "root");
    if (dr_strict_decode(arena,
                         is_root ? &drover__v1__root__descriptor : &drover__v1__fleet__descriptor,
                         payload, &message, &ignored) != DR_OK) {
        return 0;
    }
    return is_root ? ((const Drover__V1__Root *)message)->version
                   : ((const Drover__V1__Fleet *)message)->version;
}

static uint64_t
in_force(const struct inbox *in, const char *kind)
{
    const struct dr_trust *trust = in->remote->trust;
    if (dr_str_eq(kind, "root")) {
        return trust->root.msg->version;
    }
    if (dr_str_eq(kind, "fleet")) {
        return trust->fleet.msg != NULL ? trust->fleet.msg->version : 0;
    }
    return trust->chain.msg != NULL ? trust->chain.msg->version : 0;
}

// Roots, fleets and chains that lack signatures.
static enum dr_rc
add_documents(struct inbox *in, const char *word, const char *type, const Drover__V1__Role *role,
              struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **rows = NULL;
    size_t n = 0;
    struct dr_arena *arena = in->cli->arena;
    request.kind = dr_arena_str(arena, type);
    request.pending = true;
    enum dr_rc rc = dr_remote_list(in->remote, request, &rows, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        struct dr_envelope envelope;
        struct dr_err ignored = {0};
        struct dr_bytes wire = {rows[i]->envelope.data, rows[i]->envelope.len};
        struct dr_trust_file file = {.kind = type, .envelope = wire};
        struct row row = {.what = word};
        if (dr_envelope_parse(wire, type, &envelope, &ignored) != DR_OK) {
            continue;
        }
        uint64_t version = version_in(in, word, envelope.payload);
        if (version <= in_force(in, word) || have_signed(in, &envelope) ||
            (!is_in(in, role) && !dr_str_eq(word, "root"))) {
            continue; // a later one has overtaken it, or it does not wait for me
        }
        bool is_chain = dr_str_eq(word, "chain");
        rc = dr_trust_file_count(in->cli, in->remote->trust->root.msg, &file, &row.have, &row.need,
                                 err);
        row.text = dr_arena_printf(arena, "%s %llu", word, (unsigned long long)version);
        row.command = is_chain ? "drover approve chain"
                               : dr_arena_printf(arena, "drover sign %s.%llu", word,
                                                 (unsigned long long)version);
        add(in, row);
    }
    return rc;
}

// Submitted revisions that no chain names yet: the first reviewer's turn.
static enum dr_rc
add_revisions(struct inbox *in, const Drover__V1__Role *role, struct dr_err *err)
{
    Drover__V1__ListRevisionsRequest request = DROVER__V1__LIST_REVISIONS_REQUEST__INIT;
    Drover__V1__ListRevisionsReply *submitted = NULL;
    const struct dr_chain *held = &in->remote->trust->chain;
    struct dr_arena *arena = in->cli->arena;
    struct dr_chain_revision found;
    uint32_t n_new = 0;
    if (!is_in(in, role)) {
        return DR_OK;
    }
    request.project = in->cli->project->name;
    enum dr_rc rc = dr_remote_call(in->remote, DR_METHOD_OPERATOR_LIST_REVISIONS, &request.base,
                                   &submitted, err);
    for (size_t i = 0; rc == DR_OK && i < submitted->n_revisions; i++) {
        const Drover__V1__SubmittedRevision *row = submitted->revisions[i];
        n_new +=
            row->digest.len == 32 &&
            (held->msg == NULL || !dr_chain_find(held, row->digest.data, &found)) &&
            (in->proposed.msg == NULL || !dr_chain_find(&in->proposed, row->digest.data, &found));
    }
    if (n_new > 0) {
        add(in, (struct row){"chain",
                             dr_arena_printf(arena, "%u submitted %s", n_new,
                                             n_new == 1 ? "revision" : "revisions"),
                             "drover approve chain", 0, role->threshold});
    }
    return rc;
}

static bool
names_me(const struct inbox *in, const Drover__V1__StageStatus *stage)
{
    for (size_t i = 0; i < stage->n_signers; i++) {
        if (dr_str_eq(stage->signers[i], in->me->name)) {
            return true;
        }
    }
    return false;
}

// Has anything happened there that somebody can look at afterwards?
static bool
is_done(const Drover__V1__StageStatus *stage)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        if (dr_str_eq(stage->targets[i]->state, "applied") ||
            dr_str_eq(stage->targets[i]->state, "reverted")) {
            return true;
        }
    }
    return false;
}

// One environment of a rollout: an approval that lacks signatures, and open items of the list.
static void
add_stage(struct inbox *in, const Drover__V1__Rollout *rollout,
          const Drover__V1__StageStatus *stage)
{
    struct dr_arena *arena = in->cli->arena;
    const Drover__V1__Role *role =
        dr_root_approvers(in->remote->trust->root.msg, stage->environment);
    size_t ready = 0;
    for (size_t i = 0; i < stage->n_targets; i++) {
        ready += dr_str_eq(stage->targets[i]->state, "ready");
    }
    if (ready > 0 && !stage->approval_complete && !names_me(in, stage) && is_in(in, role)) {
        const struct dr_stop *stop =
            dr_stops_holding(in->stops, in->n_stops, stage->environment, rollout);
        add(in,
            (struct row){"approval",
                         dr_arena_printf(
                             arena, "%s in %s, %zu %s ready%s%s", rollout->id, stage->environment,
                             ready, ready == 1 ? "target" : "targets", stop ? "; " : "",
                             stop ? dr_stop_text(in->cli, stop, stage->environment) : ""),
                         stop ? dr_stop_way_out(in->cli, stop, stage->environment, rollout)
                              : dr_arena_printf(arena, "drover approve %s -e %s", rollout->id,
                                                stage->environment),
                         stage->signatures, role->threshold});
    }
    for (size_t i = 0; i < stage->n_gates; i++) {
        const Drover__V1__GateStatus *gate = stage->gates[i];
        bool is_time = gate->after ? is_done(stage) : ready > 0;
        if (gate->by_person && !gate->is_open && is_time && dr_name_is_valid(gate->item)) {
            add(in, (struct row){"item",
                                 dr_arena_printf(arena, "%s of %s in %s", gate->item, rollout->id,
                                                 stage->environment),
                                 dr_arena_printf(arena, "drover checklist %s sign %s", rollout->id,
                                                 gate->item),
                                 0, 1});
        }
    }
}

static enum dr_rc
add_rollouts(struct inbox *in, struct dr_err *err)
{
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__RolloutList *list = NULL;
    enum dr_rc rc =
        dr_remote_call(in->remote, DR_METHOD_OPERATOR_LIST_ROLLOUTS, &request.base, &list, err);
    for (size_t i = 0; rc == DR_OK && i < list->n_rollouts; i++) {
        Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
        Drover__V1__Rollout *rollout = NULL;
        if (list->rollouts[i]->is_aborted || !dr_name_is_valid(in->me->name)) {
            continue;
        }
        id.id = list->rollouts[i]->id;
        rc = dr_remote_call(in->remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err);
        for (size_t k = 0; rc == DR_OK && k < rollout->n_stages; k++) {
            add_stage(in, rollout, rollout->stages[k]);
        }
    }
    return rc;
}

// Lifts of freezes and vetoes that lack signatures.
static void
add_lifts(struct inbox *in)
{
    const struct dr_stop *stops = in->stops;
    struct dr_arena *arena = in->cli->arena;
    for (size_t i = 0; i < in->n_stops; i++) {
        struct dr_envelope envelope;
        struct dr_err ignored = {0};
        const char *environment = stops[i].signoff.msg->environment;
        const Drover__V1__Role *role = dr_root_approvers(in->remote->trust->root.msg, environment);
        if (stops[i].lift == NULL || stops[i].is_lifted || !is_in(in, role) ||
            dr_envelope_parse(
                (struct dr_bytes){stops[i].lift->envelope.data, stops[i].lift->envelope.len},
                DR_TYPE_SIGNOFF, &envelope, &ignored) != DR_OK ||
            have_signed(in, &envelope)) {
            continue;
        }
        add(in,
            (struct row){"lift",
                         dr_arena_printf(arena, "%s of %s in %s", dr_stop_word(&stops[i]),
                                         stops[i].person, environment),
                         stops[i].signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE
                             ? dr_arena_printf(arena, "drover freeze lift %s", environment)
                             : dr_arena_printf(arena, "drover veto lift R-N -e %s", environment),
                         (uint32_t)envelope.n_sigs, role->threshold});
    }
}

static void
print_inbox(const struct inbox *in)
{
    static const char *const columns[] = {"WAITS", "WHAT", "SIGNED", "TYPE", NULL};
    struct dr_table *table = dr_table_new(in->cli, columns);
    json_t *list = json_array();
    for (size_t i = 0; table != NULL && i < in->n; i++) {
        const struct row *row = &in->rows[i];
        const char *count = dr_arena_printf(in->cli->arena, "%u of %u", row->have, row->need);
        dr_table_row(
            table, SIZE_MAX,
            (const char *[]){row->what, row->text, count ? count : "", row->command, NULL});
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i, s:s}", "kind", row->what,
                                              "what", row->text, "signatures", (int)row->have,
                                              "needed", (int)row->need, "try", row->command));
    }
    if (in->cli->format != DR_CLI_TEXT) {
        dr_print_json(in->cli, json_pack("{s:s, s:s, s:O}", "schema", "drover.v1.Inbox", "person",
                                         in->me->name, "waiting", list));
    } else if (in->n == 0) {
        dr_say(in->cli, "Nothing waits for %s.\n", in->me->name);
    } else if (table != NULL) {
        dr_table_print(table, stdout);
    }
    json_decref(list);
    dr_table_free(&table);
}

// Me: the person whose transport key this is.
static enum dr_rc
find_me(struct inbox *in, struct dr_err *err)
{
    struct dr_key key = {0};
    enum dr_rc rc = dr_keyfile_load(in->cli->project->transport, DR_KEY_TRANSPORT, NULL, &key, err);
    if (rc != DR_OK) {
        return rc;
    }
    in->me = dr_root_person_by_transport(in->remote->trust->root.msg, key.public_key);
    dr_key_fini(&key);
    return in->me != NULL
               ? DR_OK
               : dr_err_set(err, DR_E_PERMISSION, "the root names nobody with your transport key");
}

enum dr_rc
dr_cmd_inbox(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct inbox in = {.cli = cli, .remote = &remote};
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? find_me(&in, err) : rc;
    in.rows = dr_arena_array(cli->arena, ROWS_MAX, sizeof(*in.rows));
    if (rc == DR_OK && in.rows == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    const Drover__V1__Root *root = rc == DR_OK ? remote.trust->root.msg : NULL;
    rc = rc == DR_OK ? add_documents(&in, "root", DR_TYPE_ROOT, root->root, err) : rc;
    rc = rc == DR_OK ? add_documents(&in, "fleet", DR_TYPE_FLEET, root->fleet, err) : rc;
    rc = rc == DR_OK ? add_documents(&in, "chain", DR_TYPE_CHAIN, root->reviewers, err) : rc;
    rc = rc == DR_OK ? add_revisions(&in, root->reviewers, err) : rc;
    rc = rc == DR_OK ? dr_stops_load(&remote, NULL, &in.stops, &in.n_stops, err) : rc;
    rc = rc == DR_OK ? add_rollouts(&in, err) : rc;
    if (rc == DR_OK) {
        add_lifts(&in);
        print_inbox(&in);
    }
    dr_remote_close(&remote);
    return rc;
}
