// people: who may sign what, changed by the next root.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/root_change.h"
#include "coordinator/cli/trust_words.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static enum dr_rc
read_public(const char *path, struct dr_public *out, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(path, DR_KEYFILE_MAX, &text, &len, err);
    if (rc == DR_OK && (rc = dr_public_parse(text, out, err)) != DR_OK) {
        dr_err_wrap(err, "'%s'", path);
    }
    free(text);
    return rc == DR_OK ? rc
                       : dr_err_hint(err, "a public key file as `drover key new NAME` writes it: "
                                          "NAME.pub");
}

static enum dr_rc
add_people(struct dr_root_change *change, struct dr_err *err)
{
    struct dr_cli *cli = change->cli;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < cli->args_count; i++) {
        struct dr_public *key = dr_arena_alloc(cli->arena, sizeof(*key));
        if (key == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        rc = read_public(cli->args[i], key, err);
        rc = rc == DR_OK ? dr_root_add_person(change, key, err) : rc;
        rc = rc == DR_OK ? dr_root_give_roles(change, (uint32_t)change->next->n_people - 1,
                                              dr_cli_option(cli, "roles"), err)
                         : rc;
    }
    return rc;
}

enum dr_rc
dr_cmd_people_add(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_root_change change;
    enum dr_rc rc = dr_root_change_open(cli, &change, err);
    rc = rc == DR_OK ? add_people(&change, err) : rc;
    rc = rc == DR_OK ? dr_root_set_thresholds(&change, dr_cli_option(cli, "threshold"), err) : rc;
    rc = rc == DR_OK ? dr_root_change_finish(&change, err) : rc;
    dr_root_change_close(&change);
    return rc;
}

static enum dr_rc
find_person(const Drover__V1__Root *root, const char *name, uint32_t *out, struct dr_err *err)
{
    int index = dr_root_person_index(root, name);
    if (index < 0) {
        dr_err_set(err, DR_E_NOT_FOUND, "the root names no '%s'", name);
        return dr_err_hint(err, "drover people list");
    }
    *out = (uint32_t)index;
    return DR_OK;
}

enum dr_rc
dr_cmd_people_remove(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_root_change change;
    enum dr_rc rc = dr_root_change_open(cli, &change, err);
    for (size_t i = 0; rc == DR_OK && i < cli->args_count; i++) {
        uint32_t index = 0;
        rc = find_person(change.next, cli->args[i], &index, err);
        if (rc == DR_OK) {
            dr_root_remove_person(change.next, index);
        }
    }
    rc = rc == DR_OK ? dr_root_set_thresholds(&change, dr_cli_option(cli, "threshold"), err) : rc;
    rc = rc == DR_OK ? dr_root_change_finish(&change, err) : rc;
    dr_root_change_close(&change);
    return rc;
}

static enum dr_rc
replace_key(struct dr_root_change *change, struct dr_err *err)
{
    struct dr_cli *cli = change->cli;
    const char *path = dr_cli_option(cli, "public-key");
    struct dr_public *key = dr_arena_alloc(cli->arena, sizeof(*key));
    uint32_t index = 0;
    if (path == NULL || key == NULL) {
        dr_err_set(err, DR_E_USAGE, "the new public key is not given");
        return dr_err_hint(err, "--public-key FILE; drover key new %s --dir NEWFOLDER makes one",
                           cli->args[0]);
    }
    enum dr_rc rc = find_person(change->next, cli->args[0], &index, err);
    rc = rc == DR_OK ? read_public(path, key, err) : rc;
    if (rc == DR_OK && !dr_str_eq(key->name, cli->args[0])) {
        dr_err_set(err, DR_E_USAGE, "'%s' is the public key of '%s', not of '%s'", path, key->name,
                   cli->args[0]);
        rc = dr_err_hint(err, "drover key new %s --dir NEWFOLDER", cli->args[0]);
    }
    Drover__V1__Person *person = rc == DR_OK ? dr_person_new(cli->arena, key) : NULL;
    if (rc == DR_OK && person == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (rc == DR_OK) {
        change->next->people[index] = person;
    }
    return rc;
}

enum dr_rc
dr_cmd_people_replace_key(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_root_change change;
    enum dr_rc rc = dr_root_change_open(cli, &change, err);
    rc = rc == DR_OK ? replace_key(&change, err) : rc;
    rc = rc == DR_OK ? dr_root_change_finish(&change, err) : rc;
    dr_root_change_close(&change);
    return rc;
}

static void
print_people(const struct dr_cli *cli, const Drover__V1__Root *root)
{
    static const char *const columns[] = {"NAME", "KEY ID", "ROLES", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    json_t *list = json_array();
    for (uint32_t i = 0; table != NULL && i < root->n_people; i++) {
        uint8_t id[32];
        char shown[20];
        struct dr_buf roles = {0};
        dr_keyid(root->people[i]->keys[0]->public_key.data, id);
        dr_print_digest(shown, id, 32);
        dr_words_roles(root, i, &roles);
        dr_table_row(table, SIZE_MAX,
                     (const char *[]){root->people[i]->name, shown, roles.data, NULL});
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", root->people[i]->name,
                                              "keyId", shown, "roles", roles.data));
        dr_buf_fini(&roles);
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:I, s:o}", "schema", "drover.v1.People", "rootVersion",
                                     (json_int_t)root->version, "people", list));
    } else {
        dr_table_print(table, stdout);
        json_decref(list);
    }
    dr_table_free(&table);
}

enum dr_rc
dr_cmd_people_list(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_trust_now now = {0};
    enum dr_rc rc = dr_trust_now_need(cli, &now, err);
    if (rc == DR_OK) {
        print_people(cli, now.root.msg);
    }
    dr_trust_now_close(&now);
    return rc;
}
