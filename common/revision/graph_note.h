// A note of a folder's revisions: their ids, which of them are heads, and by what each file can be
// told unchanged (size, times, inode). The question whether there is anything to run is answered
// with it, without reading a thousand files. What runs is never taken from it.
#ifndef DR_REVISION_GRAPH_NOTE_H
#define DR_REVISION_GRAPH_NOTE_H

#include "revision/graph.h"

#define DR_GRAPH_NOTE_MIN 64u // files: for fewer a note costs as much as it saves

struct dr_graph_note; // opaque

// Where this user's note of `folder` is kept: in $XDG_CACHE_HOME/drover or ~/.cache/drover. False:
// nowhere.
bool dr_graph_note_path(const char *folder, char *out, size_t out_size);

// The note at `path`, when not one file of `folder` came, went or changed since. DR_E_NOT_FOUND:
// there is none, it is another program's, or something changed; DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_graph_note_read(const char *path, const char *folder,
                                            struct dr_graph_note **out, struct dr_err *err);
void dr_graph_note_free(struct dr_graph_note **note); // NULL accepted, pointer cleared
size_t dr_graph_note_heads(const struct dr_graph_note *note);
// The marks (graph.h: dr_node_marks) of the revision with this id; NULL when it knows none.
const char *dr_graph_note_marks(const struct dr_graph_note *note, const char *id);

// Notes a graph that dr_graph_load made of `folder`; `since_ms` (dr_now_unix_ms) is when it began.
// A file that changed about then is noted as one that always changes. Errors of files; the note of
// before stays then.
DR_MUST_CHECK enum dr_rc
dr_graph_note_write(const struct dr_graph *graph, const char *path, const char *folder,
                    int64_t since_ms, struct dr_err *err);

#endif
