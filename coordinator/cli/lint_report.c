#include "coordinator/cli/lint_report.h"

#include "coordinator/cli/print.h"

#include <stdlib.h>
#include <string.h>

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// The value's text with a newline; takes the reference.
static enum dr_rc
add_json(struct dr_buf *out, json_t *value, struct dr_err *err)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));
    json_decref(value);
    if (text == NULL) {
        return nomem(err);
    }
    dr_buf_str(out, text);
    dr_buf_str(out, "\n");
    free(text);
    return out->failed ? nomem(err) : DR_OK;
}

static const char *
help_of(const struct dr_finding *f)
{
    return f->help == NULL ? "" : f->help;
}

// ----------------------------------------------------------------------------------------- GitHub

// `special` are the bytes that stand for something here.
static void
add_escaped(struct dr_buf *out, const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (strchr(special, *text) != NULL || (unsigned char)*text < 0x20) {
            dr_buf_printf(out, "%%%02X", (unsigned char)*text);
        } else {
            dr_buf_add(out, text, 1);
        }
    }
}

static enum dr_rc
github(struct dr_buf *out, const struct dr_findings *findings, struct dr_err *err)
{
    static const char *const commands[] = {"notice", "warning", "error"};
    for (size_t i = 0; i < findings->count; i++) {
        const struct dr_finding *f = &findings->items[i];
        dr_buf_printf(out, "::%s file=", commands[f->severity]);
        add_escaped(out, f->file, "%:,");
        if (f->line > 0) {
            dr_buf_printf(out, ",line=%u,col=%u,endColumn=%u", f->line, f->column,
                          f->column + (f->width == 0 ? 1 : f->width));
        }
        dr_buf_str(out, ",title=");
        add_escaped(out, f->rule, "%:,");
        dr_buf_str(out, "::");
        add_escaped(out, f->message, "%");
        if (help_of(f)[0] != '\0') {
            dr_buf_str(out, "%0Ahelp: ");
            add_escaped(out, f->help, "%");
        }
        dr_buf_str(out, "\n");
    }
    return out->failed ? nomem(err) : DR_OK;
}

// ----------------------------------------------------------------------------------------- GitLab

// The same finding keeps its fingerprint when lines are added above it. FNV-1a, 64 bits.
static uint64_t
hash(uint64_t seed, const char *text)
{
    for (; *text != '\0'; text++) {
        seed = (seed ^ (unsigned char)*text) * 1099511628211u;
    }
    return (seed ^ 0xFF) * 1099511628211u;
}

static uint64_t
fingerprint(const struct dr_findings *findings, size_t at)
{
    const struct dr_finding *f = &findings->items[at];
    const char *source = f->source_line == NULL ? "" : f->source_line;
    uint64_t h = hash(14695981039346656037u, f->file);
    h = hash(hash(hash(h, f->rule), f->message), source);
    for (size_t i = 0; i < at; i++) { // a line that stands there twice
        const struct dr_finding *o = &findings->items[i];
        if (strcmp(o->file, f->file) == 0 && strcmp(o->rule, f->rule) == 0 &&
            strcmp(o->message, f->message) == 0) {
            h = hash(h, "again");
        }
    }
    return h;
}

static enum dr_rc
gitlab(struct dr_buf *out, const struct dr_findings *findings, struct dr_err *err)
{
    static const char *const severities[] = {"info", "minor", "critical"};
    json_t *all = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct dr_finding *f = &findings->items[i];
        char print[20], text[16];
        uint64_t h = fingerprint(findings, i);
        for (size_t k = 0; k < 8; k++) {
            text[k] = (char)(h >> (8 * k));
        }
        dr_hex(print, (const uint8_t *)text, 8);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:{s:i}}}",
                                             "description", f->message, "check_name", f->rule,
                                             "fingerprint", print, "severity",
                                             severities[f->severity], "location", "path", f->file,
                                             "lines", "begin", (int)(f->line == 0 ? 1 : f->line)));
    }
    return add_json(out, all, err);
}

// ------------------------------------------------------------------------------------------ SARIF

static const char *
level_of(enum dr_severity severity)
{
    return severity == DR_SEVERITY_ADVICE ? "note" : dr_severity_name(severity);
}

// A path as a URI reference (RFC 3986).
static json_t *
uri_of(const char *path)
{
    struct dr_buf uri = {0};
    dr_buf_str(&uri, path[0] == '/' ? "file://" : "");
    for (const char *c = path; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || strchr("-._~/", *c) != NULL;
        if (is_plain) {
            dr_buf_add(&uri, c, 1);
        } else {
            dr_buf_printf(&uri, "%%%02X", (unsigned char)*c);
        }
    }
    json_t *value = json_string(uri.data == NULL ? "" : uri.data);
    dr_buf_fini(&uri);
    return value;
}

static json_t *
sarif_rules(void)
{
    json_t *rules = json_array();
    for (const struct dr_lint_rule *r = dr_lint_rules(); r->name != NULL; r++) {
        json_array_append_new(rules, json_pack("{s:s, s:{s:s}, s:{s:s, s:b}}", "id", r->name,
                                               "shortDescription", "text", r->summary,
                                               "defaultConfiguration", "level",
                                               level_of(r->severity), "enabled", !r->is_strict));
    }
    return rules;
}

static json_t *
sarif_result(const struct dr_finding *f)
{
    const struct dr_lint_rule *rule = dr_lint_rule_named(f->rule);
    const char *help = help_of(f);
    json_t *location = json_pack("{s:{s:o}}", "artifactLocation", "uri", uri_of(f->file));
    if (f->line > 0) {
        json_object_set_new(location, "region",
                            json_pack("{s:i, s:i, s:i}", "startLine", (int)f->line, "startColumn",
                                      (int)(f->column == 0 ? 1 : f->column), "endColumn",
                                      (int)(f->column + (f->width == 0 ? 1 : f->width))));
    }
    json_t *result = json_pack("{s:s, s:s, s:{s:s++}, s:[{s:o}]}", "ruleId", f->rule, "level",
                               level_of(f->severity), "message", "text", f->message,
                               help[0] == '\0' ? "" : "\nhelp: ", help, "locations",
                               "physicalLocation", location);
    if (rule != NULL) {
        json_object_set_new(result, "ruleIndex", json_integer(rule - dr_lint_rules()));
    }
    return result;
}

static enum dr_rc
sarif(struct dr_buf *out, const struct dr_findings *findings, struct dr_err *err)
{
    json_t *results = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        json_array_append_new(results, sarif_result(&findings->items[i]));
    }
    return add_json(out,
                    json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:s, s:o}]}", "$schema",
                              SARIF_SCHEMA, "version", "2.1.0", "runs", "tool", "driver", "name",
                              "drover", "version", DROVER_VERSION, "rules", sarif_rules(),
                              "columnKind", "unicodeCodePoints", "results", results),
                    err);
}

// ------------------------------------------------------------------------------------------ JUnit

// An error is a failed case; a warning is one that passed, and says something.
static void
add_case(struct dr_buf *out, const struct dr_finding *f)
{
    struct dr_buf text = {0};
    const char *tag = f->severity == DR_SEVERITY_ERROR ? "failure" : "system-out";
    dr_finding_text(&text, f);
    dr_buf_str(out, "    <testcase classname=\"");
    dr_print_xml(out, f->rule);
    dr_buf_str(out, "\" name=\"");
    dr_print_xml(out, f->file);
    dr_buf_printf(out, ":%u:%u\"><%s", f->line, f->column, tag);
    if (f->severity == DR_SEVERITY_ERROR) {
        dr_buf_str(out, " message=\"");
        dr_print_xml(out, f->message);
        dr_buf_str(out, "\" type=\"");
        dr_print_xml(out, f->rule);
        dr_buf_str(out, "\"");
    }
    dr_buf_str(out, ">");
    dr_print_xml(out, text.data == NULL ? "" : text.data);
    dr_buf_printf(out, "</%s></testcase>\n", tag);
    dr_buf_fini(&text);
}

static enum dr_rc
junit(struct dr_buf *out, const struct dr_findings *findings, struct dr_err *err)
{
    size_t errors = dr_findings_errors(findings), count = findings->count;
    dr_buf_printf(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"drover lint\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n",
        count == 0 ? 1 : count, errors);
    for (size_t i = 0; i < count; i++) {
        add_case(out, &findings->items[i]);
    }
    dr_buf_str(out,
               count == 0 ? "    <testcase classname=\"drover lint\" name=\"all files\"/>\n" : "");
    dr_buf_str(out, "  </testsuite>\n</testsuites>\n");
    return out->failed ? nomem(err) : DR_OK;
}

dr_lint_report_fn
dr_lint_report_named(const char *format)
{
    static const struct {
        const char *name;
        dr_lint_report_fn write;
    } rows[] = {{"github", github}, {"gitlab", gitlab}, {"sarif", sarif}, {"junit", junit}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (dr_str_eq(rows[i].name, format)) {
            return rows[i].write;
        }
    }
    return NULL;
}
