// ping, rpc list, rpc call, version.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/clock.h"
#include "base/cmd.h"
#include "rpc/methods.h"
#include "rpc/reflect.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum dr_rc
dr_cmd_ping(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__HealthRequest request = DROVER__V1__HEALTH_REQUEST__INIT;
    Drover__V1__HealthReply *reply = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    int64_t began = dr_monotonic_ms();
    rc = rc == DR_OK ? dr_remote_call(&remote, DR_METHOD_HEALTH_CHECK, &request.base, &reply, err)
                     : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s}", "schema", "drover.v1.Ping", "version",
                                     reply->version, "caller", reply->caller, "kind",
                                     reply->caller_kind));
    } else if (rc == DR_OK) {
        dr_say(cli, "droverd %s at %s, %lld ms; you are %s (%s)\n", reply->version,
               cli->project->coordinator, (long long)(dr_monotonic_ms() - began), reply->caller,
               reply->caller_kind);
    }
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_cmd_rpc_list(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"METHOD", "REQUEST", "REPLY", "WHO", "STREAM", NULL};
    struct dr_remote remote = {0};
    Drover__V1__ReflectRequest request = DROVER__V1__REFLECT_REQUEST__INIT;
    Drover__V1__ReflectReply *reply = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_REFLECTION_LIST, &request.base, &reply, err)
             : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        rc = dr_print_message(cli, "drover.v1.Methods", &reply->base, err);
    } else if (rc == DR_OK) {
        struct dr_table *table = dr_table_new(cli, columns);
        for (size_t i = 0; table != NULL && i < reply->n_methods; i++) {
            const Drover__V1__ReflectMethod *m = reply->methods[i];
            const char *cells[] = {
                m->name, m->request, m->reply, m->auth, m->streaming ? "stream" : "", NULL};
            dr_table_row(table, SIZE_MAX, cells);
        }
        if (table != NULL) {
            dr_table_print(table, stdout);
        }
        dr_table_free(&table);
    }
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_cmd_rpc_call(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *reply = NULL;
    json_error_t why;
    const char *text = cli->args_count > 1 ? cli->args[1] : "{}";
    const struct dr_method *method = dr_method_find(cli->args[0]);
    if (method == NULL || method->is_streaming) {
        dr_err_set(err, DR_E_USAGE,
                   method ? "'%s' streams; it cannot be called like this"
                          : "there is no method '%s'",
                   cli->args[0]);
        return dr_err_hint(err, method ? "drover rollout watch R-N" : "drover rpc list");
    }
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        dr_err_set(err, DR_E_USAGE, "the request is no JSON: %s", why.text);
        return dr_err_hint(err, "drover rpc call %s '{}'", cli->args[0]);
    }
    enum dr_rc rc = dr_json_to_message(json, method->request, cli->arena, &request, err);
    json_decref(json);
    rc = rc == DR_OK ? dr_remote_open(cli, &remote, err) : rc;
    rc = rc == DR_OK ? dr_remote_call(&remote, method->id, request, &reply, err) : rc;
    rc = rc == DR_OK ? dr_print_message(cli, method->reply->name, reply, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

static json_t *
lines_json(const char *text)
{
    json_t *list = json_array();
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "\n");
        json_array_append_new(list, json_stringn(p, len));
        p += len + (p[len] == '\n' ? 1 : 0);
    }
    return list;
}

enum dr_rc
dr_cmd_version(struct dr_cli *cli, struct dr_err *err)
{
    char path[PATH_MAX];
    struct dr_cmd_result result = {0};
    enum dr_rc rc = dr_cmd_sibling("drover-sqlcheck", path, sizeof(path), err);
    if (rc == DR_OK) {
        const char *argv[] = {path, "--version", NULL};
        struct dr_cmd cmd = {.argv = argv, .timeout_ms = 5000, .output_max = 4096};
        rc = dr_cmd_run(&cmd, &result, err);
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:o}", "schema", "drover.v1.Version",
                                     "drover", DROVER_VERSION, "protobufC", protobuf_c_version(),
                                     "sqlcheck", lines_json(result.output.data)));
    } else if (rc == DR_OK) {
        dr_say(cli, "drover %s\nprotobuf-c %s\n%s", DROVER_VERSION, protobuf_c_version(),
               result.output.data ? result.output.data : "");
    }
    dr_cmd_result_fini(&result);
    return rc;
}
