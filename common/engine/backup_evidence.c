// Evidence about a backup that a command made. See backup_evidence.h.
#include "engine/backup_evidence.h"

#include "base/str.h"
#include "engine/backup.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#define TIME_MAX 253402300799ll // the last second of the year 9999

enum { NEEDED_TAKEN = 1, NEEDED_RESTORED = 2 };

struct key {
    const char *name, *want; // what stands there, for people
    unsigned needed;         // by which kinds
    bool (*take)(const json_t *value, struct dr_backup_evidence *out);
};

// -------------------------------------------------------------------------------------------
// values

// Text without control characters that fits; `out` has `size` bytes.
static bool
take_text(const json_t *value, char *out, size_t size)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    size_t bad = 0;
    if (text == NULL || len == 0 || len >= size || strpbrk(text, "\n\t") != NULL ||
        !dr_utf8_plain(text, len, &bad)) {
        return false;
    }
    memcpy(out, text, len + 1);
    return true;
}

static bool
take_time(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
        json_integer_value(value) > TIME_MAX) {
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

// An id stands in names, in lists and in the environment of other commands.
static bool
take_id(const json_t *value, struct dr_backup_evidence *out)
{
    if (!take_text(value, out->id, sizeof out->id) || out->id[0] == '-') {
        return false;
    }
    for (const char *c = out->id; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._:/@+-", *c) == NULL) {
            return false;
        }
    }
    return true;
}

static bool
take_bytes(const json_t *value, struct dr_backup_evidence *out)
{
    bool is_good = json_is_integer(value) && json_integer_value(value) >= 0;
    out->size_bytes = is_good ? (uint64_t)json_integer_value(value) : 0;
    return is_good;
}

static bool
take_started(const json_t *value, struct dr_backup_evidence *out)
{
    return take_time(value, &out->started);
}

static bool
take_finished(const json_t *value, struct dr_backup_evidence *out)
{
    return take_time(value, &out->finished);
}

static bool
take_keep_until(const json_t *value, struct dr_backup_evidence *out)
{
    return take_time(value, &out->keep_until);
}

static bool
take_level(const json_t *value, struct dr_backup_evidence *out)
{
    static const char *const levels[] = {"", "listed", "restored", "queried"};
    const char *text = json_string_value(value);
    for (uint32_t i = DR_BACKUP_LISTED; text != NULL && i < DR_COUNT_OF(levels); i++) {
        if (dr_str_eq(levels[i], text)) {
            out->restore_level = i;
            return true;
        }
    }
    return false;
}

static bool
take_sha256(const json_t *value, struct dr_backup_evidence *out)
{
    const char *text = json_string_value(value);
    out->has_sha256 = text != NULL && dr_unhex(out->sha256, 32, text);
    return out->has_sha256;
}

static bool
take_tool(const json_t *value, struct dr_backup_evidence *out)
{
    return take_text(value, out->tool, sizeof out->tool);
}

static bool
take_location(const json_t *value, struct dr_backup_evidence *out)
{
    return take_text(value, out->location, sizeof out->location);
}

static bool
take_system(const json_t *value, struct dr_backup_evidence *out)
{
    bool is_good = take_text(value, out->system_identifier, sizeof out->system_identifier);
    return is_good &&
           strspn(out->system_identifier, "0123456789") == strlen(out->system_identifier);
}

static bool
take_detail(const json_t *value, struct dr_backup_evidence *out)
{
    return take_text(value, out->detail, sizeof out->detail);
}

static const struct key KEYS[] = {
    {"id", "the tool's name of the backup: letters, digits and ._:/@+-",
     NEEDED_TAKEN | NEEDED_RESTORED, take_id},
    {"bytes", "the backup's size, a whole number", NEEDED_TAKEN, take_bytes},
    {"started", "a time in seconds since 1970", NEEDED_TAKEN, take_started},
    {"finished", "a time in seconds since 1970", NEEDED_TAKEN, take_finished},
    {"restore_level", "how far it was proved: \"listed\", \"restored\" or \"queried\"",
     NEEDED_TAKEN | NEEDED_RESTORED, take_level},
    {"sha256", "64 hex digits", 0, take_sha256},
    {"keep_until", "a time in seconds since 1970", 0, take_keep_until},
    {"tool", "the tool and its version, at most 48 bytes", 0, take_tool},
    {"location", "where it lies, at most 1024 bytes", 0, take_location},
    {"system_identifier", "that of the PostgreSQL cluster, digits in quotes", 0, take_system},
    {"detail", "one line, at most 300 bytes", 0, take_detail},
};

// -------------------------------------------------------------------------------------------
// object

static enum dr_rc
take_all(json_t *object, struct dr_backup_evidence *out, bool *is_there, struct dr_err *err)
{
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        size_t i = 0;
        while (i < DR_COUNT_OF(KEYS) && !dr_str_eq(KEYS[i].name, name)) {
            i++;
        }
        if (i == DR_COUNT_OF(KEYS)) {
            struct dr_buf shown = {0};
            dr_show(&shown, name, strnlen(name, 64), false);
            enum dr_rc rc = dr_err_set(err, DR_E_BACKUP_EVIDENCE,
                                       "the evidence has the key '%s', which is not known",
                                       shown.data == NULL ? "" : shown.data);
            dr_buf_fini(&shown);
            return rc;
        }
        if (!KEYS[i].take(json_object_iter_value(at), out)) {
            return dr_err_set(err, DR_E_BACKUP_EVIDENCE, "the evidence's '%s' has to be %s",
                              KEYS[i].name, KEYS[i].want);
        }
        is_there[i] = true;
    }
    return DR_OK;
}

static enum dr_rc
check_whole(const struct dr_backup_evidence *evidence, enum dr_backup_evidence_kind kind,
            const bool *is_there, struct dr_err *err)
{
    unsigned bit = kind == DR_EVIDENCE_TAKEN ? NEEDED_TAKEN : NEEDED_RESTORED;
    for (size_t i = 0; i < DR_COUNT_OF(KEYS); i++) {
        if ((KEYS[i].needed & bit) != 0 && !is_there[i]) {
            return dr_err_set(err, DR_E_BACKUP_EVIDENCE, "the evidence lacks '%s': %s",
                              KEYS[i].name, KEYS[i].want);
        }
    }
    if (kind == DR_EVIDENCE_TAKEN && evidence->size_bytes == 0) {
        return dr_err_set(err, DR_E_BACKUP_EMPTY, "the backup '%s' has 0 bytes", evidence->id);
    }
    if (kind == DR_EVIDENCE_TAKEN && evidence->finished < evidence->started) {
        return dr_err_set(err, DR_E_BACKUP_EVIDENCE,
                          "the evidence's 'finished' is before its 'started'");
    }
    return DR_OK;
}

enum dr_rc
dr_backup_evidence_read(const char *text, size_t len, enum dr_backup_evidence_kind kind,
                        struct dr_backup_evidence *out, struct dr_err *err)
{
    struct dr_backup_evidence evidence = {0};
    bool is_there[DR_COUNT_OF(KEYS)] = {false};
    json_error_t why = {0};
    if (len == 0 || strspn(text, " \t\r\n") >= len) {
        return dr_err_set(err, DR_E_BACKUP_EVIDENCE, "the command printed no evidence");
    }
    if (len > DR_EVIDENCE_MAX) {
        return dr_err_set(err, DR_E_BACKUP_EVIDENCE, "the evidence is longer than %u bytes",
                          DR_EVIDENCE_MAX);
    }
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        return dr_err_set(err, DR_E_BACKUP_EVIDENCE,
                          "the command's output is not one JSON object: line %d, %.100s", why.line,
                          why.text);
    }
    enum dr_rc rc =
        !json_is_object(object)
            ? dr_err_set(err, DR_E_BACKUP_EVIDENCE, "the command's output is JSON, but no object")
            : take_all(object, &evidence, is_there, err);
    json_decref(object);
    rc = rc != DR_OK ? rc : check_whole(&evidence, kind, is_there, err);
    if (rc == DR_OK) {
        *out = evidence;
    }
    return rc;
}
