// Revision file: one `.sql` file with a header and sections for up, verify and down. The grammar is
// in drover-revision(5). The parser takes hostile bytes: nothing is run and nothing is guessed;
// every refusal names file, line, column and what to type instead.
#ifndef DR_REVISION_FILE_H
#define DR_REVISION_FILE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_REVISION_FILE_MAX     (32u << 20)
#define DR_REVISION_HEADER_MAX   (16u * 1024) // bytes
#define DR_REVISION_SECTIONS_MAX 10000u
#define DR_REVISION_LIST_MAX     64u // parents, labels, dependencies
#define DR_REVISION_ID_MAX       64u
#define DR_REVISION_NAME_MAX     200u // of a section, a reason
#define DR_REVISION_TIMEOUT_MAX  (7ull * 24 * 3600 * 1000)

enum dr_section_kind {
    DR_SECTION_PREFLIGHT = 1,
    DR_SECTION_UP,
    DR_SECTION_VERIFY,
    DR_SECTION_DOWN,
    DR_SECTION_REMEDY,
};

// Bits of an engine mask; 1 << the number of proto's Engine.
enum dr_engine_bit { DR_ENGINE_POSTGRESQL = 2, DR_ENGINE_SQLITE = 4, DR_ENGINE_ALL = 6 };

enum dr_reversible {
    DR_REVERSIBLE_UNSAID,
    DR_REVERSIBLE_YES,
    DR_REVERSIBLE_NO,
    DR_REVERSIBLE_LOSSY
};

// A section; strings live in the arena ("" when not given). The body is bytes [offset, offset +
// length) of the file.
struct dr_section {
    enum dr_section_kind kind;
    const char *name;
    uint32_t directive_line; // of `-- drover:...`
    uint32_t line;           // of the body's first byte
    size_t offset, length;
    unsigned engines; // mask; sections without engine= apply to all
    bool outside_transaction;
    bool expect_empty;
    bool on_down; // preflight before the way down, verify after it
    // 0: not given
    uint32_t sample, retry, max_ms, lock_timeout_ms, statement_timeout_ms, max_block_ms;
    const char *only;     // environment
    const char *for_name; // remedy: the preflight that it mends
    const char *probe;    // transaction=off: a query that is true when it is done; "": built in
};

struct dr_nolint {
    const char *rule, *reason;
    uint32_t line;
};

struct dr_names {
    const char *const *items;
    size_t count;
};

struct dr_revision {
    const char *path;  // as given, for messages
    const char *bytes; // the file (lent to dr_revision_parse)
    size_t size;
    const char *id;
    const char *message; // first line
    const char *text;    // free text behind it, lines joined by \n
    uint32_t id_line, revises_line, depends_line, engine_line;
    struct dr_names parents, labels, depends_on;
    const char *create_date, *slug, *author, *ticket, *requirements, *purpose, *caution, *rollback,
        *breaking, *destructive, *phase;
    unsigned engines;        // mask; ALL without an Engine header
    uint32_t postgresql_min; // `Engine: postgresql >= 14`; 0: any
    enum dr_reversible reversible;
    const char *reversible_why;
    uint32_t lock_timeout_ms, statement_timeout_ms, time_budget_ms;
    const struct dr_section *sections;
    size_t section_count;
    const struct dr_nolint *nolint;
    size_t nolint_count;
    bool down_none; // `-- drover:down none reason="..."`
    const char *down_none_reason;
    // A draft: what is wrong behind the header, with its place; there are no sections then. NULL:
    // nothing.
    const struct dr_err *defect;
};

// Parses `len` bytes. `bytes` must outlive the result; everything else is in `arena`. `path` is for
// messages. Errors (err->file, line, column set): REVISION_SIZE, REVISION_BYTES (CR, BOM, NUL,
// UTF-8, bidi), REVISION_HEADER (none, two, unknown key, bad value), REVISION_ID,
// REVISION_DIRECTIVE (unknown word, option, not in column 1), REVISION_DOWN (missing or empty),
// REVISION_EMPTY (no up, empty up), REVISION_STATEMENTS (transaction=off without exactly one),
// SQL_SYNTAX (a string or comment that never ends).
DR_MUST_CHECK enum dr_rc
dr_revision_parse(const char *path, const char *bytes, size_t len, struct dr_arena *arena,
                  struct dr_revision **out, struct dr_err *err);

// The same for those who only ask where a revision stands: a fault behind the header (an up that is
// not written yet) is noted as `defect` and is no error. What runs is never taken from a draft.
DR_MUST_CHECK enum dr_rc
dr_revision_parse_draft(const char *path, const char *bytes, size_t len, struct dr_arena *arena,
                        struct dr_revision **out, struct dr_err *err);

// True for [A-Za-z0-9_.]{1,64}, and not one of the words head, heads, base, current.
bool dr_revision_id_valid(const char *id);

// "up", "verify", ...
const char *dr_section_kind_name(enum dr_section_kind kind);

#endif
