#include "sql/classify.h"

#include "base/attr.h"
#include "sql/lexer.h"

#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

// A statement that would queue readers behind it waits 2 s at most; one that only queues writers
// likewise. Concurrent builds wait for old transactions without holding anybody up, so they may
// wait long.
static const struct dr_sql_class classes[] = {
    {DROVER__V1__STATEMENT_CLASS__CLASS_OTHER, "other", 3 * SECOND, 15 * MINUTE,
     "takes no known lock"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_READ, "read", 3 * SECOND, 15 * MINUTE, "reads"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_WRITE, "write", 3 * SECOND, 15 * MINUTE,
     "locks the rows that it changes"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_ACCESS_EXCLUSIVE, "access-exclusive", 2 * SECOND,
     15 * MINUTE, "blocks reads and writes of the table"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_SHARE, "share", 2 * SECOND, 15 * MINUTE,
     "blocks writes to the table"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT, "concurrent", 10 * MINUTE, 4 * HOUR,
     "lets reads and writes through, waits for old transactions"},
    {DROVER__V1__STATEMENT_CLASS__CLASS_NEW_OBJECT, "new-object", 2 * SECOND, 15 * MINUTE,
     "locks only what it makes"},
};

static const struct dr_sql_class *
class_of(Drover__V1__StatementClass class_)
{
    for (size_t i = 0; i < DR_COUNT_OF(classes); i++) {
        if (classes[i].class_ == class_) {
            return &classes[i];
        }
    }
    return &classes[0];
}

uint32_t
dr_sql_lock_timeout_ms(const Drover__V1__Unit *unit, const Drover__V1__Statement *statement)
{
    return unit->lock_timeout_ms != 0 ? unit->lock_timeout_ms
                                      : class_of(statement->class_)->lock_timeout_ms;
}

uint32_t
dr_sql_statement_timeout_ms(const Drover__V1__Unit *unit, const Drover__V1__Statement *statement)
{
    return unit->statement_timeout_ms != 0 ? unit->statement_timeout_ms
                                           : class_of(statement->class_)->statement_timeout_ms;
}

Drover__V1__StatementClass
dr_sql_class_sqlite(const char *text, size_t len)
{
    static const struct {
        const char *word;
        Drover__V1__StatementClass class_;
    } rows[] = {
        {"SELECT", DROVER__V1__STATEMENT_CLASS__CLASS_READ},
        {"VALUES", DROVER__V1__STATEMENT_CLASS__CLASS_READ},
        {"EXPLAIN", DROVER__V1__STATEMENT_CLASS__CLASS_READ},
        {"INSERT", DROVER__V1__STATEMENT_CLASS__CLASS_WRITE},
        {"UPDATE", DROVER__V1__STATEMENT_CLASS__CLASS_WRITE},
        {"DELETE", DROVER__V1__STATEMENT_CLASS__CLASS_WRITE},
        {"REPLACE", DROVER__V1__STATEMENT_CLASS__CLASS_WRITE},
        {"CREATE", DROVER__V1__STATEMENT_CLASS__CLASS_NEW_OBJECT},
        {"ALTER", DROVER__V1__STATEMENT_CLASS__CLASS_ACCESS_EXCLUSIVE},
        {"DROP", DROVER__V1__STATEMENT_CLASS__CLASS_ACCESS_EXCLUSIVE},
    };
    char word[32];
    dr_sql_first_words(text, len, 1, word, sizeof word);
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (strcmp(rows[i].word, word) == 0) {
            return rows[i].class_;
        }
    }
    return DROVER__V1__STATEMENT_CLASS__CLASS_OTHER;
}
