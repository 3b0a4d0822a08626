// Inside of loss: what the statements of a way down say that they remove, before anything is
// counted. Nobody else includes this.
#ifndef DR_ENGINE_LOSS_INTERNAL_H
#define DR_ENGINE_LOSS_INTERNAL_H

#include "engine/driver.h"
#include "engine/guard.h"
#include "engine/loss.h"

#define DR_DROPS_MAX       1000u // of one way down
#define DR_DROP_TABLES_MAX 1000u // that one way down names
#define DR_COUNT_ONE_MS    3000u
#define DR_COUNT_ALL_MS    15000

enum dr_drop_kind {
    DR_DROP_ROWS = 1, // the table's rows
    DR_DROP_COLUMN,   // one column
    DR_DROP_REBUILD,  // every column that is not in `kept`
    DR_DROP_SCHEMA,   // the rows of every table of `schema`
    DR_DROP_UNKNOWN   // `what` says which statement
};

// Names are as the database keeps them: unquoted and folded.
struct dr_drop {
    enum dr_drop_kind kind;
    const char *revision_id;
    const char *schema; // "": found by the search path
    const char *table, *column;
    const char *const *kept;
    size_t kept_count;
    const char *what;
};

// The words of one statement, and a place in it. Words are compared without case.
#define DR_LOSS_TOKENS_MAX 20000u // read of one statement
struct dr_loss_words {
    Drover__V1__Engine engine;
    struct dr_arena *arena;
    const char *text;
    struct dr_guard_token *tokens;
    size_t count, at;
    bool failed; // memory was out
};
struct dr_loss_name {
    const char *schema, *table; // schema "": none is given
};
DR_MUST_CHECK bool
dr_loss_words_init(struct dr_loss_words *w, Drover__V1__Engine engine, struct dr_arena *arena);
void dr_loss_words_read(struct dr_loss_words *w, const char *text, size_t len);
bool dr_loss_is_word(const struct dr_loss_words *w, size_t at, const char *word);
bool dr_loss_has_word(const struct dr_loss_words *w, const char *word);
// Moves on when it stands there.
bool dr_loss_take_word(struct dr_loss_words *w, const char *word);
bool dr_loss_take_mark(struct dr_loss_words *w, char mark);
void dr_loss_take_if_exists(struct dr_loss_words *w); // IF [NOT] EXISTS
// One part of a name, unquoted and folded as the engine does; NULL when there is none.
const char *dr_loss_take_part(struct dr_loss_words *w);
bool dr_loss_take_name(struct dr_loss_words *w, struct dr_loss_name *out);
// Moves behind the next comma outside of parentheses; false at the end of the list.
bool dr_loss_next_item(struct dr_loss_words *w);

// A walk over the statements of a way down. Tables are followed through renames, and one that is
// made, filled and put in another's place is that other one, rebuilt.
struct dr_loss_scan;
struct dr_loss_scan *dr_loss_scan_new(Drover__V1__Engine engine, struct dr_arena *arena);
// One unit's statements, in order; units come newest revision first. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_loss_scan_unit(struct dr_loss_scan *scan, const char *revision_id,
                  const struct dr_statement *statements, size_t count, struct dr_err *err);
// What was found; the array lives in the arena. Drops beyond DR_DROPS_MAX are told as one UNKNOWN.
const struct dr_drop *dr_loss_scan_drops(const struct dr_loss_scan *scan, size_t *out_count);

// Results, in the arena; a full list is told by its last entry.
struct dr_loss_list {
    struct dr_arena *arena;
    struct dr_loss *items;
    size_t count, more;
    int64_t deadline_ms; // of all counts together
};
// Adds one; its strings are copied. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_loss_add(struct dr_loss_list *list, const struct dr_loss *loss, struct dr_err *err);
// Has the rebuild kept this column?
bool dr_loss_is_kept(const struct dr_drop *drop, const char *column, bool is_case_blind);

// The same for a drop of kind UNKNOWN.
DR_MUST_CHECK enum dr_rc
dr_loss_add_unknown(struct dr_loss_list *list, const struct dr_drop *drop, struct dr_err *err);

// The drivers' part: counts the drops and adds what they take, in their order. A table or column
// that is not there now is no loss.
enum dr_rc dr_pgd_lose(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
                       struct dr_loss_list *list, struct dr_err *err);
enum dr_rc dr_sqd_lose(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
                       struct dr_loss_list *list, struct dr_err *err);

#endif
