// The options of every command, one table for each set.

#include "coordinator/cli/command_options.h"

const struct dr_cli_option dr_opt_revision[] = {
    {"message", 'm', "TEXT", "what it does, one line (required)"},
    {"rev-id", 0, "ID", "its id (default: 12 random hex digits)"},
    {"head", 0, "REVISION", "its parent (default: the only head): an id, label@head, base"},
    {"splice", 0, NULL, "allow a parent that is not a head"},
    {"branch-label", 0, "LABEL", "label of the branch that it begins; may be repeated"},
    {"depends-on", 0, "REVISION", "another one that must be there first; may be repeated"},
    {"engine", 0, "LIST", "postgresql, sqlite or both with a comma (default: as its parent)"},
    {"edit", 0, NULL, "open it in $VISUAL or $EDITOR"},
    {"autogenerate", 0, NULL, "write up and down from what differs from the desired schema"},
    {"desired", 0, "SCHEMA", "FILE.sql or a database's URL (default: desired in drover.conf)"},
    {"rename", 0, "OLD=NEW", "that table or column was renamed; may be repeated"},
    {"concurrently", 0, NULL, "PostgreSQL: build indexes without blocking writes"},
    {"schema", 0, "NAME", "PostgreSQL: compare only this schema"},
    {"scratch", 0, "URL", "PostgreSQL in which to build (default: a private server)"},
    {"environment", 'e', "ENV", "run sections with only=ENV, too"},
    {0},
};
const struct dr_cli_option dr_opt_lint[] = {
    {"format", 0, "FORMAT", "text, json, github, gitlab, sarif or junit"},
    {"rule", 0, "LIST", "only these rules; \"all\": those for sticklers too"},
    {"exclude", 0, "LIST", "all but these rules"},
    {"against", 0, "REF", "only what is newer than a revision, or than a git reference"},
    {"rules", 0, NULL, "list the rules"},
    {0},
};
const struct dr_cli_option dr_opt_merge[] = {
    {"message", 'm', "TEXT", "what it does (default: merge)"},
    {"rev-id", 0, "ID", "its id (default: 12 random hex digits)"},
    {"branch-label", 0, "LABEL", "label of the branch that it begins; may be repeated"},
    {"engine", 0, "LIST", "postgresql, sqlite or both with a comma (default: as its parent)"},
    {"edit", 0, NULL, "open it in $VISUAL or $EDITOR"},
    {0},
};
const struct dr_cli_option dr_opt_check[] = {
    {"heads", 0, NULL, "only: one head per branch"},
    {"sum", 0, NULL, "only: every file is as revisions.sum notes it"},
    {"base", 0, "GITREF", "no revision that is in this git state changed or went"},
    {"write", 0, NULL, "first note the folder as it is in revisions.sum"},
    {"desired", 0, "SCHEMA", "does the chain make this schema? FILE.sql or a URL"},
    {"engine", 0, "ENGINE", "postgresql or sqlite, for the desired schema (default: the chain's)"},
    {"schema", 0, "NAME", "PostgreSQL: compare only this schema"},
    {"scratch", 0, "URL", "PostgreSQL in which to build (default: a private server)"},
    {0},
};
const struct dr_cli_option dr_opt_history[] = {
    {"rev-range", 'r', "A:B", "only from A to B: -3:head, ae10:+2, -2:current"},
    {"indicate-current", 'i', NULL, "mark what the database has (asks it)"},
    {"verbose", 'v', NULL, "all that the header says"},
    {"state", 0, NULL, "a table with each revision's state in the database"},
    {"url", 0, "URL", "the database (default: DROVER_URL ...); alone: the table of --state"},
    {"target", 't', "NAME", "the table of a target, as its agent signed it last"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {0},
};
const struct dr_cli_option dr_opt_verbose[] = {{"verbose", 'v', NULL, "all that the header says"},
                                               {0}};
const struct dr_cli_option dr_opt_show[] = {
    {"sql", 0, NULL, "the file's text too"},
    {"url", 0, "URL", "the database that `current` asks"},
    {0},
};
const struct dr_cli_option dr_opt_sql[] = {
    {"engine", 0, "ENGINE", "postgresql or sqlite (default: as the database or the revisions)"},
    {"down", 0, NULL, "the way down, newest first; B:A means that, too"},
    {"alembic-table", 0, NULL, "with alembic_version (default: with version_table = \"alembic\")"},
    {"url", 0, "URL", "the database that `current` asks"},
    {0},
};
#define SCHEMA_FROM                                                                                \
    {"from", 0, "SOURCE",                                                                          \
     "head, another revision, FILE.sql or a URL (default: the project's database, else head)"},    \
        {"url", 0, "URL", "the same for a database"}, SCHEMA_BUILD
#define SCHEMA_BUILD                                                                               \
    {"engine", 0, "ENGINE", "postgresql or sqlite, for what is built (default: the chain's)"},     \
        {"schema", 0, "NAME", "PostgreSQL: only this schema, names relative to it"},               \
        {"scratch", 0, "URL", "PostgreSQL in which to build (default: a private server)"},         \
    {                                                                                              \
        "environment", 'e', "ENV", "run sections with only=ENV, too"                               \
    }
const struct dr_cli_option dr_opt_schema_show[] = {
    SCHEMA_FROM,
    {"kind", 0, "KIND", "only this: table, view, index, enum, function, trigger, ..."},
    {"sql", 0, NULL, "the statements that make it"},
    {0},
};
const struct dr_cli_option dr_opt_schema_diff[] = {SCHEMA_BUILD, {0}};
const struct dr_cli_option dr_opt_schema_er[] = {
    SCHEMA_FROM,
    {"format", 0, "FORMAT", "mermaid (default), dot, svg or json"},
    {"out", 0, "FILE", "write it to this file"},
    {0},
};
const struct dr_cli_option dr_opt_import[] = {
    {"out", 0, "DIR", "folder for the revision files (default: the project's)"},
    {"dry-run", 0, NULL, "only tell what would be written"},
    {"new", 0, NULL, "only those that are no revisions yet, when some are there already"},
    {"engine", 0, "ENGINE", "postgresql (default) or sqlite; chooses among files for several"},
    {"command", 0, "PROGRAM", "alembic: the program, or the python that has it (default: alembic)"},
    {"scratch", 0, "URL", "PostgreSQL server to record on (default: a private one)"},
    {"url", 0, "URL", "a database of the tool: tells what is applied there and how to stamp it"},
    {0},
};
const struct dr_cli_option dr_opt_export[] = {
    {"dry-run", 0, NULL, "only tell what would be written"},
    {"engine", 0, "ENGINE", "postgresql or sqlite: the sections for it (default: the chain's)"},
    {0},
};
const struct dr_cli_option dr_opt_current[] = {
    {"url", 0, "URL", "database: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"check-heads", 0, NULL, "exit 3 unless the database is at the head"},
    {"verify", 0, NULL, "check every row of the ledger"},
    {"verbose", 'v', NULL, "all that the revision's header says"},
    {"environment", 'e', "ENV", "with a coordinator: only this environment"},
    {0},
};
const struct dr_cli_option dr_opt_upgrade[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables go into"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV",
     "rollout: only this environment; direct: sections marked only=ENV run too"},
    {"target", 't', "GLOB", "rollout: only these targets"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"on-failure", 0, "WHAT", "rollout: hold (default) or reverse"},
    {"after", 0, "R-N", "rollout: begins when that one is done"},
    {"after-item", 0, "ITEM", "rollout: and this item of its checklist is signed"},
    {"dry-run", 0, NULL, "say what would run, after every check; change nothing"},
    {"wait", 'w', NULL, "rollout: watch it until it ends or waits for people"},
    {"timeout", 0, "TIME", "with --wait: give up after this time (exit 124)"},
    {"confirm", 0, "NAME", "answer to a question that wants a name typed"},
    {0},
};
const struct dr_cli_option dr_opt_graph[] = {
    {"format", 0, "FORMAT", "text (default), mermaid, dot or svg"},
    {"rev-range", 'r', "A:B", "only from A to B: -10:head"},
    {0},
};
const struct dr_cli_option dr_opt_config[] = {
    {"origin", 0, NULL, "where each value comes from, and what is not set"}, {0}};
const struct dr_cli_option dr_opt_init[] = {
    {"from", 0, "FILE", "an alembic.ini: its database and where its migrations are"},
    {"name", 0, "NAME", "the project's name (default: the folder's)"},
    {"person", 0, "NAME", "your name as a signer (default: your login)"},
    {"people", 0, "FILES", "public key files of the people, with commas: a.pub,b.pub,c.pub"},
    {"threshold", 0, "N", "how many of them must sign (default: 1)"},
    {"staging-threshold", 0, "N", "how many for staging (default: 1)"},
    {"environments", 0, "LIST", "in order (default: staging,production)"},
    {"keys", 0, "DIR", "folder of your keys (default: .drover/keys)"},
    {"coordinator", 0, "URL", "address of droverd (default: tcp://127.0.0.1:7800)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"no-passphrase", 0, NULL, "unattended key, for tests and machines"},
    {0},
};
const struct dr_cli_option dr_opt_key[] = {
    {"dir", 0, "DIR", "folder of the key files (default: .drover/keys)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"no-passphrase", 0, NULL, "unattended key, for tests and machines"},
    {0},
};
const struct dr_cli_option dr_opt_sign[] = {
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
#define SIGNING_OPTIONS                                                                            \
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},                           \
        {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},                     \
    {                                                                                              \
        "discard", 0, NULL, "put it in the place of a proposal that waits"                         \
    }
const struct dr_cli_option dr_opt_root[] = {
    {"threshold", 0, "N", "how many must sign: 2, or root=2,production=3"},
    {"person", 0, "NAME", "with --roles: whose roles change"},
    {"roles", 0, "LIST", "root, fleet, reviewers and environments, with commas"},
    {"expires", 0, "TIME", "how long it holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
const struct dr_cli_option dr_opt_rotate[] = {
    {"expires", 0, "TIME", "how long it holds (default: 365d)"}, SIGNING_OPTIONS, {0}};
const struct dr_cli_option dr_opt_people[] = {
    {"threshold", 0, "N", "how many must sign: 2, or root=2,production=3"},
    {"roles", 0, "LIST", "root, fleet, reviewers and environments (default: all)"},
    {"expires", 0, "TIME", "how long the new root holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
const struct dr_cli_option dr_opt_replace[] = {
    {"public-key", 0, "FILE", "the new public key file (required)"},
    {"new-key", 0, "FILE", "your own new key: signs, too"},
    {"expires", 0, "TIME", "how long the new root holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
const struct dr_cli_option dr_opt_change[] = {
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_rekey[] = {
    {"public-key", 0, "FILE", "the agent's new public key file (required)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_policy[] = {{"environment", 'e', "ENV", "only this environment"},
                                              {0}};
const struct dr_cli_option dr_opt_stop[] = {
    {"note", 0, "TEXT", "why"},
    {"expires", 0, "TIME", "ends by itself after this time (default: never)"},
    {"environment", 'e', "ENV", "environment (default: the last one of the rollout)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_freeze[] = {
    {"note", 0, "TEXT", "why"},
    {"expires", 0, "TIME", "ends by itself after this time (default: never)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_passwd[] = {
    {"passphrase-fd", 0, "N", "read the old passphrase from this descriptor"},
    {"new-passphrase-fd", 0, "N", "read the new passphrase from this descriptor"},
    {"no-passphrase", 0, NULL, "take the passphrase away: an unattended key"},
    {0},
};
const struct dr_cli_option dr_opt_folder[] = {
    {"dir", 0, "DIR", "folder of the key files (default: .drover/keys)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_agent[] = {
    {"environment", 'e', "ENV", "environment that the agent serves (required)"},
    {"target", 't', "NAME=DATABASE",
     "a target: production/orders=postgresql:orders, or its URL; may be repeated. Behind it "
     ",system=ID, as drover-agent check prints it"},
    {"public-key", 0, "FILE", "the agent's public key file (required)"},
    {"label", 0, "KEY=VALUE", "label of its targets; may be repeated"},
    {"conf", 0, "FILE", "write the agent's configuration here, and the root file beside it"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_approve_agent[] = {
    {"environment", 'e', "ENV", "environment that the agent serves"},
    {"target", 't', "NAME=DATABASE", "a target; may be repeated"},
    {"label", 0, "KEY=VALUE", "label of its targets; may be repeated"},
    {"confirm", 0, "WORDS", "the key's words, instead of typing them"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_backup[] = {
    {"backup", 0, "SHA256", "digest of the backup that is meant (default: the newest)"},
    {"timeout", 0, "TIME", "wait this long for the agent's answer (default: 1h)"},
    {0},
};
const struct dr_cli_option dr_opt_approve[] = {
    {"environment", 'e', "ENV", "environment to approve (required)"},
    {"expires", 0, "TIME", "how long the approval holds (default: the policy's longest)"},
    {"on-failure", 0, "WHAT", "hold (default) or reverse"},
    {"ack", 0, "FLAGS",
     "READY flags that you accept: no-backup,drift,partial,regressed,foreign,"
     "difference,new-epoch"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"confirm", 0, "NAME", "the environment's name, instead of typing it"},
    {"timeout", 0, "TIME", "wait this long for targets to get ready (default: not at all)"},
    {0},
};
const struct dr_cli_option dr_opt_policy_check[] = {
    {"explain", 0, NULL, "say in words what each environment asks"},
    {"simulate", 0, NULL, "say when each wave of a rollout could start at the earliest"},
    {0},
};
const struct dr_cli_option dr_opt_checklist[] = {
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"note", 0, "TEXT", "what you looked at"},
    {"app-version", 0, "VERSION", "sign application-updated: the version that runs now"},
    {"environment", 'e', "ENV", "environment (default: the last one of the rollout)"},
    {0},
};
const struct dr_cli_option dr_opt_submit[] = {{"dry-run", 0, NULL, "say what would be submitted"},
                                              {0}};
const struct dr_cli_option dr_opt_watch[] = {
    {"timeout", 0, "TIME", "give up after this time (exit 124)"},
    {"until", 0, "STATE", "stop at this state of an environment, e.g. staging=applied"},
    {"hook", 0, "COMMAND", "run it, with the arguments behind R-N, on each change of a state"},
    {0},
};
const struct dr_cli_option dr_opt_withdraw[] = {
    {"message", 'm', "WHY", "the reason, which everybody reads who meets the revision"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
const struct dr_cli_option dr_opt_drift[] = {
    {"now", 0, NULL, "let the agents look again and wait for what they sign"},
    {"timeout", 0, "TIME", "with --now: give up after this time (default 30s, exit 124)"},
    {"tolerate", 0, NULL, "put exactly what differs into the policy's tolerances, and sign them"},
    {"as-revision", 0, NULL, "write a revision that makes what somebody made by hand"},
    {"message", 'm', "TEXT", "with --as-revision: what it does, one line (required)"},
    {"desired", 0, "URL", "with --as-revision: the target's database (required)"},
    {"rev-id", 0, "ID", "its id (default: 12 random hex digits)"},
    {"head", 0, "REVISION", "its parent (default: the only head): an id, label@head"},
    {"engine", 0, "LIST", "postgresql, sqlite or both with a comma (default: as its parent)"},
    {"rename", 0, "OLD=NEW", "that table or column was renamed; may be repeated"},
    {"concurrently", 0, NULL, "PostgreSQL: build indexes without blocking writes"},
    {"schema", 0, "NAME", "PostgreSQL: compare only this schema"},
    {"scratch", 0, "URL", "PostgreSQL in which to build (default: a private server)"},
    {0},
};
const struct dr_cli_option dr_opt_report[] = {
    {"html", 0, "FILE", "write one page that carries its evidence"},
    {"verify", 0, "FILE", "check such a page, without any server"},
    {"root-sha256", 0, "HEX", "the first root to check from; default: the project's"},
    {0},
};
const struct dr_cli_option dr_opt_status[] = {
    {"environment", 'e', "ENV", "only this environment"},
    {"target", 't', "GLOB", "only these targets"},
    {0},
};
const struct dr_cli_option dr_opt_log[] = {
    {"rollout", 0, "R-N", "only this rollout"},
    {"target", 't', "NAME", "only this target"},
    {"verify", 0, NULL, "check every hash and every signature, and the agents' numbers"},
    {"hashes", 0, NULL, "with --verify: the hashes alone"},
    {"root-sha256", 0, "HEX", "with --verify: the first root's SHA-256; default: drover.conf's"},
    {"documents", 0, NULL, "with -o jsonl: behind the entries the documents that they name"},
    {"file", 0, "FILE", "read an export (drover log -o jsonl) instead of asking the coordinator"},
    {"compare", 0, "FILE|HEAD", "is it the same log as in this export, or of this head (N:HASH)?"},
    {"accept", 0, NULL, "with --verify: remember this log from now on, whatever was seen before"},
    {"limit", 'n', "N", "only the last N"},
    {0},
};
const struct dr_cli_option dr_opt_order[] = {
    {"target", 't', "NAME", "only this target"},
    {"note", 0, "TEXT", "why"},
    {0},
};
const struct dr_cli_option dr_opt_undo[] = {
    {"environment", 'e', "ENV", "only in this environment"},
    {"target", 't', "GLOB", "only these targets"},
    {"wave", 0, "N", "only the targets of this wave"},
    {"message", 'm', "TEXT", "a note for those who approve"},
    {"on-failure", 0, "WHAT", "hold (default) or reverse"},
    {"dry-run", 0, NULL, "say what would run; change nothing"},
    {"wait", 'w', NULL, "watch it until it ends or waits for people"},
    {"timeout", 0, "TIME", "with --wait: give up after this time (exit 124)"},
    {0},
};
const struct dr_cli_option dr_opt_repair[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV", "direct: sections marked only=ENV run too"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"resume", 0, NULL, "go on with what is half done"},
    {"reverse", 0, NULL, "run its way back"},
    {0},
};
const struct dr_cli_option dr_opt_stamp[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"scratch", 0, "URL", "PostgreSQL: an empty database in which the chain is built to compare"},
    {"accept-difference", 0, "DIGEST", "the schema differs, and exactly this difference is right"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV", "direct: sections marked only=ENV count too"},
    {"target", 't', "NAME", "with a coordinator: the target (required)"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"wait", 'w', NULL, "rollout: watch it until it ends or waits for people"},
    {"timeout", 0, "TIME", "with --wait: give up after this time (exit 124)"},
    {0},
};
const struct dr_cli_option dr_opt_remedy[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV", "rollout: only this environment"},
    {"target", 't', "GLOB", "rollout: only these targets"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"wait", 'w', NULL, "rollout: watch it until it ends or waits for people"},
    {"timeout", 0, "TIME", "with --wait: give up after this time (exit 124)"},
    {0},
};
const struct dr_cli_option dr_opt_test[] = {
    {"engine", 0, "LIST", "postgresql, sqlite (default: those that the headers name)"},
    {"environment", 'e', "ENV", "run sections with only=ENV, too"},
    {"scratch", 0, "URL",
     "PostgreSQL server for scratch databases (default: DROVER_SCRATCH_URL, else a private one)"},
    {"roles", 0, "LIST", "roles that the private server is to have, for GRANT ... TO them"},
    {"junit", 0, "FILE", "write a report for CI systems"},
    {0},
};
const struct dr_cli_option dr_opt_rehearse[] = {
    {"url", 0, "URL", "the database to be copied: postgresql:///name or sqlite:FILE"},
    {"from-backup", 0, "PATH", "restore this backup, with its rows, instead of copying a schema"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables go into"},
    {"environment", 'e', "ENV", "run sections with only=ENV, too"},
    {"roles", 0, "LIST", "with --from-backup: roles that the server is to have, for GRANT ... TO"},
    {"timeout", 0, "TIME", "give up after this time (default: 1h)"},
    {0},
};
const struct dr_cli_option dr_opt_none[] = {{0}};
