// Inside of review: what is said of a revision as a whole, and of its nolint lines.
#ifndef DR_REVISION_REVIEW_INTERNAL_H
#define DR_REVISION_REVIEW_INTERNAL_H

#include "revision/review.h"

// Rules about a whole revision. `used` (by the index of its nolint lines) is set where one silences
// something; may be NULL when it has none.
void dr_review_whole(const struct dr_node *node, bool *used, struct dr_findings *out);
// Nolint lines that name no rule, or one that had nothing to say (`used` false).
void dr_review_nolint(const struct dr_node *node, const bool *used, struct dr_findings *out);
// A warning or error at the beginning of a line of the revision's file.
void dr_review_line(const struct dr_revision *r, const char *rule, uint32_t line,
                    const char *message, const char *help, struct dr_findings *out);
// A copy of line `line` (from 1) of a text, cut at 500 bytes; NULL when there is none.
char *dr_review_source(const char *text, size_t len, uint32_t line, struct dr_arena *arena);

#endif
