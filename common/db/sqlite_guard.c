// What a statement may do, decided while SQLite compiles it.
#include "db/sqlite_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// Settings that a revision may read, or set where that changes nothing but the file's own notes.
static const struct {
    const char *name;
    bool may_set;
} pragma_table[] = {
    {"table_info", true},         {"table_xinfo", true},        {"table_list", true},
    {"index_info", true},         {"index_xinfo", true},        {"index_list", true},
    {"foreign_key_list", true},   {"foreign_key_check", true},  {"integrity_check", true},
    {"quick_check", true},        {"user_version", true},       {"application_id", true},
    {"defer_foreign_keys", true}, {"legacy_alter_table", true}, {"encoding", false},
    {"foreign_keys", false},      {"journal_mode", false},      {"page_count", false},
    {"page_size", false},         {"freelist_count", false},    {"schema_version", false},
    {"compile_options", false},   {"function_list", false},     {"database_list", false},
};

static int
deny(struct dr_sqlite *db, const char *what, const char *name)
{
    if (db->denied[0] == '\0') {
        snprintf(db->denied, sizeof db->denied, "%s%s%.80s%s", what, name == NULL ? "" : " '",
                 name == NULL ? "" : name, name == NULL ? "" : "'");
    }
    return SQLITE_DENY;
}

static bool
is_ours(const char *name)
{
    return name != NULL && strncasecmp(name, "drover_", 7) == 0;
}

static int
authorize_pragma(struct dr_sqlite *db, const char *name, const char *value)
{
    for (size_t i = 0; i < DR_COUNT_OF(pragma_table); i++) {
        if (strcasecmp(name, pragma_table[i].name) == 0) {
            bool is_set = value != NULL && !pragma_table[i].may_set;
            bool is_write =
                db->guard == DR_SQLITE_READ && value != NULL &&
                (strcasecmp(name, "user_version") == 0 || strcasecmp(name, "application_id") == 0);
            return is_set || is_write ? deny(db, "setting PRAGMA", name) : SQLITE_OK;
        }
    }
    return deny(db, "PRAGMA", name);
}

// Objects that a schema change or a change of rows would touch: those of drover are not a
// revision's.
static int
authorize_change(struct dr_sqlite *db, int action, const char *first, const char *second)
{
    if (db->guard == DR_SQLITE_READ) {
        // Table-valued PRAGMAs look like CREATE TABLE here; whether a statement writes is asked
        // when it is compiled.
        return SQLITE_OK;
    }
    db->hides_names = db->hides_names || action == SQLITE_ALTER_TABLE ||
                      action == SQLITE_CREATE_TRIGGER || action == SQLITE_CREATE_TEMP_TRIGGER;
    switch (action) {
    case SQLITE_ANALYZE: // of all tables, ours too: changes no content
    case SQLITE_REINDEX:
        return SQLITE_OK;
    case SQLITE_ALTER_TABLE: // database name, table
        return is_ours(second) ? deny(db, "a change of drover's table", second) : SQLITE_OK;
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TRIGGER: // index or trigger, table
        return is_ours(first) || is_ours(second) ? deny(db, "a change of drover's object", first)
                                                 : SQLITE_OK;
    default: // table or view first
        return is_ours(first) ? deny(db, "a change of drover's table", first) : SQLITE_OK;
    }
}

static bool
is_always_denied(struct dr_sqlite *db, int action, const char *first, const char *second)
{
    if (action == SQLITE_FUNCTION && second != NULL && strcasecmp(second, "load_extension") == 0) {
        return deny(db, "load_extension", NULL) != SQLITE_OK;
    }
    // VACUUM attaches a database without a name; nothing else may. NULL is a name that is computed:
    // never let through.
    bool is_vacuum = db->guard != DR_SQLITE_READ && first != NULL && *first == '\0';
    return action == SQLITE_ATTACH && !is_vacuum && deny(db, "ATTACH", NULL) != SQLITE_OK;
}

int
dr_sqlite_authorize(void *ctx, int action, const char *first, const char *second,
                    const char *database, const char *trigger)
{
    struct dr_sqlite *db = ctx;
    (void)database;
    (void)trigger;
    if (is_always_denied(db, action, first, second)) {
        return SQLITE_DENY;
    }
    if (db->guard == DR_SQLITE_OWN) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_DETACH:
        return deny(db, "DETACH", NULL);
    case SQLITE_TRANSACTION:
        return deny(db, "a transaction command", first);
    case SQLITE_SAVEPOINT:
        return deny(db, "a savepoint command", first);
    case SQLITE_PRAGMA:
        return authorize_pragma(db, first, second);
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
        // FTS and R-Tree are an application's business; the module is compiled in or the statement
        // fails.
    default:
        return authorize_change(db, action, first, second);
    }
}
