// A root or fleet file that has just been signed: on its way to the coordinator.
#ifndef DR_CLI_OFFER_H
#define DR_CLI_OFFER_H

#include "coordinator/cli/trust_files.h"

// Hands the file at `path` to the coordinator when there is one to hand it to: says how many
// signatures it has now, or in a note why it was not taken. Says nothing while the first root is
// not signed. A newer fleet is also named in the droverd.conf beside drover.conf, if there is one
// that names an older one. `*out` (may be NULL) is the coordinator's reply; NULL when there is
// none.
void dr_offer(struct dr_cli *cli, const char *path, const struct dr_trust_file *file,
              Drover__V1__PutDocumentReply **out);

#endif
