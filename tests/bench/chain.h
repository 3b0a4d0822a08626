// A folder of plain revisions, as the floors read it: NAME.up.sql and NAME.down.sql, applied in the
// order of their names. A statement ends with a semicolon at the end of a line, outside $$ quotes;
// the generator writes them so.

#ifndef BENCH_CHAIN_H
#define BENCH_CHAIN_H

#include <stddef.h>

struct chain {
    char **names; // sorted; without .up.sql
    size_t count;
};

struct text {
    char *bytes; // NUL at the end
    size_t size;
    size_t at;     // where next_statement goes on
    char replaced; // the byte behind the last statement, which is NUL for now
    int dollars;   // $$ occurs
};

// Prints what failed and ends the program with 1.
void die(const char *what, const char *why);

// The names of all revisions in folder; ends the program if it cannot be read.
struct chain chain_read(const char *folder);

// Loads folder/name.way.sql whole; the caller frees bytes. way is "up" or "down".
struct text text_load(const char *folder, const char *name, const char *way);

// The next statement, NUL-terminated inside text->bytes until the next call, or NULL.
char *next_statement(struct text *text);

#endif
