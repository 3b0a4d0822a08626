// Export: what the writers of formats share. SQL goes out as it stands in the revision's sections;
// a header of comments keeps id, parents and labels, and readers of our own take them back.
#ifndef DR_IMPORT_EXPORT_H
#define DR_IMPORT_EXPORT_H

#include "coordinator/import/folder.h"
#include "coordinator/import/formats.h"

#include "base/str.h"
#include "revision/graph.h"

#define DR_EXPORT_NO_WAY_BACK "No way back" // key of the header

struct dr_source_file;

// Adds the header of comments for a node.
void dr_export_header(const struct dr_node *node, struct dr_buf *out);
// True when the sections of that kind for the chain's engine are one transaction, or none.
bool dr_export_is_one(const struct dr_import *import, const struct dr_node *node,
                      enum dr_section_kind kind);
// Adds the sections of that kind, each of them in BEGIN and COMMIT if it is a transaction and
// `is_framed`. Returns how many there are.
size_t dr_export_sections(struct dr_import *import, const struct dr_node *node,
                          enum dr_section_kind kind, bool is_framed, struct dr_buf *out);
// Notes what no format but drover's own holds: preflights, remedies, probes, time-outs. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_export_losses(struct dr_import *import, const struct dr_node *node,
                                          bool keeps_verify, struct dr_err *err);
// Are the ids numbers of one length that rise along the chain, as versions do?
bool dr_export_by_id(const struct dr_graph *graph);
// A version and the message, "00007_add_users": the id is the version, or the place in the chain.
// NULL when memory is out.
const char *dr_export_name(struct dr_import *import, const struct dr_node *node, bool by_id);

// Takes id, parents, labels and the like from the header of comments at the begin of `text`, if
// there is one. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_export_read_header(struct dr_import *import, struct dr_import_revision *revision,
                      const char *text, size_t len, struct dr_err *err);
// The same for a piece, which loses the header: it becomes the revision's own.
DR_MUST_CHECK enum dr_rc
dr_export_take_header(struct dr_import *import, struct dr_import_revision *revision,
                      struct dr_import_piece *piece, struct dr_err *err);
// The sections of a file of verify sections, as an export writes them; none when it is another file
// (NULL: none). DR_E_NOMEM, errors of reading.
DR_MUST_CHECK enum dr_rc
dr_export_read_verify(struct dr_import *import, struct dr_import_revision *revision,
                      const struct dr_source_file *file, struct dr_err *err);

enum dr_rc dr_plain_write(const struct dr_graph *graph, struct dr_import *import,
                          struct dr_folder *to, struct dr_err *err);
enum dr_rc dr_dbmate_write(const struct dr_graph *graph, struct dr_import *import,
                           struct dr_folder *to, struct dr_err *err);
enum dr_rc dr_sqitch_write(const struct dr_graph *graph, struct dr_import *import,
                           struct dr_folder *to, struct dr_err *err);

#endif
