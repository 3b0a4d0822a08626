// libpq when it is needed: every function that the door calls, as one that loads the library first.
// A program that is linked with this file instead of with -lpq starts without libpq and its two
// dozen libraries (4 ms of CPU), which a run on SQLite, or help, never needs.
//
// The table is filled once and never changes: the functions of a library are no state of ours.
#include <libpq-fe.h>

#include "base/late.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libpq.so.5"

#define FUNCTIONS(X)                                                                               \
    X(int, PQbackendPID, (const PGconn *a), (a))                                                   \
    X(int, PQcancel, (PGcancel * a, char *b, int c), (a, b, c))                                    \
    X(char *, PQcmdStatus, (PGresult * a), (a))                                                    \
    X(char *, PQcmdTuples, (PGresult * a), (a))                                                    \
    X(PostgresPollingStatusType, PQconnectPoll, (PGconn * a), (a))                                 \
    X(PGconn *, PQconnectStartParams, (const char *const *a, const char *const *b, int c),         \
      (a, b, c))                                                                                   \
    X(int, PQconsumeInput, (PGconn * a), (a))                                                      \
    X(int, PQenterPipelineMode, (PGconn * a), (a))                                                 \
    X(char *, PQerrorMessage, (const PGconn *a), (a))                                              \
    X(int, PQexitPipelineMode, (PGconn * a), (a))                                                  \
    X(int, PQflush, (PGconn * a), (a))                                                             \
    X(PGcancel *, PQgetCancel, (PGconn * a), (a))                                                  \
    X(int, PQgetCopyData, (PGconn * a, char **b, int c), (a, b, c))                                \
    X(PGresult *, PQgetResult, (PGconn * a), (a))                                                  \
    X(int, PQgetisnull, (const PGresult *a, int b, int c), (a, b, c))                              \
    X(int, PQgetlength, (const PGresult *a, int b, int c), (a, b, c))                              \
    X(char *, PQgetvalue, (const PGresult *a, int b, int c), (a, b, c))                            \
    X(int, PQisBusy, (PGconn * a), (a))                                                            \
    X(int, PQnfields, (const PGresult *a), (a))                                                    \
    X(int, PQntuples, (const PGresult *a), (a))                                                    \
    X(int, PQpipelineSync, (PGconn * a), (a))                                                      \
    X(int, PQputCopyEnd, (PGconn * a, const char *b), (a, b))                                      \
    X(char *, PQresultErrorField, (const PGresult *a, int b), (a, b))                              \
    X(char *, PQresultErrorMessage, (const PGresult *a), (a))                                      \
    X(ExecStatusType, PQresultStatus, (const PGresult *a), (a))                                    \
    X(int, PQsendFlushRequest, (PGconn * a), (a))                                                  \
    X(int, PQsendPrepare, (PGconn * a, const char *b, const char *c, int d, const Oid *e),         \
      (a, b, c, d, e))                                                                             \
    X(int, PQsendQueryParams,                                                                      \
      (PGconn * a, const char *b, int c, const Oid *d, const char *const *e, const int *f,         \
       const int *g, int h),                                                                       \
      (a, b, c, d, e, f, g, h))                                                                    \
    X(int, PQsendQueryPrepared,                                                                    \
      (PGconn * a, const char *b, int c, const char *const *d, const int *e, const int *f, int g), \
      (a, b, c, d, e, f, g))                                                                       \
    X(int, PQserverVersion, (const PGconn *a), (a))                                                \
    X(PGVerbosity, PQsetErrorVerbosity, (PGconn * a, PGVerbosity b), (a, b))                       \
    X(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn * a, PQnoticeReceiver b, void *c), (a, b, c)) \
    X(int, PQsetSingleRowMode, (PGconn * a), (a))                                                  \
    X(int, PQsetnonblocking, (PGconn * a, int b), (a, b))                                          \
    X(int, PQsocket, (const PGconn *a), (a))                                                       \
    X(ConnStatusType, PQstatus, (const PGconn *a), (a))                                            \
    X(PGTransactionStatusType, PQtransactionStatus, (const PGconn *a), (a))
#define PROCEDURES(X)                                                                              \
    X(void, PQclear, (PGresult * a), (a))                                                          \
    X(void, PQconninfoFree, (PQconninfoOption * a), (a))                                           \
    X(void, PQfinish, (PGconn * a), (a))                                                           \
    X(void, PQfreeCancel, (PGcancel * a), (a))
// These two are of use when the library is not there, too.
#define OTHERS(X)                                                                                  \
    X(PQconninfoOption *, PQconninfoParse, (const char *a, char **b), (a, b))                      \
    X(void, PQfreemem, (void *a), (a))

static struct {
    FUNCTIONS(DR_LATE_FIELD)
    PROCEDURES(DR_LATE_FIELD)
    OTHERS(DR_LATE_FIELD)
} pq;
static const char *const names[] = {FUNCTIONS(DR_LATE_NAME) PROCEDURES(DR_LATE_NAME)
                                        OTHERS(DR_LATE_NAME)};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
load(void)
{
    if (!dr_late_load(LIBRARY, names, DR_COUNT_OF(names), &pq)) {
        pq.PQconninfoParse = NULL;
    }
}

static bool
is_loaded(void)
{
    (void)pthread_once(&once, load);
    return pq.PQconninfoParse != NULL;
}

// Every connection begins with this one, so whoever comes to another function has the library.
PQconninfoOption *
PQconninfoParse(const char *text, char **out_message)
{
    if (is_loaded()) {
        return pq.PQconninfoParse(text, out_message);
    }
    *out_message = strdup(LIBRARY " is not there, or too old: install libpq 14 or newer");
    return NULL;
}

void
PQfreemem(void *memory)
{
    if (is_loaded()) {
        pq.PQfreemem(memory);
    } else {
        free(memory);
    }
}

#define AS_FUNCTION(type, name, parameters, arguments)                                             \
    type name parameters                                                                           \
    {                                                                                              \
        return pq.name arguments;                                                                  \
    }
#define AS_PROCEDURE(type, name, parameters, arguments)                                            \
    type name parameters                                                                           \
    {                                                                                              \
        if (pq.name != NULL) { /* what frees is called for nothing, too */                         \
            pq.name arguments;                                                                     \
        }                                                                                          \
    }

FUNCTIONS(AS_FUNCTION)
PROCEDURES(AS_PROCEDURE)
