// Classes of statements by the lock that they take, and the time-outs that follow from them.
#ifndef DR_SQL_CLASSIFY_H
#define DR_SQL_CLASSIFY_H

#include "proto/documents.pb-c.h"

#include <stddef.h>
#include <stdint.h>

struct dr_sql_class {
    Drover__V1__StatementClass class_;
    const char *name;              // "access-exclusive"
    uint32_t lock_timeout_ms;      // default; 0: none
    uint32_t statement_timeout_ms; // default; 0: none
    const char *what;              // for people: "blocks reads and writes of the table"
};

// The time-outs of one statement: the unit's own (not 0), else the class's.
uint32_t
dr_sql_lock_timeout_ms(const Drover__V1__Unit *unit, const Drover__V1__Statement *statement);
uint32_t
dr_sql_statement_timeout_ms(const Drover__V1__Unit *unit, const Drover__V1__Statement *statement);

// Class of an SQLite statement by its first words (SQLite locks the whole file: reads, writes and
// definitions differ only in what people are told).
Drover__V1__StatementClass dr_sql_class_sqlite(const char *text, size_t len);

#endif
