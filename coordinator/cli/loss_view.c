// What a way down takes, for people and programs.
#include "coordinator/cli/loss_view.h"

void
dr_loss_warn_base(const struct dr_cli *cli, const char *expr)
{
    bool is_silent = cli->quiet && cli->yes;
    if (dr_str_eq(expr, "base") && !is_silent) {
        fflush(stdout);
        fprintf(stderr, "WARNING: this drops all tables of the chain with all their data\n");
    }
}

void
dr_loss_print(const struct dr_cli *cli, const struct dr_loss *losses, size_t count, FILE *to)
{
    size_t empty = 0;
    for (size_t i = 0; i < count; i++) {
        empty += losses[i].count == 0 && !losses[i].is_unknown ? 1 : 0;
    }
    if (count == 0) {
        return;
    }
    if (empty == count) {
        fprintf(to, "  no data is lost: what goes is empty\n");
        return;
    }
    fprintf(to, "%s  DATA IS LOST:%s\n", to == stdout ? dr_tone_begin(cli, DR_TONE_BAD) : "",
            to == stdout ? dr_tone_end(cli, DR_TONE_BAD) : "");
    for (size_t i = 0; i < count; i++) {
        struct dr_buf line = {0};
        dr_loss_text(&losses[i], &line);
        fprintf(to, "    %s%s%s%s\n", line.data ? line.data : "",
                losses[i].revision_id[0] ? "  [" : "", dr_print_safe(cli, losses[i].revision_id),
                losses[i].revision_id[0] ? "]" : "");
        dr_buf_fini(&line);
    }
}

const struct dr_loss *
dr_loss_of_ready(const struct dr_cli *cli, const Drover__V1__Attestation *ready)
{
    struct dr_loss *list = dr_arena_array(cli->arena, ready->n_losses + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && i < ready->n_losses; i++) {
        const Drover__V1__Loss *l = ready->losses[i];
        list[i] = (struct dr_loss){.revision_id = l->revision,
                                   .table = l->table,
                                   .column = l->column,
                                   .count = l->count,
                                   .is_estimate = l->is_estimate,
                                   .is_unknown = l->is_unknown,
                                   .note = l->note};
    }
    return list;
}

json_t *
dr_loss_json(const struct dr_loss *losses, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct dr_loss *l = &losses[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:s}", "revision", l->revision_id,
                            "table", l->table, "column", l->column, "count", (json_int_t)l->count,
                            "estimate", l->is_estimate, "known", !l->is_unknown, "note", l->note));
    }
    return list;
}
