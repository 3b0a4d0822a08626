// Configuration files through libconfuse: unknown keys, duplicates and unclosed sections are
// refused with file and line.
#ifndef DR_BASE_CONF_H
#define DR_BASE_CONF_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dr_conf_type {
    DR_CONF_STR,
    DR_CONF_INT,
    DR_CONF_BOOL,
    DR_CONF_LIST,
    DR_CONF_DURATION,
    DR_CONF_SECTION
};

// One key. Sections are titled (`target "production/orders" { ... }`) and may repeat. A table ends
// with {0}.
struct dr_conf_key {
    const char *name;
    enum dr_conf_type type;
    const char *fallback; // default as text, not for lists; NULL: none (required if `is_required`)
    bool is_required;
    const struct dr_conf_key *section; // keys of a SECTION
    const char *help;                  // one line, for `--help` and the man page
};

struct dr_conf; // the file, or one section of it

#define DR_CONF_FILE_MAX (1024u * 1024u)

// Reads and checks `path` against `keys`. Errors DR_E_CONFIG with file and line ("no such option
// 'approvalz'"), DR_E_NOT_FOUND, DR_E_IO. `*out` is freed with dr_conf_free. Environment variables:
// `${NAME}` inside quotes is libconfuse's own.
DR_MUST_CHECK enum dr_rc dr_conf_read(const char *path, const struct dr_conf_key *keys,
                                      struct dr_conf **out, struct dr_err *err);
void dr_conf_free(struct dr_conf **conf);

// Values live as long as the file. A key that is not in the table is our own bug (assertion).
const char *dr_conf_str(const struct dr_conf *conf, const char *key); // NULL when unset
int64_t dr_conf_int(const struct dr_conf *conf, const char *key);
bool dr_conf_bool(const struct dr_conf *conf, const char *key);
uint64_t dr_conf_duration_ms(const struct dr_conf *conf, const char *key);
size_t dr_conf_list_len(const struct dr_conf *conf, const char *key);
const char *dr_conf_list_at(const struct dr_conf *conf, const char *key, size_t i);
size_t dr_conf_section_count(const struct dr_conf *conf, const char *key);
const struct dr_conf *dr_conf_section_at(const struct dr_conf *conf, const char *key, size_t i);
const char *dr_conf_title(const struct dr_conf *section);
// Path of the file, and a path in it made absolute relative to the file's folder (into `out`, size
// PATH_MAX).
const char *dr_conf_path(const struct dr_conf *conf);
void dr_conf_resolve(const struct dr_conf *conf, const char *path, char *out, size_t out_size);

#endif
