// Worker, probes: the statements of the environment's signed policy, each judged by its bounds.
#include "agent/worker_internal.h"

#include "engine/value.h"

#include <stdio.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
ask(struct dr_worker *worker, const Drover__V1__SqlProbe *probe, Drover__V1__ProbeResult *out,
    struct dr_err *err)
{
    struct dr_engine_value value = {0};
    enum dr_rc rc = dr_engine_value(worker->engine, (enum dr_sql_dialect)worker->run->engine,
                                    probe->name, probe->sql, worker->arena, &value, err);

    if (rc != DR_OK) {
        return rc;
    }
    out->name = probe->name;
    out->outcome = dr_value_judge(value.text, probe->least, probe->most);
    out->value = dr_arena_str(worker->arena, value.text);
    out->detail = dr_arena_str(worker->arena, value.why);
    out->duration_ms = value.duration_ms;
    return out->value == NULL || out->detail == NULL ? no_memory(err) : DR_OK;
}

enum dr_rc
dr_worker_probe(struct dr_worker *worker, struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    Drover__V1__WorkerResult *result = &worker->result;

    if (run->n_probes == 0) {
        return DR_OK;
    }
    result->probes = dr_arena_array(worker->arena, run->n_probes + 1, sizeof *result->probes);
    if (result->probes == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < run->n_probes; i++) {
        Drover__V1__ProbeResult *row = dr_arena_alloc(worker->arena, sizeof *row);

        if (row == NULL) {
            return no_memory(err);
        }
        drover__v1__probe_result__init(row);
        enum dr_rc rc = ask(worker, run->probes[i], row, err);
        if (rc != DR_OK) {
            return rc;
        }
        result->probes[result->n_probes++] = row;
    }
    return DR_OK;
}
