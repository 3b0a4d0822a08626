// A table, JSON and JUnit's XML of one test.

#include "coordinator/cli/testing_view.h"

#include "coordinator/cli/project.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *
verdict_word(const struct dr_test_revision *r)
{
    switch (r->verdict) {
    case DR_TEST_PASSED:
        return r->has_down ? "passed" : "passed, no way back";
    case DR_TEST_FAILED:
        return "FAILED";
    case DR_TEST_SKIPPED:
        return "skipped";
    }
    return "";
}

static const char *
check_word(enum dr_check_verdict verdict)
{
    return verdict == DR_CHECK_PASSED     ? "passed"
           : verdict == DR_CHECK_DEFERRED ? "deferred"
                                          : "failed";
}

// ------------------------------------------------------------------------------------------ people

static void
say_time(char out[32], uint64_t ms, bool did_run)
{
    (void)snprintf(out, 32, "-");
    if (did_run && ms < 1000) {
        (void)snprintf(out, 32, "%" PRIu64 " ms", ms);
    } else if (did_run) {
        dr_format_duration(out, ms);
    }
}

static void
print_table(const struct dr_cli *cli, const struct dr_testing *parts, size_t count)
{
    static const char *const columns[] = {"REVISION", "ENGINE", "UP",     "DOWN",
                                          "UP AGAIN", "ROWS",   "RESULT", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    for (size_t p = 0; table != NULL && p < count; p++) {
        for (size_t i = 0; i < parts[p].nodes.count; i++) {
            const struct dr_test_revision *r = &parts[p].revisions[i];
            char up[32], down[32], again[32], rows[24];
            bool is_passed = r->verdict == DR_TEST_PASSED;
            bool did_run = r->verdict != DR_TEST_SKIPPED;
            say_time(up, r->up_ms, is_passed || r->up_ms > 0);
            say_time(down, r->down_ms, (is_passed && r->has_down) || r->down_ms > 0);
            say_time(again, r->again_ms, (is_passed && r->has_down) || r->again_ms > 0);
            (void)snprintf(rows, sizeof rows, "%" PRIu64, r->rows);
            size_t row = dr_table_row(table, SIZE_MAX,
                                      (const char *const[]){r->node->revision->id, parts[p].name,
                                                            up, down, again, did_run ? rows : "-",
                                                            verdict_word(r), NULL});
            dr_table_tone(table, row, 6,
                          is_passed ? DR_TONE_GOOD
                          : did_run ? DR_TONE_BAD
                                    : DR_TONE_DIM);
        }
    }
    if (table != NULL) {
        dr_table_print(table, stdout);
        dr_table_free(&table);
    }
}

static void
print_lines(const struct dr_cli *cli, const char *text)
{
    for (size_t len = 0; *text != '\0'; text += len) {
        len = strcspn(text, "\n");
        const char *line = dr_arena_strn(cli->arena, text, len);
        fprintf(stderr, "    %s\n", line ? dr_print_safe(cli, line) : "");
        len += text[len] == '\n';
    }
}

static void
print_findings(const struct dr_cli *cli, const struct dr_testing *part)
{
    for (size_t i = 0; i < part->nodes.count; i++) {
        const struct dr_test_revision *r = &part->revisions[i];
        for (size_t k = 0; k < r->findings_count; k++) {
            const struct dr_test_finding *f = &r->findings[k];
            if (f->is_note && cli->quiet) {
                continue;
            }
            fprintf(stderr, "%s:%u:%u: %s: %s, on %s: %s\n",
                    dr_print_safe(cli, dr_project_shown(cli, f->file)), f->line, f->column,
                    f->is_note ? "note" : "error", r->node->revision->id, part->name,
                    dr_print_safe(cli, f->message));
            print_lines(cli, f->details);
            if (f->hint[0] != '\0') {
                fprintf(stderr, "    hint: %s\n", dr_print_safe(cli, f->hint));
            }
        }
    }
}

void
dr_testing_print(const struct dr_cli *cli, const struct dr_testing *parts, size_t count)
{
    if (!cli->quiet) {
        print_table(cli, parts, count);
    }
    (void)fflush(stdout);
    for (size_t p = 0; p < count; p++) {
        print_findings(cli, &parts[p]);
    }
    for (size_t p = 0; p < count && !cli->quiet; p++) {
        const struct dr_testing *t = &parts[p];
        char time[32];
        say_time(time, t->duration_ms, true);
        dr_say(cli, "%s %s: %zu revision%s, %zu passed, %zu failed, %zu skipped, in %s\n", t->name,
               t->version, t->nodes.count, t->nodes.count == 1 ? "" : "s",
               t->nodes.count - t->failed - t->skipped, t->failed, t->skipped, time);
    }
}

// -------------------------------------------------------------------------------------------- JSON

static json_t *
findings_json(const struct dr_test_revision *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->findings_count; i++) {
        const struct dr_test_finding *f = &r->findings[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "severity",
                                        f->is_note ? "note" : "error", "kind", f->kind, "message",
                                        f->message, "hint", f->hint, "details", f->details, "file",
                                        f->file, "line", (int)f->line, "column", (int)f->column));
    }
    return list;
}

static json_t *
checks_json(const struct dr_test_revision *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->checks_count; i++) {
        const struct dr_check_result *c = &r->checks[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "name", c->name, "result",
                                              check_word(c->verdict), "durationMs",
                                              (json_int_t)c->duration_ms, "reason", c->reason));
    }
    return list;
}

static json_t *
revisions_json(const struct dr_testing *t)
{
    static const char *const words[] = {"", "passed", "failed", "skipped"};
    json_t *list = json_array();
    for (size_t i = 0; i < t->nodes.count; i++) {
        const struct dr_test_revision *r = &t->revisions[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o}", "id",
                      r->node->revision->id, "message", r->node->revision->message, "file",
                      r->node->revision->path, "result", words[r->verdict], "hasDown", r->has_down,
                      "upMs", (json_int_t)r->up_ms, "downMs", (json_int_t)r->down_ms, "againMs",
                      (json_int_t)r->again_ms, "rows", (json_int_t)r->rows, "checks",
                      checks_json(r), "findings", findings_json(r)));
    }
    return list;
}

json_t *
dr_testing_json(const struct dr_testing *parts, size_t count)
{
    size_t failed = 0, skipped = 0, all = 0;
    json_t *engines = json_array();
    for (size_t p = 0; p < count; p++) {
        const struct dr_testing *t = &parts[p];
        failed += t->failed;
        skipped += t->skipped;
        all += t->nodes.count;
        json_array_append_new(engines,
                              json_pack("{s:s, s:s, s:I, s:o}", "engine", t->name, "version",
                                        t->version, "durationMs", (json_int_t)t->duration_ms,
                                        "revisions", revisions_json(t)));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "schema", "drover.v1.Test", "passed",
                     (json_int_t)(all - failed - skipped), "failed", (json_int_t)failed, "skipped",
                     (json_int_t)skipped, "engines", engines);
}

// ------------------------------------------------------------------------------------------- JUnit

static void
add_seconds(struct dr_buf *out, uint64_t ms)
{
    dr_buf_printf(out, " time=\"%" PRIu64 ".%03" PRIu64 "\"", ms / 1000, ms % 1000);
}

static void
add_case(struct dr_buf *out, const char *class_name, const char *name, const char *file,
         uint64_t ms)
{
    dr_buf_str(out, "    <testcase classname=\"");
    dr_print_xml(out, class_name);
    dr_buf_str(out, "\" name=\"");
    dr_print_xml(out, name);
    dr_buf_str(out, "\" file=\"");
    dr_print_xml(out, file);
    dr_buf_str(out, "\"");
    add_seconds(out, ms);
    dr_buf_str(out, ">\n");
}

static void
add_finding(struct dr_buf *out, const struct dr_test_finding *f)
{
    dr_buf_printf(out, "      <%s", f->is_note ? "system-out>" : "failure type=\"");
    if (!f->is_note) {
        dr_buf_printf(out, "%s\" message=\"", f->kind);
        dr_print_xml(out, f->message);
        dr_buf_str(out, "\">");
    }
    dr_print_xml(out, f->file);
    dr_buf_printf(out, ":%u:%u: ", f->line, f->column);
    dr_print_xml(out, f->message);
    dr_buf_str(out, f->details[0] != '\0' ? "&#10;" : "");
    dr_print_xml(out, f->details);
    dr_buf_printf(out, "</%s>\n", f->is_note ? "system-out" : "failure");
}

static void
add_revision(struct dr_buf *out, const struct dr_testing *t, const struct dr_test_revision *r)
{
    const char *id = r->node->revision->id, *file = r->node->revision->path;
    add_case(out, t->name, id, file, r->up_ms + r->down_ms + r->again_ms);
    if (r->verdict == DR_TEST_SKIPPED) {
        dr_buf_str(out, "      <skipped message=\"it stands on a revision that failed\"/>\n");
    }
    for (int notes = 0; notes < 2; notes++) { // the schema wants failures first
        for (size_t i = 0; i < r->findings_count; i++) {
            if (r->findings[i].is_note == (notes == 1)) {
                add_finding(out, &r->findings[i]);
            }
        }
    }
    dr_buf_str(out, "    </testcase>\n");
    for (size_t i = 0; i < r->checks_count; i++) {
        const struct dr_check_result *c = &r->checks[i];
        char class_name[128];
        (void)snprintf(class_name, sizeof class_name, "%s.%s", t->name, id);
        add_case(out, class_name, c->name, file, c->duration_ms);
        if (c->verdict == DR_CHECK_DEFERRED) {
            dr_buf_str(out, "      <skipped/>\n");
        } else if (c->verdict != DR_CHECK_PASSED) {
            dr_buf_str(out, "      <failure type=\"verify\" message=\"");
            dr_print_xml(out, c->reason);
            dr_buf_str(out, "\"/>\n");
        }
        dr_buf_str(out, "    </testcase>\n");
    }
}

void
dr_testing_junit(const struct dr_testing *parts, size_t count, struct dr_buf *out)
{
    dr_buf_str(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"drover test\">\n");
    for (size_t p = 0; p < count; p++) {
        const struct dr_testing *t = &parts[p];
        size_t cases = t->nodes.count, failures = t->failed, skipped = t->skipped;
        for (size_t i = 0; i < t->nodes.count; i++) {
            cases += t->revisions[i].checks_count;
            for (size_t k = 0; k < t->revisions[i].checks_count; k++) {
                enum dr_check_verdict v = t->revisions[i].checks[k].verdict;
                failures += v == DR_CHECK_FAILED || v == DR_CHECK_ERROR ? 1 : 0;
                skipped += v == DR_CHECK_DEFERRED ? 1 : 0;
            }
        }
        dr_buf_printf(out,
                      "  <testsuite name=\"%s %s\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
                      "skipped=\"%zu\"",
                      t->name, t->version, cases, failures, skipped);
        add_seconds(out, t->duration_ms);
        dr_buf_str(out, ">\n");
        for (size_t i = 0; i < t->nodes.count; i++) {
            add_revision(out, t, &t->revisions[i]);
        }
        dr_buf_str(out, "  </testsuite>\n");
    }
    dr_buf_str(out, "</testsuites>\n");
}
