// Inside the writer only.
#ifndef DR_SCHEMA_WRITE_INTERNAL_H
#define DR_SCHEMA_WRITE_INTERNAL_H

#include "schema/write.h"

enum dr_change {
    DR_CHANGE_NONE,
    DR_CHANGE_GONE, // only in `from`
    DR_CHANGE_NEW,  // only in `to`
    DR_CHANGE_ALTER,
    DR_CHANGE_REPLACE, // dropped and made again
};

// One side: its objects' fate. Arrays of catalog->count.
struct dr_write_side {
    const struct dr_catalog *catalog;
    bool is_from;
    enum dr_change *change;
    size_t *other; // index on the other side; SIZE_MAX: none
    size_t *order; // indexes, what is needed first
};

struct dr_writer {
    struct dr_arena *arena;
    const struct dr_schema_write_options *options;
    struct dr_write_side from, to;
    struct dr_schema_script *out;
    struct dr_schema_script first; // outside a transaction, before all others
    struct dr_schema_script last;  // what runs at the very end
    bool failed;
};

// Text in the arena; "" and `failed` when memory is out.
const char *dr_writer_text(struct dr_writer *w, const char *fmt, ...) DR_PRINTF(2, 3);
// Appends a statement; an empty one is left out. dr_writer_note gives the last one its note.
void
dr_writer_add(struct dr_writer *w, struct dr_schema_script *script, const char *sql, bool is_alone);
void dr_writer_note(struct dr_schema_script *script, const char *note);
void dr_writer_loss(struct dr_writer *w, const char *what);
void dr_writer_by_hand(struct dr_writer *w, const char *what);

// write_state.c: fills change and other of both sides.
void dr_writer_compare(struct dr_writer *w);
// An enum, domain or range that is made anew beside the old one.
bool dr_writer_is_rebuilt(const struct dr_writer *w, size_t from);
// A column whose type or collation changes in place.
bool dr_writer_is_retyped(const struct dr_writer *w, size_t from);
// Is what it is part of dropped, and so is it without a word?
bool dr_writer_goes_along(const struct dr_write_side *side, size_t object);
// Is it written as part of its table's (type's, column's) own CREATE?
bool dr_writer_is_inlined(const struct dr_write_side *side, size_t object);

// write_order.c: fills side->order.
void dr_writer_sort(struct dr_writer *w, struct dr_write_side *side);

// write_pg.c: what makes, changes and drops one object.
void dr_writer_create(struct dr_writer *w, size_t to);
void dr_writer_alter(struct dr_writer *w, size_t to);
const char *dr_writer_drop(struct dr_writer *w, size_t from);

// write_sqlite.c
void dr_writer_sqlite(struct dr_writer *w);

#endif
