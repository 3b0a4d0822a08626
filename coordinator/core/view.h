// View: replies for people, built from the state: gates with what is missing, signatures, and the
// next command to type.
#ifndef DR_CORE_VIEW_H
#define DR_CORE_VIEW_H

#include "coordinator/core/core.h"

#define DR_VIEW_TARGETS_MAX 500u          // of one answer
#define DR_VIEW_BYTES_MAX   (900u * 1024) // of the documents in one answer

// Which targets of a rollout are shown, counted over all stages. `max` 0: as many as fit. With
// `out_is_old`, gates and signatures may be up to DR_VIEW_KEPT_MS old, which it then says; NULL:
// they are as they are now.
struct dr_view_page {
    size_t first, max;
    bool *out_is_old;
};

// Everything is in `arena`. `page` NULL: from the first on; next_target says where the next page
// begins. DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_view_rollout(struct dr_core *core, const struct dr_rollout *rollout,
                                         const struct dr_view_page *page, struct dr_arena *arena,
                                         Drover__V1__Rollout **out, struct dr_err *err);
// The same outside of any transaction: in one of its own, so that thousands of reads take one lock.
DR_MUST_CHECK enum dr_rc
dr_view_rollout_alone(struct dr_core *core, const struct dr_rollout *rollout,
                      const struct dr_view_page *page, struct dr_arena *arena,
                      Drover__V1__Rollout **out, struct dr_err *err);
// Targets by name, after request->after, as many as fit; next_after says where the next page
// begins.
DR_MUST_CHECK enum dr_rc
dr_view_status(struct dr_core *core, const Drover__V1__StatusRequest *request,
               struct dr_arena *arena, Drover__V1__StatusReply **out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_view_agents(struct dr_core *core, struct dr_arena *arena,
                                        Drover__V1__AgentList **out, struct dr_err *err);
// A stored document as it travels; `with_parts` false leaves the leaves out.
DR_MUST_CHECK enum dr_rc
dr_view_document(const struct dr_store_document *row, bool with_parts, struct dr_arena *arena,
                 Drover__V1__Document **out, struct dr_err *err);
// Entries of the log. `word` as in the store.
DR_MUST_CHECK enum dr_rc
dr_view_log(struct dr_core *core, uint64_t after, uint32_t limit, const char *word,
            struct dr_arena *arena, Drover__V1__LogEntry ***out, size_t *out_n, struct dr_err *err);

#endif
