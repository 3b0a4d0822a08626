// Findings of lint: collected in a list, printed for people (as compilers do: position, line,
// caret, help) or as JSON.
#ifndef DR_SQL_FINDING_H
#define DR_SQL_FINDING_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

// Advice is worth knowing, and often left as it is.
enum dr_severity { DR_SEVERITY_ADVICE, DR_SEVERITY_WARNING, DR_SEVERITY_ERROR };

struct dr_finding {
    enum dr_severity severity;
    enum dr_rc rc;           // for an error: what `drover` exits with; 0 for a warning
    const char *rule;        // "unquoted-reserved-word"
    const char *message;     // lower case
    const char *file;        // as the user named it
    uint32_t line, column;   // from 1; 0: the whole file
    uint32_t width;          // code points to underline; 0: 1
    const char *source_line; // the line's text without its end; NULL: none
    const char *label;       // behind the carets; NULL: none
    const char *help;        // NULL: none
};

#define DR_FINDINGS_MAX 10000u

// Grows in its arena. Plain data; `{.arena = a}` is ready for use. `only` and `except` end with
// NULL: the rules that are collected (NULL: all but those for sticklers, see sql/lint.h), and those
// that are not.
struct dr_findings {
    struct dr_arena *arena;
    const char *const *only, *const *except;
    struct dr_finding *items;
    size_t count, cap;
    bool cut; // DR_FINDINGS_MAX or memory was reached
};

// Copies the struct (its strings are lent and must live as long as the list).
void dr_findings_add(struct dr_findings *list, const struct dr_finding *finding);
// True when findings of this rule are collected.
bool dr_findings_want(const struct dr_findings *list, const char *rule);
// Sorts by file, line, column; errors first at the same place. What a rule says twice of one place
// (once for each engine) is kept once.
void dr_findings_sort(struct dr_findings *list);
size_t dr_findings_errors(const struct dr_findings *list);
size_t dr_findings_count(const struct dr_findings *list, enum dr_severity severity);
// "error", "warning", "advice".
const char *dr_severity_name(enum dr_severity severity);

// One finding as several lines of text, ending with a newline. Bytes that a terminal would act on
// are shown as escapes.
void dr_finding_text(struct dr_buf *out, const struct dr_finding *finding);
// All of them as one JSON object:
// {"schema":"drover.v1.Findings","findings":[{...}],"errors":N,"warnings":N,
// "advice":N}.
void dr_findings_json(struct dr_buf *out, const struct dr_findings *list);
// The first error (else false) as an error with its position, message and help.
bool dr_findings_first_error(const struct dr_findings *list, struct dr_err *err);

#endif
