// The words that a status shows, of all targets: those that were verified before are taken from
// what is kept, the others are fetched and verified.
#ifndef DR_CLI_WORDS_BRIEF_H
#define DR_CLI_WORDS_BRIEF_H

#include "coordinator/cli/words.h"

// Asks for the status of all targets. `*out_words` has of each target the newest word that tells
// its state, the newest BACKUP and the newest DRIFT, each with what is shown of it: kind, target,
// time, counter, heads, flags, started and of a backup its size and when it was finished. Words
// have neither wire nor entry. What does not verify is left out. DR_E_NOMEM, errors of the call.
DR_MUST_CHECK enum dr_rc
dr_words_brief(struct dr_remote *remote, const Drover__V1__StatusReply **out_reply,
               struct dr_words *out_words, struct dr_err *err);

#endif
