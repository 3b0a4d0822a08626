// Every command of drover as a row: help, man pages and completion come from here.

#include "coordinator/cli/commands.h"

static const struct dr_cli_option revision_options[] = {
    {"message", 'm', "TEXT", "what it does, one line (required)"},
    {"rev-id", 0, "ID", "its id (default: 12 random hex digits)"},
    {"head", 0, "REVISION", "its parent (default: the only head)"},
    {"splice", 0, NULL, "allow a parent that is not a head"},
    {"branch-label", 0, "LABEL", "label of the branch that it begins"},
    {"depends-on", 0, "ID", "another revision that must be there first"},
    {"engine", 0, "LIST", "postgresql, sqlite or both with a comma (default: as its parent)"},
    {0},
};
static const struct dr_cli_option merge_options[] = {
    {"message", 'm', "TEXT", "what it does (default: merge)"},
    {"rev-id", 0, "ID", "its id (default: 12 random hex digits)"},
    {"engine", 0, "LIST", "postgresql, sqlite or both with a comma (default: as its parent)"},
    {0},
};
static const struct dr_cli_option history_options[] = {
    {"rev-range", 'r', "A:B", "only what lies between A and B"},
    {"verbose", 'v', NULL, "all that the header says"},
    {0},
};
static const struct dr_cli_option verbose_options[] = {
    {"verbose", 'v', NULL, "all that the header says"}, {0}};
static const struct dr_cli_option show_options[] = {{"sql", 0, NULL, "the file's text too"}, {0}};
static const struct dr_cli_option sql_options[] = {
    {"engine", 0, "ENGINE", "postgresql (default) or sqlite"},
    {"down", 0, NULL, "the way down, newest first"},
    {0},
};
static const struct dr_cli_option current_options[] = {
    {"url", 0, "URL", "database: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"check-heads", 0, NULL, "exit 3 unless the database is at the head"},
    {"verify", 0, NULL, "check every row of the ledger"},
    {"verbose", 'v', NULL, "all that the revision's header says"},
    {"environment", 'e', "ENV", "with a coordinator: only this environment"},
    {0},
};
static const struct dr_cli_option upgrade_options[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables go into"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV",
     "rollout: only this environment; direct: sections marked only=ENV run too"},
    {"target", 't', "GLOB", "rollout: only these targets"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"on-failure", 0, "WHAT", "rollout: hold (default) or reverse"},
    {"dry-run", 0, NULL, "say what would run, after every check; change nothing"},
    {"wait", 'w', NULL, "rollout: watch it until it ends or waits for people"},
    {"timeout", 0, "TIME", "with --wait: give up after this time (exit 124)"},
    {"confirm", 0, "NAME", "answer to a question that wants a name typed"},
    {0},
};
static const struct dr_cli_option init_options[] = {
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
static const struct dr_cli_option key_options[] = {
    {"dir", 0, "DIR", "folder of the key files (default: .drover/keys)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"no-passphrase", 0, NULL, "unattended key, for tests and machines"},
    {0},
};
static const struct dr_cli_option sign_options[] = {
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
static const struct dr_cli_option root_options[] = {
    {"threshold", 0, "N", "how many must sign: 2, or root=2,production=3"},
    {"person", 0, "NAME", "with --roles: whose roles change"},
    {"roles", 0, "LIST", "root, fleet, reviewers and environments, with commas"},
    {"expires", 0, "TIME", "how long it holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
static const struct dr_cli_option rotate_options[] = {
    {"expires", 0, "TIME", "how long it holds (default: 365d)"}, SIGNING_OPTIONS, {0}};
static const struct dr_cli_option people_options[] = {
    {"threshold", 0, "N", "how many must sign: 2, or root=2,production=3"},
    {"roles", 0, "LIST", "root, fleet, reviewers and environments (default: all)"},
    {"expires", 0, "TIME", "how long the new root holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
static const struct dr_cli_option replace_options[] = {
    {"public-key", 0, "FILE", "the new public key file (required)"},
    {"new-key", 0, "FILE", "your own new key: signs, too"},
    {"expires", 0, "TIME", "how long the new root holds (default: 365d)"},
    SIGNING_OPTIONS,
    {0},
};
static const struct dr_cli_option change_options[] = {
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option rekey_options[] = {
    {"public-key", 0, "FILE", "the agent's new public key file (required)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option policy_options[] = {
    {"environment", 'e', "ENV", "only this environment"}, {0}};
static const struct dr_cli_option stop_options[] = {
    {"note", 0, "TEXT", "why"},
    {"expires", 0, "TIME", "ends by itself after this time (default: never)"},
    {"environment", 'e', "ENV", "environment (default: the last one of the rollout)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option freeze_options[] = {
    {"note", 0, "TEXT", "why"},
    {"expires", 0, "TIME", "ends by itself after this time (default: never)"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option passwd_options[] = {
    {"passphrase-fd", 0, "N", "read the old passphrase from this descriptor"},
    {"new-passphrase-fd", 0, "N", "read the new passphrase from this descriptor"},
    {"no-passphrase", 0, NULL, "take the passphrase away: an unattended key"},
    {0},
};
static const struct dr_cli_option folder_options[] = {
    {"dir", 0, "DIR", "folder of the key files (default: .drover/keys)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option agent_options[] = {
    {"environment", 'e', "ENV", "environment that the agent serves (required)"},
    {"target", 't', "NAME=DATABASE",
     "a target: production/orders=postgresql:orders, or with its URL, and ,system=ID behind it as "
     "drover-agent check prints it; may be repeated"},
    {"public-key", 0, "FILE", "the agent's public key file (required)"},
    {"label", 0, "KEY=VALUE", "label of its targets; may be repeated"},
    {"conf", 0, "FILE", "write the agent's configuration here, and the root file beside it"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option approve_agent_options[] = {
    {"environment", 'e', "ENV", "environment that the agent serves"},
    {"target", 't', "NAME=DATABASE", "a target; may be repeated"},
    {"label", 0, "KEY=VALUE", "label of its targets; may be repeated"},
    {"confirm", 0, "WORDS", "the key's words, instead of typing them"},
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {0},
};
static const struct dr_cli_option approve_options[] = {
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
static const struct dr_cli_option signer_options[] = {
    {"key", 'k', "FILE", "signing key (default: `key` of drover.conf)"},
    {"passphrase-fd", 0, "N", "read the passphrase from this descriptor"},
    {"note", 0, "TEXT", "what you looked at"},
    {"environment", 'e', "ENV", "environment (default: the last one of the rollout)"},
    {0},
};
static const struct dr_cli_option submit_options[] = {
    {"dry-run", 0, NULL, "say what would be submitted"}, {0}};
static const struct dr_cli_option watch_options[] = {
    {"timeout", 0, "TIME", "give up after this time (exit 124)"},
    {"until", 0, "STATE", "stop at this state of an environment, e.g. staging=applied"},
    {0},
};
static const struct dr_cli_option status_options[] = {
    {"environment", 'e', "ENV", "only this environment"},
    {"target", 't', "GLOB", "only these targets"},
    {0},
};
static const struct dr_cli_option log_options[] = {
    {"rollout", 0, "R-N", "only this rollout"},
    {"target", 't', "NAME", "only this target"},
    {"verify", 0, NULL, "check every hash of the chain"},
    {"file", 0, "FILE", "read an export (drover log -o jsonl) instead of asking the coordinator"},
    {"limit", 'n', "N", "only the last N"},
    {0},
};
static const struct dr_cli_option order_options[] = {
    {"target", 't', "NAME", "only this target"},
    {"note", 0, "TEXT", "why"},
    {0},
};
static const struct dr_cli_option repair_options[] = {
    {"url", 0, "URL", "one database without a coordinator: postgresql:///name or sqlite:FILE"},
    {"schema", 0, "NAME", "PostgreSQL: schema that the tables are in"},
    {"lock-wait", 0, "TIME", "wait this long for another runner (default: not at all)"},
    {"environment", 'e', "ENV", "direct: sections marked only=ENV run too"},
    {"message", 'm', "TEXT", "rollout: a note for those who approve"},
    {"resume", 0, NULL, "go on with what is half done"},
    {"reverse", 0, NULL, "run its way back"},
    {0},
};
static const struct dr_cli_option stamp_options[] = {
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
static const struct dr_cli_option remedy_options[] = {
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
static const struct dr_cli_option none[] = {{0}};

#define AUTHOR "Author (no server needed)"
#define LOOK   "Look"
#define CHANGE "Change"
#define ADMIN  "Keys, agents, administration"

const struct dr_cli_command dr_cli_commands[] = {
    {"init", AUTHOR, "", "make a project here: folders, keys, trust, configuration",
     "With one person and one key everything is signed at once. With --people the root and the "
     "fleet are written\n"
     "unsigned, and each of them signs with `drover sign`.",
     "drover init\ndrover init --people a.pub,b.pub,c.pub --threshold 2", init_options, 0, 0,
     dr_cmd_init},
    {"revision", AUTHOR, "", "write a new revision file to fill in", NULL,
     "drover revision -m \"add users\"\ndrover revision -m \"add users\" --rev-id "
     "20260213_add_users --engine postgresql,sqlite",
     revision_options, 0, 0, dr_cmd_revision},
    {"merge", AUTHOR, "[REVISION...]", "write a revision that joins several heads",
     "Without names it joins all heads. A merge may stay empty; SQL that reconciles both sides can "
     "be added.",
     "drover merge -m \"join billing and accounts\"\ndrover merge ae10 27c6", merge_options, 0, -1,
     dr_cmd_merge},
    {"lint", AUTHOR, "[FILE...]", "check revision files before anyone reads them",
     "All files of the project's folder, only those that are named, or another folder.",
     "drover lint\ndrover lint revisions/004_monthly_reviews.sql\ndrover lint --output json", none,
     0, -1, dr_cmd_lint},
    {"history", AUTHOR, "", "the chain, newest first", NULL,
     "drover history\ndrover history --verbose\ndrover history -r -3:head", history_options, 0, 0,
     dr_cmd_history},
    {"heads", AUTHOR, "", "the newest revisions", NULL, "drover heads", verbose_options, 0, 0,
     dr_cmd_heads},
    {"branches", AUTHOR, "", "where the chain splits", NULL, "drover branches", none, 0, 0,
     dr_cmd_branches},
    {"show", AUTHOR, "REVISION", "one revision", NULL, "drover show head\ndrover show ae10 --sql",
     show_options, 1, 1, dr_cmd_show},
    {"sql", AUTHOR, "A:B", "print the SQL that would run, byte for byte", NULL,
     "drover sql base:head\ndrover sql base:head --engine sqlite\ndrover sql 003:004 --down",
     sql_options, 1, 1, dr_cmd_sql},
    {"current", LOOK, "[TARGET...]", "the version of a database",
     "With --url (or a project without coordinator) it asks that database. Otherwise it tells what "
     "the targets'\n"
     "agents signed last.",
     "drover current --url postgresql:///orders\ndrover current --url sqlite:app.db "
     "--check-heads\n"
     "drover current production/orders",
     current_options, 0, -1, dr_cmd_current},
    {"status", LOOK, "", "every target: version, state, age, backup", NULL,
     "drover status\ndrover status -e production", status_options, 0, 0, dr_cmd_status},
    {"why", LOOK, "TARGET", "one target: its state, what is in its way, what to type next", NULL,
     "drover why production/orders", none, 1, 1, dr_cmd_why},
    {"agents", LOOK, "", "agents that the coordinator knows", NULL, "drover agents", none, 0, 0,
     dr_cmd_agents},
    {"log", LOOK, "", "what happened, from the coordinator's chained log", NULL,
     "drover log\ndrover log --verify\ndrover log -o jsonl > export.jsonl\ndrover log --verify "
     "--file export.jsonl",
     log_options, 0, 0, dr_cmd_log},
    {"inbox", LOOK, "", "what waits for my signature", NULL, "drover inbox", none, 0, 0,
     dr_cmd_inbox},
    {"rollout list", LOOK, "", "all rollouts", NULL, "drover rollout list", none, 0, 0,
     dr_cmd_rollout_list},
    {"rollout show", LOOK, "R-N", "one rollout as a tree", NULL, "drover rollout show R-1", none, 1,
     1, dr_cmd_rollout_show},
    {"rollout watch", LOOK, "R-N", "follow a rollout until it ends or waits for people", NULL,
     "drover rollout watch R-1\ndrover rollout watch R-1 --until staging=applied --timeout 10min\n"
     "drover rollout watch R-1 --output jsonl",
     watch_options, 1, 1, dr_cmd_rollout_watch},
    {"checklist", LOOK, "R-N [sign ITEM]",
     "the gates of a rollout with their evidence; sign an item", NULL,
     "drover checklist R-1\ndrover checklist R-1 sign logs-reviewed --note \"read the staging "
     "logs\"",
     signer_options, 1, 3, dr_cmd_checklist},
    {"submit", CHANGE, "[REVISION]", "hand revisions to the coordinator for approval", NULL,
     "drover submit\ndrover submit --dry-run", submit_options, 0, 1, dr_cmd_submit},
    {"approve chain", CHANGE, "", "sign the submitted revisions into the chain", NULL,
     "drover approve chain\ndrover approve chain --yes", sign_options, 0, 0, dr_cmd_approve_chain},
    {"upgrade", CHANGE, "REVISION", "bring databases up to a revision",
     "With --url (or a project without coordinator) it works on that database at once. Otherwise "
     "it makes a rollout\n"
     "that goes through the environments, gate by gate.",
     "drover upgrade head --url sqlite:app.db\ndrover upgrade +1 --url "
     "postgresql:///orders --dry-run\ndrover upgrade head",
     upgrade_options, 1, 1, dr_cmd_upgrade},
    {"downgrade", CHANGE, "REVISION", "take revisions back",
     "With --url (or a project without coordinator) it works on that database at once. Otherwise "
     "it makes a rollout.",
     "drover downgrade -1 --url sqlite:app.db\ndrover downgrade base --url "
     "postgresql:///scratch\ndrover downgrade -1",
     upgrade_options, 1, 1, dr_cmd_downgrade},
    {"repair", CHANGE, "[TARGET]", "what is half done on a target, and the safe ways out of it",
     "Shows every unit as done, not done or in doubt, and what to type. Exit 7 when something is "
     "to "
     "be repaired\n"
     "and no way was chosen. With --resume or --reverse it goes that way: at once on one database, "
     "as a rollout\n"
     "with a coordinator.",
     "drover repair production/orders\ndrover repair production/orders --resume\n"
     "drover repair --url postgresql:///orders --reverse",
     repair_options, 0, 1, dr_cmd_repair},
    {"stamp", CHANGE, "REVISION", "record a revision as what is there; nothing runs",
     "On one database the schema must be what the chain makes of an empty database; otherwise the "
     "difference is\n"
     "shown, and --accept-difference names it. Rows are not compared. With a coordinator it is a "
     "rollout that people "
     "approve, with the\n"
     "same proof from other targets' evidence, or with --ack difference.",
     "drover stamp head --url postgresql:///orders\ndrover stamp base --url sqlite:app.db\n"
     "drover stamp 004_monthly_reviews -t production/orders",
     stamp_options, 1, 1, dr_cmd_stamp},
    {"remedy", CHANGE, "REVISION NAME", "run a remedy section of a revision",
     "A remedy mends what a preflight refused. It runs only when it is asked for by name; with a "
     "coordinator it is\n"
     "a rollout of its own, which people approve.",
     "drover remedy 004_monthly_reviews \"clean ids\" --url postgresql:///orders\n"
     "drover remedy 004_monthly_reviews \"clean ids\" -t production/orders",
     remedy_options, 2, 2, dr_cmd_remedy},
    {"approve", CHANGE, "R-N", "sign what is ready in one environment",
     "Everything shown is read from the bytes that you sign, after your own drover compiled the "
     "revisions again.",
     "drover approve R-1 -e staging\ndrover approve R-1 -e production --confirm production",
     approve_options, 1, 1, dr_cmd_approve},
    {"freeze add", CHANGE, "ENV", "let nothing start in an environment",
     "One person's signature is enough to stop; an agent that has seen it starts nothing there.",
     "drover freeze add production --note \"month's end\" --expires 3d", freeze_options, 1, 1,
     dr_cmd_freeze_add},
    {"freeze lift", CHANGE, "ENV", "let an environment go on",
     "Takes as many approvers as an approval there. The next one types the same.",
     "drover freeze lift production", change_options, 1, 1, dr_cmd_freeze_lift},
    {"freeze list", LOOK, "", "freezes and vetoes, and who signed them", NULL, "drover freeze list",
     none, 0, 0, dr_cmd_freeze_list},
    {"veto", CHANGE, "R-N", "forbid a rollout in an environment",
     "One person's signature is enough. Every agent that has seen it refuses the plan, however "
     "many "
     "approve it.",
     "drover veto R-1 -e production --note \"locks orders for minutes\"", stop_options, 1, 1,
     dr_cmd_veto},
    {"veto lift", CHANGE, "R-N", "take a veto back",
     "Takes as many approvers as an approval there. The next one types the same.",
     "drover veto lift R-1 -e production", stop_options, 1, 1, dr_cmd_veto_lift},
    {"rollout pause", CHANGE, "R-N", "start nothing more", NULL, "drover rollout pause R-1",
     order_options, 1, 1, dr_cmd_rollout_order},
    {"rollout resume", CHANGE, "R-N", "go on after a pause", NULL, "drover rollout resume R-1",
     order_options, 1, 1, dr_cmd_rollout_order},
    {"rollout retry", CHANGE, "R-N", "prepare failed or refused targets again", NULL,
     "drover rollout retry R-1", order_options, 1, 1, dr_cmd_rollout_order},
    {"rollout abort", CHANGE, "R-N", "end a rollout; what is running is finished", NULL,
     "drover rollout abort R-1", order_options, 1, 1, dr_cmd_rollout_order},
    {"key new", ADMIN, "NAME", "make your keys: signing, transport, public", NULL,
     "drover key new alice\ndrover key new ci --no-passphrase --dir keys", key_options, 1, 1,
     dr_cmd_key_new},
    {"key show", ADMIN, "FILE", "what a key file holds, never the secret", NULL,
     "drover key show .drover/keys/alice.pub", none, 1, 1, dr_cmd_key_show},
    {"key list", ADMIN, "", "key files of a folder, and whether the root names them", NULL,
     "drover key list\ndrover key list --dir ~/keys", folder_options, 0, 0, dr_cmd_key_list},
    {"key passwd", ADMIN, "FILE", "another passphrase for a signing key",
     "The key stays the same; nobody else needs to know.",
     "drover key passwd .drover/keys/alice.key", passwd_options, 1, 1, dr_cmd_key_passwd},
    {"key export-public", ADMIN, "NAME", "the public line of a person's keys, to give away", NULL,
     "drover key export-public alice > alice.pub", folder_options, 1, 1, dr_cmd_key_export_public},
    {"sign", ADMIN, "DOCUMENT", "add your signature to a root, fleet or chain",
     "DOCUMENT is a file, or root, fleet or chain (with .N for a version): what waits at the "
     "coordinator, or in trust/.",
     "drover sign trust/root.1.drv\ndrover sign root\ndrover sign fleet.3", sign_options, 1, 1,
     dr_cmd_sign},
    {"root show", ADMIN, "", "who may decide: people, roles, thresholds", NULL, "drover root show",
     none, 0, 0, dr_cmd_root_show},
    {"root propose", ADMIN, "", "change thresholds or somebody's roles",
     "Makes the next root, signs it with your key and hands it to the others, who type `drover "
     "sign "
     "root`. It is in\n"
     "force when enough people of the old root and of the new one have signed.",
     "drover root propose --threshold 2\ndrover root propose --person bob --roles "
     "reviewers,staging",
     root_options, 0, 0, dr_cmd_root_propose},
    {"root rotate", ADMIN, "", "renew the root before it expires",
     "The same people and thresholds, a new time.", "drover root rotate", rotate_options, 0, 0,
     dr_cmd_root_rotate},
    {"root sign", ADMIN, "[DOCUMENT]", "add your signature to the root that waits", NULL,
     "drover root sign\ndrover root sign trust/root.2.drv", sign_options, 0, 1, dr_cmd_sign},
    {"people list", ADMIN, "", "people of the root and their roles", NULL, "drover people list",
     none, 0, 0, dr_cmd_people_list},
    {"people add", ADMIN, "FILE...", "add people by their public key files",
     "Each of them makes keys with `drover key new NAME` and gives you NAME.pub. One command takes "
     "a "
     "project from\n"
     "one person to two of three.",
     "drover people add bob.pub\ndrover people add bob.pub carol.pub --threshold 2", people_options,
     1, 64, dr_cmd_people_add},
    {"people remove", ADMIN, "NAME...", "take people out of the root", NULL,
     "drover people remove carol\ndrover people remove carol --threshold 1", people_options, 1, 64,
     dr_cmd_people_remove},
    {"people replace-key", ADMIN, "NAME", "give a person another key",
     "For your own key name both: the old one signs for the old root, the new one for the new.",
     "drover people replace-key alice --public-key new/alice.pub --new-key new/alice.key\n"
     "drover people replace-key bob --public-key bob.pub",
     replace_options, 1, 1, dr_cmd_people_replace_key},
    {"agent add", ADMIN, "NAME", "add an agent and its targets to the fleet",
     "Engine and name of the database go into the signed fleet; a URL stays in the file that "
     "--conf "
     "writes.",
     "drover agent add orders-prod -e production --public-key agent.pub --target "
     "production/orders=postgresql:orders\n"
     "drover agent add lite -e staging --public-key lite/agent.pub --target "
     "staging/app=sqlite:/srv/app.db --conf lite/agent.conf",
     agent_options, 1, 1, dr_cmd_agent_add},
    {"agent approve", ADMIN, "NAME", "let in an agent that has offered its key",
     "Shows the key in words; you type those that `drover-agent check` prints on its host. Without "
     "--target an agent\n"
     "of the fleet gets the new key.",
     "drover agent approve orders-prod -e production --target production/orders=postgresql:orders\n"
     "drover agent approve orders-prod",
     approve_agent_options, 1, 1, dr_cmd_agent_approve},
    {"agent retire", ADMIN, "NAME", "take an agent and its targets out of service",
     "Its keys count nothing from the next fleet on, and its id is not used again.",
     "drover agent retire orders-prod", change_options, 1, 1, dr_cmd_agent_retire},
    {"agent rekey", ADMIN, "NAME", "give an agent new keys",
     "On its host: drover-agent key new --dir NEWFOLDER --name NAME.",
     "drover agent rekey orders-prod --public-key newfolder/agent.pub", rekey_options, 1, 1,
     dr_cmd_agent_rekey},
    {"agent list", ADMIN, "", "agents that the coordinator knows", NULL, "drover agent list", none,
     0, 0, dr_cmd_agents},
    {"fleet show", ADMIN, "", "agents and targets of the newest fleet", NULL, "drover fleet show",
     none, 0, 0, dr_cmd_fleet_show},
    {"fleet renew", ADMIN, "", "renew the fleet before it expires", NULL, "drover fleet renew",
     change_options, 0, 0, dr_cmd_fleet_renew},
    {"policy show", ADMIN, "", "what each environment demands, as text to edit", NULL,
     "drover policy show\ndrover policy show -e production > policy.conf", policy_options, 0, 0,
     dr_cmd_policy_show},
    {"policy edit", ADMIN, "", "edit the policies, check and sign them", "With $VISUAL or $EDITOR.",
     "drover policy edit", change_options, 0, 0, dr_cmd_policy_edit},
    {"policy check", ADMIN, "[FILE]", "can these policies work?", NULL,
     "drover policy check\ndrover policy check policy.conf", none, 0, 1, dr_cmd_policy_check},
    {"policy apply", ADMIN, "FILE", "sign the policies of a file into the next fleet", NULL,
     "drover policy apply policy.conf", change_options, 1, 1, dr_cmd_policy_apply},
    {"ping", ADMIN, "", "reach the coordinator and say who I am to it", NULL, "drover ping", none,
     0, 0, dr_cmd_ping},
    {"rpc list", ADMIN, "", "methods of the coordinator", NULL, "drover rpc list", none, 0, 0,
     dr_cmd_rpc_list},
    {"rpc call", ADMIN, "METHOD [JSON]", "call one method", NULL,
     "drover rpc call Health/Check '{}'", none, 1, 2, dr_cmd_rpc_call},
    {"version", ADMIN, "", "versions of drover and its libraries", NULL, "drover version", none, 0,
     0, dr_cmd_version},
    {0},
};
