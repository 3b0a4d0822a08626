// Where `drover log` reads from: an export of jsonl, or the coordinator, page after page.
#ifndef DR_CLI_LOG_SOURCE_H
#define DR_CLI_LOG_SOURCE_H

#include "coordinator/cli/remote.h"

#define DR_LOG_EXPORT_MAX (1024u * 1024 * 1024) // bytes of an export

// What is done with each entry and document. Messages live in `keep`; where that is NULL, until the
// call returns. `line`: in the export, 0 from the coordinator. Without `document` documents are
// passed over. Anything but DR_OK ends the reading with that error.
struct dr_log_sink {
    void *user;
    enum dr_rc (*entry)(void *user, const Drover__V1__LogEntry *entry, uint32_t line,
                        struct dr_err *err);
    enum dr_rc (*document)(void *user, const Drover__V1__Document *document, struct dr_err *err);
    struct dr_arena *keep;
};

// An export, line by line. DR_E_IO, DR_E_LIMIT, DR_E_INVALID with file and line.
DR_MUST_CHECK enum dr_rc
dr_log_read_export(const char *path, const struct dr_log_sink *sink, struct dr_err *err);
// DR_E_INVALID: a file without any entry.
enum dr_rc dr_log_say_empty(const char *path, struct dr_err *err);
// All pages of the coordinator's entries after `after` that the filters of the command line take.
DR_MUST_CHECK enum dr_rc
dr_log_read_coordinator(struct dr_remote *remote, uint64_t after, const struct dr_log_sink *sink,
                        struct dr_err *err);
// A document with its leaves, in `arena`. DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_log_fetch(struct dr_remote *remote, const uint8_t sha256[32], struct dr_arena *arena,
             Drover__V1__Document **out, struct dr_err *err);
// The project's file of the first root, as a document in the cli's arena. NULL: there is none that
// can be read.
Drover__V1__Document *dr_log_first_root(struct dr_cli *cli);

#endif
