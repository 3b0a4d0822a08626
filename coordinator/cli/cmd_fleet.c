// fleet, agent retire, agent rekey: the list of agents and targets, and its next version.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/fleet_change.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static void
print_fleet(struct dr_cli *cli, const struct dr_fleet_draft *fleet)
{
    static const char *const columns[] = {"TARGET", "ENGINE", "AGENT", "KEY ID", "STATE", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    json_t *list = json_array();
    for (size_t i = 0; table != NULL && i < fleet->n_entries; i++) {
        const Drover__V1__Target *t = fleet->entries[i]->target;
        uint8_t id[32];
        char shown[20];
        if (t == NULL) {
            continue;
        }
        const char *engine = t->engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql";
        const char *state = t->state == DROVER__V1__TARGET_STATE__RETIRED ? "retired" : "active";
        dr_keyid(t->agent_signing_key.data, id);
        dr_print_digest(shown, id, 32);
        dr_table_row(table, SIZE_MAX,
                     (const char *[]){t->name, engine, t->agent, shown, state, NULL});
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s}", "target", t->name, "engine",
                                        engine, "agent", t->agent, "keyId", shown, "state", state));
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:I, s:I, s:O}", "schema", "drover.v1.FleetShown",
                                     "version", (json_int_t)fleet->header->version, "expires",
                                     (json_int_t)fleet->header->expires, "targets", list));
    } else if (table != NULL) {
        char expires[32];
        dr_format_time(expires, fleet->header->expires);
        dr_say(cli, "Fleet: %llu, until %s\n", (unsigned long long)fleet->header->version, expires);
        dr_table_print(table, stdout);
    }
    json_decref(list);
    dr_table_free(&table);
}

enum dr_rc
dr_cmd_fleet_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    if (rc == DR_OK) {
        const Drover__V1__Fleet *fleet = change.draft.header;
        dr_remote_note_expiry(cli, "fleet", fleet->version, fleet->expires, "drover fleet renew");
        print_fleet(cli, &change.draft);
    }
    dr_fleet_change_close(&change);
    return rc;
}

enum dr_rc
dr_cmd_fleet_renew(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    rc = rc == DR_OK ? dr_fleet_change_finish(&change, "Sign this fleet?", err) : rc;
    if (rc == DR_OK) {
        dr_fleet_change_json(&change, "drover.v1.FleetRenewed", NULL);
    }
    dr_fleet_change_close(&change);
    return rc;
}

static enum dr_rc
no_agent(const struct dr_fleet_draft *fleet, const char *name, struct dr_err *err)
{
    const char *known = NULL;
    for (size_t i = 0; i < fleet->n_entries; i++) {
        known = fleet->entries[i]->target ? fleet->entries[i]->target->agent : known;
    }
    dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no agent '%s'", name);
    return known ? dr_err_hint(err, "drover fleet show; one of them is '%s'", known)
                 : dr_err_hint(err, "drover agent add NAME");
}

enum dr_rc
dr_cmd_agent_retire(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    size_t found = 0;
    const char *name = cli->args[0];
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    for (size_t i = 0; rc == DR_OK && i < change.draft.n_entries; i++) {
        Drover__V1__Target *t = change.draft.entries[i]->target;
        if (t != NULL && dr_str_eq(t->agent, name)) {
            t->state = DROVER__V1__TARGET_STATE__RETIRED;
            found++;
        }
    }
    rc = rc == DR_OK && found == 0 ? no_agent(&change.draft, name, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_finish(&change, "Sign this fleet?", err) : rc;
    if (rc == DR_OK && change.is_signed) {
        dr_say(cli,
               "Agent %s retires with %zu %s: it can do nothing once this fleet is in force.\n",
               name, found, found == 1 ? "target" : "targets");
        dr_fleet_change_json(&change, "drover.v1.AgentRetired", name);
    }
    dr_fleet_change_close(&change);
    return rc;
}

static enum dr_rc
read_public(struct dr_cli *cli, struct dr_public *out, struct dr_err *err)
{
    const char *path = dr_cli_option(cli, "public-key");
    char *text = NULL;
    size_t len = 0;
    if (path == NULL) {
        dr_err_set(err, DR_E_USAGE, "the agent's new public key is not given");
        return dr_err_hint(err, "on its host: drover-agent key new --dir NEWFOLDER --name %s",
                           cli->args[0]);
    }
    enum dr_rc rc = dr_file_read(path, DR_KEYFILE_MAX, &text, &len, err);
    if (rc == DR_OK && (rc = dr_public_parse(text, out, err)) != DR_OK) {
        dr_err_wrap(err, "'%s'", path);
    }
    free(text);
    return rc;
}

static enum dr_rc
check_name(const char *agent, const struct dr_public *key, struct dr_err *err)
{
    if (dr_str_eq(key->name, agent)) {
        return DR_OK;
    }
    dr_err_set(err, DR_E_USAGE, "this is the public key of '%s', not of '%s'", key->name, agent);
    return dr_err_hint(err, "on its host: drover-agent key new --dir NEWFOLDER --name %s", agent);
}

enum dr_rc
dr_cmd_agent_rekey(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change = {0};
    struct dr_public key;
    size_t found = 0;
    const char *name = cli->args[0];
    enum dr_rc rc = read_public(cli, &key, err);
    rc = rc == DR_OK ? check_name(name, &key, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_open(cli, 0, &change, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < change.draft.n_entries; i++) {
        Drover__V1__Target *t = change.draft.entries[i]->target;
        if (t != NULL && dr_str_eq(t->agent, name)) {
            t->agent_signing_key = dr_data(key.signing, 32);
            t->agent_transport_key = dr_data(key.transport, 32);
            found++;
        }
    }
    rc = rc == DR_OK && found == 0 ? no_agent(&change.draft, name, err) : rc;
    rc = rc == DR_OK ? dr_fleet_change_finish(&change, "Sign this fleet?", err) : rc;
    if (rc == DR_OK && change.is_signed) {
        dr_say(cli, "Agent %s has a new key for %zu %s once this fleet is in force.\n", name, found,
               found == 1 ? "target" : "targets");
        dr_fleet_change_json(&change, "drover.v1.AgentRekeyed", name);
    }
    dr_fleet_change_close(&change);
    return rc;
}
