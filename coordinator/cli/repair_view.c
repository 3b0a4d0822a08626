// What is half done, for people and programs. See repair_view.h.
#include "coordinator/cli/repair_view.h"

#include "coordinator/cli/print.h"

#include "base/clock.h"

#include <string.h>

#define STATEMENT_SHOWN 56u // bytes of a statement's first line
#define EXIT_REPAIR     7

struct way {
    const char *name, *command, *text, *why_not; // why_not "": it is offered
};

// The first line of a unit's first statement.
static const char *
statement_text(const struct dr_cli *cli, const struct dr_graph *graph,
               const struct dr_repair_unit *u)
{
    const struct dr_node *node = dr_graph_find(graph, u->revision_id);
    if (node == NULL || u->unit->n_statements == 0) {
        return "";
    }
    const Drover__V1__Statement *s = u->unit->statements[0];
    if (s->offset > node->revision->size || s->length > node->revision->size - s->offset) {
        return "";
    }
    const char *bytes = (const char *)node->revision->bytes + s->offset;
    size_t len = 0;
    while (len < s->length && len < STATEMENT_SHOWN && bytes[len] != '\n') {
        len++;
    }
    const char *copy = dr_arena_strn(cli->arena, bytes, len);
    return copy == NULL ? "" : dr_print_safe(cli, copy);
}

static const char *
kind_text(enum dr_repair_kind kind)
{
    return kind == DR_REPAIR_DONE ? "done" : kind == DR_REPAIR_OPEN ? "not done" : "in doubt";
}

static void
say_units(const struct dr_cli *cli, const struct dr_repair *r, const struct dr_graph *graph)
{
    const char *revision = "";
    for (size_t i = 0; i < r->units_count; i++) {
        const struct dr_repair_unit *u = &r->units[i];
        char when[32] = "";
        if (!dr_str_eq(revision, u->revision_id)) {
            revision = u->revision_id;
            dr_say(cli, "revision %s is half done, on its way %s\n", revision,
                   u->direction == DROVER__V1__MODE__DOWN ? "down" : "up");
        }
        if (u->kind == DR_REPAIR_DONE) {
            dr_format_time(when, u->finished);
        }
        dr_say(cli, "  unit %zu of %zu  %s%-8s%s  %s%s%s\n", u->number, u->total,
               dr_tone_begin(cli, u->kind == DR_REPAIR_DONE ? DR_TONE_GOOD : DR_TONE_WAIT),
               kind_text(u->kind), dr_tone_end(cli, DR_TONE_GOOD), when, when[0] ? "  " : "",
               statement_text(cli, graph, u));
        if (u->why[0] != '\0') {
            dr_say(cli, "                         %s\n", u->why);
        }
    }
}

// The ways that are safe, in the order in which a person would weigh them.
static size_t
list_ways(const struct dr_cli *cli, const struct dr_repair_facts *f, const struct dr_repair *r,
          struct way out[4])
{
    size_t n = 0;
    const char *held = r->held_by[0] ? "somebody works on it right now" : "";
    bool is_target = strncmp(f->where, "--url", 5) != 0;
    const char *at = is_target ? dr_arena_printf(cli->arena, "-t %s", f->where) : f->where;
    if (r->units_count == 0) {
        return 0;
    }
    out[n++] =
        (struct way){"resume", dr_arena_printf(cli->arena, "drover repair %s --resume", f->where),
                     "go on: only what is not done runs", held[0] ? held : r->no_resume};
    out[n++] =
        (struct way){"reverse", dr_arena_printf(cli->arena, "drover repair %s --reverse", f->where),
                     "run the way back of the revision", held[0] ? held : r->no_reverse};
    if (f->finished[0] != '\0') {
        out[n++] = (struct way){
            "stamp-finished", dr_arena_printf(cli->arena, "drover stamp %s %s", f->finished, at),
            "you finished it by hand: nothing runs, the schema is compared", held};
    }
    out[n++] = (struct way){"stamp-undone",
                            dr_arena_printf(cli->arena, "drover stamp %s %s", f->undone, at),
                            "you undid it by hand: nothing runs, the schema is compared", held};
    return n;
}

static void
say_ways(const struct dr_cli *cli, const struct way *ways, size_t n)
{
    dr_say(cli, "choose:\n");
    for (size_t i = 0; i < n; i++) {
        if (ways[i].why_not[0] == '\0') {
            dr_say(cli, "  %s\n      %s\n", ways[i].command ? ways[i].command : "", ways[i].text);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (ways[i].why_not[0] != '\0') {
            dr_say(cli, "  not --%s: %s\n", ways[i].name, ways[i].why_not);
        }
    }
}

static json_t *
units_json(const struct dr_cli *cli, const struct dr_repair *r, const struct dr_graph *graph)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->units_count; i++) {
        const struct dr_repair_unit *u = &r->units[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:i, s:i, s:s, s:I, s:s, s:s}", "revision", u->revision_id,
                            "direction", u->direction == DROVER__V1__MODE__DOWN ? "down" : "up",
                            "unit", (int)u->number, "units", (int)u->total, "state",
                            u->kind == DR_REPAIR_DONE   ? "done"
                            : u->kind == DR_REPAIR_OPEN ? "open"
                                                        : "doubt",
                            "finished", (json_int_t)u->finished, "why", u->why, "statement",
                            statement_text(cli, graph, u)));
    }
    return list;
}

static void
print_json(const struct dr_cli *cli, const struct dr_repair_facts *f, const struct dr_repair *r,
           const struct dr_graph *graph, const struct way *ways, size_t n, bool is_needed)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:b, s:s}", "way", ways[i].name, "command",
                                        ways[i].command ? ways[i].command : "", "offered",
                                        ways[i].why_not[0] == '\0', "why", ways[i].why_not));
    }
    dr_print_json(cli, json_pack("{s:s, s:s, s:b, s:s, s:s, s:o, s:o}", "schema",
                                 "drover.v1.Repair", "target", f->target, "needed", is_needed,
                                 "trouble", f->trouble, "heldBy", r->held_by, "units",
                                 units_json(cli, r, graph), "ways", list));
}

void
dr_repair_print(struct dr_cli *cli, const struct dr_repair_facts *f, const struct dr_repair *r,
                const struct dr_graph *graph)
{
    struct way ways[4];
    bool is_needed = r->is_needed || f->trouble[0] != '\0';
    size_t n = list_ways(cli, f, r, ways);
    if (is_needed) {
        cli->exit_code = EXIT_REPAIR;
    }
    if (cli->format != DR_CLI_TEXT) {
        print_json(cli, f, r, graph, ways, n, is_needed);
        return;
    }
    if (!is_needed) {
        dr_say(cli, "%s: nothing to repair\n", f->target);
        return;
    }
    dr_say(cli, "%s needs repair\n", f->target);
    if (f->trouble[0] != '\0') {
        dr_say(cli, "%s\n", f->trouble);
    }
    if (r->held_by[0] != '\0') {
        dr_say(cli, "%s: wait until it has ended, then look again\n", r->held_by);
    }
    say_units(cli, r, graph);
    if (n > 0) {
        say_ways(cli, ways, n);
    }
}
