// Every command of drover as a row: help, man pages and completion come from here.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/command_options.h"

#define AUTHOR "Author (no server needed)"
#define LOOK   "Look"
#define CHANGE "Change"
#define ADMIN  "Keys, agents, administration"

const struct dr_cli_command dr_cli_commands[] = {
    {"init", AUTHOR, "", "make a project here: folders, keys, trust, configuration",
     "With one person and one key everything is signed at once. With --people the root and the "
     "fleet are written\n"
     "unsigned, and each of them signs with `drover sign`.",
     "drover init\ndrover init --people a.pub,b.pub,c.pub --threshold 2\n"
     "drover init --no-passphrase --from ../backend/alembic.ini",
     dr_opt_init, 0, 0, dr_cmd_init},
    {"revision", AUTHOR, "", "write a new revision file to fill in",
     "Its parent is the only head, or what --head names; --head base begins another line. "
     "--splice lets a\n"
     "second branch begin at a revision that is no head.",
     "drover revision -m \"add users\"\ndrover revision -m \"add users\" --rev-id "
     "20260213_add_users --engine postgresql,sqlite\n"
     "drover revision -m \"billing tables\" --head base --branch-label billing --depends-on ae10\n"
     "drover revision -m \"add invoices\" --head billing@head --edit\n"
     "drover revision --autogenerate -m \"add orders\" --desired schema.sql",
     dr_opt_revision, 0, 0, dr_cmd_revision},
    {"merge", AUTHOR, "[REVISION...]", "write a revision that joins several heads",
     "Without names it joins all heads. A merge may stay empty; SQL that reconciles both sides can "
     "be added.",
     "drover merge -m \"join billing and accounts\"\ndrover merge ae10 27c6", dr_opt_merge, 0, -1,
     dr_cmd_merge},
    {"edit", AUTHOR, "REVISION", "open a revision's file in $VISUAL or $EDITOR", NULL,
     "drover edit head\ndrover edit ae10", dr_opt_none, 1, 1, dr_cmd_edit},
    {"lint", AUTHOR, "[FILE...]", "check revision files before anyone reads them",
     "All files of the project's folder, only those that are named, or another folder. Ends with 1 "
     "when there is an\nerror. A warning or advice is silenced for one statement by a line before "
     "it:\n  -- drover:nolint RULE reason=\"why\"",
     "drover lint\ndrover lint revisions/004_monthly_reviews.sql\ndrover lint --against "
     "origin/main --format github\ndrover lint --rules",
     dr_opt_lint, 0, -1, dr_cmd_lint},
    {"test", AUTHOR, "[A:B]", "run every revision up, down and up again on scratch databases",
     "A revision passes when its verify sections hold, the way down gives the schema from before, "
     "going up\n"
     "again gives what the first way up gave, and rows that were there before are there after it. "
     "Rows are made\n"
     "up for that. What does not come back has to be said in the header (Reversible: lossy). With "
     "A:B only\n"
     "these are tested; what they stand on is built. Exit 1 tells that something failed.",
     "drover test\ndrover test -1:head\ndrover test --engine sqlite\ndrover test --junit "
     "report.xml",
     dr_opt_test, 0, 1, dr_cmd_test},
    {"rehearse", AUTHOR, "[A:B | REVISION]",
     "a plan on a throw-away copy of a database: locks, rewrites, times",
     "Copies the schema, without a row, to a private server that goes away, and runs what the "
     "database lacks\n"
     "there: up, verify, down, up, with the schemas compared. Tells per unit which tables it "
     "locks, "
     "how hard, how\n"
     "many rows the real ones have, and whether they are rewritten. The database itself is only "
     "read. With\n"
     "--from-backup a backup of pg_dump (-Fc, -Fd) or a SQLite file is restored and used with its "
     "rows, so that\n"
     "times mean something. Exit 3: the schemas differ; the objects are named.",
     "drover rehearse --url postgresql:///orders\ndrover rehearse +1 --url sqlite:app.db\n"
     "drover rehearse --from-backup orders.dump\ndrover rehearse --from-backup orders.dump 3f2a",
     dr_opt_rehearse, 0, 1, dr_cmd_rehearse},
    {"check", AUTHOR, "", "is the folder what was agreed? for pipelines",
     "One line for each check; exit 3 when one finds something. Without a choice all are made. The "
     "sum is\n"
     "revisions/revisions.sum: revision, merge and edit keep it; --write notes what was edited by "
     "hand.",
     "drover check\ndrover check --base origin/main\ndrover check --write\ndrover check --desired "
     "schema.sql",
     dr_opt_check, 0, 0, dr_cmd_check},
    {"history", AUTHOR, "", "the chain, newest first",
     "A range has both ends: A:B, A:, :B. -N counts down from its end, +N up from its begin.\n"
     "`current`, and -i, ask the database of --url or DROVER_URL.",
     "drover history\ndrover history --verbose\ndrover history -r -3:head\n"
     "drover history --url sqlite:app.db\ndrover history -i -r -2:current --url sqlite:app.db\n"
     "drover history -t production/orders",
     dr_opt_history, 0, 0, dr_cmd_history},
    {"heads", AUTHOR, "", "the newest revisions", NULL, "drover heads", dr_opt_verbose, 0, 0,
     dr_cmd_heads},
    {"branches", AUTHOR, "", "where the chain splits", NULL, "drover branches", dr_opt_verbose, 0,
     0, dr_cmd_branches},
    {"show", AUTHOR, "REVISION", "one revision", NULL, "drover show head\ndrover show ae10 --sql",
     dr_opt_show, 1, 1, dr_cmd_show},
    {"schema show", AUTHOR, "[NAME...]", "the schema of a database, a file or the chain",
     "Without names a list of what is there; with names (* and ? work) columns, types, defaults, "
     "indexes,\nconstraints and what else hangs on them. --sql gives the statements.",
     "drover schema show --url postgresql:///orders\ndrover schema show users 'order*'\n"
     "drover schema show --from head --kind index\ndrover schema show --url sqlite:app.db --sql",
     dr_opt_schema_show, 0, -1, dr_cmd_schema_show},
    {"schema diff", AUTHOR, "A B", "what differs between two schemas",
     "A and B are URLs, FILE.sql or revisions; what is no database is built in a scratch one. Exit "
     "3 when they differ.",
     "drover schema diff head postgresql:///orders\ndrover schema diff head-1 head\n"
     "drover schema diff sqlite:old.db sqlite:new.db",
     dr_opt_schema_diff, 2, 2, dr_cmd_schema_diff},
    {"schema er", AUTHOR, "[PATTERN]", "tables and the keys between them as a diagram", NULL,
     "drover schema er --from head > schema.mmd\ndrover schema er 'order*' --format svg --out "
     "orders.svg",
     dr_opt_schema_er, 0, 1, dr_cmd_schema_er},
    {"graph", AUTHOR, "", "the chain as a drawing, newest first",
     "Lines that part and meet, labels, dependencies (dashed). mermaid and dot are texts for other "
     "programs;\nsvg is a picture that needs none.",
     "drover graph\ndrover graph -r -10:head\ndrover graph --format svg > chain.svg\n"
     "drover graph --format dot | dot -Tpng -o chain.png",
     dr_opt_graph, 0, 0, dr_cmd_graph},
    {"sql", AUTHOR, "A:B", "print the SQL that would run, byte for byte",
     "From A to B; from the newer one to the older it is the way down. Preflights and verify "
     "sections,\nwhich change nothing, are left out.",
     "drover sql base:head\ndrover sql base:head --engine sqlite\ndrover sql 004:003\n"
     "drover sql current:head --url sqlite:app.db",
     dr_opt_sql, 1, 1, dr_cmd_sql},
    {"import", AUTHOR, "FORMAT DIR", "turn the migrations of another tool into revision files",
     "FORMAT is alembic, dbmate, golang-migrate, goose, flyway, sqitch, diesel, sqlx or "
     "liquibase-sql; DIR "
     "is its folder.\nFiles appear all or none. What drover does itself (BEGIN and COMMIT) is "
     "taken "
     "out, COPY data become INSERTs,\nand statements that cannot run in a transaction get sections "
     "of their own. Exit 3: hand work is left; a file\nthat needs it is refused until it is "
     "mended.",
     "drover import alembic .\ndrover import dbmate db/migrations\ndrover import flyway sql --out "
     "revisions --dry-run\n"
     "drover import golang-migrate migrations --engine sqlite --output json",
     dr_opt_import, 2, 2, dr_cmd_import},
    {"export", AUTHOR, "FORMAT DIR", "write the chain as files of another tool",
     "FORMAT is plain (for psql), alembic, dbmate or sqitch. Id, parents and labels go into "
     "comments, so "
     "that "
     "an import\nbrings them back; what a format cannot hold is told. Files appear all or none.",
     "drover export plain sql\ndrover export dbmate db/migrations\ndrover export sqitch . "
     "--engine sqlite --dry-run",
     dr_opt_export, 2, 2, dr_cmd_export},
    {"current", LOOK, "[TARGET...]", "the version of a database",
     "With --url (or a project without coordinator) it asks that database. Otherwise it tells what "
     "the targets'\n"
     "agents signed last.",
     "drover current --url postgresql:///orders\ndrover current --url sqlite:app.db "
     "--check-heads\n"
     "drover current production/orders",
     dr_opt_current, 0, -1, dr_cmd_current},
    {"status", LOOK, "", "every target: version, state, age, backup", NULL,
     "drover status\ndrover status -e production", dr_opt_status, 0, 0, dr_cmd_status},
    {"why", LOOK, "TARGET|R-N", "what a target or a rollout waits for, of whom, and what to type",
     NULL, "drover why production/orders\ndrover why R-1", dr_opt_none, 1, 1, dr_cmd_why},
    {"drift", LOOK, "[TARGET...]", "targets whose schema somebody changed since the last run",
     "Agents look at the interval of their environment's policy (drift_every) and report what "
     "differs from the\nschema that their last run left. Exit 3 when a target differs, 0 when none "
     "does. What shall stay as it is\nbecomes a tolerance that people sign (--tolerate), or a "
     "revision of the chain (--as-revision).",
     "drover drift\ndrover drift production/orders --now\ndrover drift 'production/*' --output "
     "json\ndrover drift production/orders --tolerate\ndrover drift production/orders "
     "--as-revision -m \"index on email\" --desired postgresql:///orders",
     dr_opt_drift, 0, -1, dr_cmd_drift},
    {"agents", LOOK, "", "agents that the coordinator knows", NULL, "drover agents", dr_opt_none, 0,
     0, dr_cmd_agents},
    {"log", LOOK, "", "what happened, from the coordinator's chained log",
     "--verify computes every hash again and checks every signature of the documents that "
     "entries\nname, each under the root and the fleet that were in force there, from the pinned "
     "first root\non; an export with documents needs no coordinator for that. Exit 4 tells the "
     "first entry\nthat is wrong, exit 3 what is missing.",
     "drover log\ndrover log --verify\ndrover log -o jsonl --documents > export.jsonl\n"
     "drover log --verify --file export.jsonl --root-sha256 HEX",
     dr_opt_log, 0, 0, dr_cmd_log},
    {"inbox", LOOK, "", "what waits for my signature", NULL, "drover inbox", dr_opt_none, 0, 0,
     dr_cmd_inbox},
    {"freeze list", LOOK, "", "freezes and vetoes, and who signed them", NULL, "drover freeze list",
     dr_opt_none, 0, 0, dr_cmd_freeze_list},
    {"backup list", LOOK, "[TARGET]",
     "backups: when, how large, how far proved, where, how long kept", NULL,
     "drover backup list\ndrover backup list production/orders -o json", dr_opt_none, 0, 1,
     dr_cmd_backup_list},
    {"rollout list", LOOK, "", "all rollouts", NULL, "drover rollout list", dr_opt_none, 0, 0,
     dr_cmd_rollout_list},
    {"rollout show", LOOK, "R-N", "one rollout as a tree", NULL, "drover rollout show R-1",
     dr_opt_none, 1, 1, dr_cmd_rollout_show},
    {"report", LOOK, "[R-N]",
     "what happened in a rollout, with its evidence, for those who were not there",
     "Every signature, hash and digest is checked from the pinned first root on. --html writes one "
     "page that\nneeds nothing else: timeline, targets, signatures, evidence, the plan's SQL, and "
     "in "
     "itself the log and the\nsigned documents. --verify checks all of them again, and that the "
     "page "
     "says what they say, byte for byte.",
     "drover report R-1\ndrover report R-1 --html r1.html\n"
     "drover report --verify r1.html --root-sha256 HEX",
     dr_opt_report, 0, 1, dr_cmd_report},
    {"rollout watch", LOOK, "R-N [ARGUMENT...]",
     "follow a rollout until it ends or waits for people",
     "A terminal shows the tree in place; elsewhere each change is a line. --output jsonl gives an "
     "object\nfor each change: time, rollout, kind (rollout, environment or target), environment, "
     "target, from and\nto (states), reason, waits, next, agent, wave, logIndex. --hook runs a "
     "program, without a shell, with that\nobject on its standard input, tries again when it "
     "fails, and never holds up the watch. Ctrl-C ends the\nwatch and not the rollout. Exit 0: "
     "as wanted, 6: failed, 7: a target needs repair, 8: waits for people.",
     "drover rollout watch R-1\ndrover rollout watch R-1 --until staging=applied --timeout 10min\n"
     "drover rollout watch R-1 --output jsonl\ndrover rollout watch R-1 --hook ./notify -- ops",
     dr_opt_watch, 1, -1, dr_cmd_rollout_watch},
    {"checklist", LOOK, "R-N [show [ITEM]|sign ITEM]",
     "the gates of a rollout with their evidence; show or sign an item", NULL,
     "drover checklist R-1\ndrover checklist R-1 show --output json\n"
     "drover checklist R-1 show backup\n"
     "drover checklist R-1 sign logs-reviewed --note \"nothing odd\"\n"
     "drover checklist R-1 sign application-updated --app-version 2.4.1",
     dr_opt_checklist, 1, 3, dr_cmd_checklist},
    {"submit", CHANGE, "[REVISION]", "hand revisions to the coordinator for approval", NULL,
     "drover submit\ndrover submit --dry-run", dr_opt_submit, 0, 1, dr_cmd_submit},
    {"withdraw", CHANGE, "REVISION...", "take revisions out of the chain, for good",
     "Reviewers sign it, as they signed it in. Agents refuse it on the way up from then on and "
     "still let it go\ndown: a target that has it goes down first. revisions.withdrawn notes it, "
     "and "
     "upgrade, lint and heads pass it by;\na new revision with another id takes its place, on the "
     "one before.",
     "drover withdraw ae10 -m \"it locks orders for minutes\"\ndrover withdraw ae10 ae11 -m "
     "\"superseded\"",
     dr_opt_withdraw, 1, -1, dr_cmd_withdraw},
    {"approve chain", CHANGE, "", "sign the submitted revisions into the chain", NULL,
     "drover approve chain\ndrover approve chain --yes", dr_opt_sign, 0, 0, dr_cmd_approve_chain},
    {"upgrade", CHANGE, "REVISION", "bring databases up to a revision",
     "With --url (or a project without coordinator) it works on that database at once. Otherwise "
     "it makes a rollout\n"
     "that goes through the environments, gate by gate.",
     "drover upgrade head --url sqlite:app.db\ndrover upgrade +1 --url "
     "postgresql:///orders --dry-run\ndrover upgrade head",
     dr_opt_upgrade, 1, 1, dr_cmd_upgrade},
    {"downgrade", CHANGE, "REVISION", "take revisions back",
     "With --url (or a project without coordinator) it works on that database at once. Otherwise "
     "it makes a rollout.",
     "drover downgrade -1 --url sqlite:app.db\ndrover downgrade base --url "
     "postgresql:///scratch\ndrover downgrade -1",
     dr_opt_upgrade, 1, 1, dr_cmd_downgrade},
    {"repair", CHANGE, "[TARGET]", "what is half done on a target, and the safe ways out of it",
     "Shows every unit as done, not done or in doubt, and what to type. Exit 7 when something is "
     "to be repaired\n"
     "and no way was chosen. With --resume or --reverse it goes that way: at once on one database, "
     "as a rollout\n"
     "with a coordinator.",
     "drover repair production/orders\ndrover repair production/orders --resume\n"
     "drover repair --url postgresql:///orders --reverse",
     dr_opt_repair, 0, 1, dr_cmd_repair},
    {"stamp", CHANGE, "REVISION", "record a revision as what is there; nothing runs",
     "On one database the schema must be what the chain makes of an empty database; otherwise the "
     "difference is\n"
     "shown, and --accept-difference names it. Rows are not compared. With a coordinator it is a\n"
     "rollout that people approve, with the same proof from other targets' evidence, or with\n"
     "--ack difference.",
     "drover stamp head --url postgresql:///orders\ndrover stamp base --url sqlite:app.db\n"
     "drover stamp 004_monthly_reviews -t production/orders",
     dr_opt_stamp, 1, 1, dr_cmd_stamp},
    {"remedy", CHANGE, "REVISION NAME", "run a remedy section of a revision",
     "A remedy mends what a preflight refused. It runs only when it is asked for by name; with a "
     "coordinator it is\n"
     "a rollout of its own, which people approve.",
     "drover remedy 004_monthly_reviews \"clean ids\" --url postgresql:///orders\n"
     "drover remedy 004_monthly_reviews \"clean ids\" -t production/orders",
     dr_opt_remedy, 2, 2, dr_cmd_remedy},
    {"approve", CHANGE, "R-N", "sign what is ready in one environment",
     "Everything shown is read from the bytes that you sign, after your own drover compiled the "
     "revisions again.",
     "drover approve R-1 -e staging\ndrover approve R-1 -e production --confirm production",
     dr_opt_approve, 1, 1, dr_cmd_approve},
    {"freeze add", CHANGE, "ENV", "let nothing start in an environment",
     "One person's signature is enough to stop; an agent that has seen it starts nothing there.",
     "drover freeze add production --note \"month's end\" --expires 3d", dr_opt_freeze, 1, 1,
     dr_cmd_freeze_add},
    {"freeze lift", CHANGE, "ENV", "let an environment go on",
     "Takes as many approvers as an approval there. The next one types the same.",
     "drover freeze lift production", dr_opt_change, 1, 1, dr_cmd_freeze_lift},
    {"veto", CHANGE, "R-N", "forbid a rollout in an environment",
     "One person's signature is enough. Every agent that has seen it refuses the plan, however "
     "many "
     "approve it.",
     "drover veto R-1 -e production --note \"locks orders for minutes\"", dr_opt_stop, 1, 1,
     dr_cmd_veto},
    {"veto lift", CHANGE, "R-N", "take a veto back",
     "Takes as many approvers as an approval there. The next one types the same.",
     "drover veto lift R-1 -e production", dr_opt_stop, 1, 1, dr_cmd_veto_lift},
    {"rollout pause", CHANGE, "R-N", "start nothing more", NULL, "drover rollout pause R-1",
     dr_opt_order, 1, 1, dr_cmd_rollout_order},
    {"rollout resume", CHANGE, "R-N", "go on after a pause", NULL, "drover rollout resume R-1",
     dr_opt_order, 1, 1, dr_cmd_rollout_order},
    {"rollout promote", CHANGE, "R-N", "end the soak of a wave by your word",
     "The next wave goes now. Not past a probe that did not pass. Your name is noted.",
     "drover rollout promote R-1 --note 'watched by hand'", dr_opt_order, 1, 1,
     dr_cmd_rollout_order},
    {"rollout retry", CHANGE, "R-N", "prepare failed or refused targets again", NULL,
     "drover rollout retry R-1", dr_opt_order, 1, 1, dr_cmd_rollout_order},
    {"rollout abort", CHANGE, "R-N", "end a rollout; what is running is finished", NULL,
     "drover rollout abort R-1", dr_opt_order, 1, 1, dr_cmd_rollout_order},
    {"rollout undo", CHANGE, "R-N", "take back what a rollout applied",
     "Makes a rollout the other way, of exactly the revisions that R-N applied, for the targets "
     "that\nstill have them. It goes through the same gates and approvals, staging first; what of "
     "the rows\nwould be lost is shown before anybody signs. A rollout that is still on its way is "
     "paused or\naborted first.",
     "drover rollout undo R-3\ndrover rollout undo R-3 --wave 1\ndrover rollout undo R-3 -t "
     "'production/eu-*' -m 'errors in the logs'",
     dr_opt_undo, 1, 1, dr_cmd_rollout_undo},
    {"backup take", CHANGE, "TARGET", "have the agent take a backup now",
     "It is proved as far as the environment's policy asks. Nothing else happens to the target.",
     "drover backup take production/orders", dr_opt_backup, 1, 1, dr_cmd_backup_take},
    {"backup verify", CHANGE, "TARGET", "have the agent read its newest backup again",
     "Size, digest and list of contents. --backup names an older one by the digest of its list.",
     "drover backup verify production/orders", dr_opt_backup, 1, 1, dr_cmd_backup_verify},
    {"backup restore-test", CHANGE, "TARGET",
     "have the agent restore its newest backup and query it",
     "Into a throw-away database beside the agent: a private PostgreSQL server, or a copy of the "
     "file.\nSchema and history must be those that were recorded; every row of every table is "
     "read.",
     "drover backup restore-test production/orders --timeout 2h", dr_opt_backup, 1, 1,
     dr_cmd_backup_restore_test},
    {"backup prune", CHANGE, "TARGET", "have the agent remove backups whose time is over",
     "The newest always stays. A backup whose time is not over is refused, with the date.",
     "drover backup prune production/orders", dr_opt_backup, 1, 1, dr_cmd_backup_prune},
    {"key new", ADMIN, "NAME", "make your keys: signing, transport, public", NULL,
     "drover key new alice\ndrover key new ci --no-passphrase --dir keys", dr_opt_key, 1, 1,
     dr_cmd_key_new},
    {"key show", ADMIN, "FILE", "what a key file holds, never the secret", NULL,
     "drover key show .drover/keys/alice.pub", dr_opt_none, 1, 1, dr_cmd_key_show},
    {"key list", ADMIN, "", "key files of a folder, and whether the root names them", NULL,
     "drover key list\ndrover key list --dir ~/keys", dr_opt_folder, 0, 0, dr_cmd_key_list},
    {"key passwd", ADMIN, "FILE", "another passphrase for a signing key",
     "The key stays the same; nobody else needs to know.",
     "drover key passwd .drover/keys/alice.key", dr_opt_passwd, 1, 1, dr_cmd_key_passwd},
    {"key export-public", ADMIN, "NAME", "the public line of a person's keys, to give away", NULL,
     "drover key export-public alice > alice.pub", dr_opt_folder, 1, 1, dr_cmd_key_export_public},
    {"sign", ADMIN, "DOCUMENT", "add your signature to a root, fleet or chain",
     "DOCUMENT is a file, or root, fleet or chain (with .N for a version): what waits at the "
     "coordinator, or in trust/.",
     "drover sign trust/root.1.drv\ndrover sign root\ndrover sign fleet.3", dr_opt_sign, 1, 1,
     dr_cmd_sign},
    {"root show", ADMIN, "", "who may decide: people, roles, thresholds", NULL, "drover root show",
     dr_opt_none, 0, 0, dr_cmd_root_show},
    {"root propose", ADMIN, "", "change thresholds or somebody's roles",
     "Makes the next root, signs it with your key and hands it to the others, who type `drover "
     "sign "
     "root`. It is in\n"
     "force when enough people of the old root and of the new one have signed.",
     "drover root propose --threshold 2\ndrover root propose --person bob --roles "
     "reviewers,staging",
     dr_opt_root, 0, 0, dr_cmd_root_propose},
    {"root rotate", ADMIN, "", "renew the root before it expires",
     "The same people and thresholds, a new time.", "drover root rotate", dr_opt_rotate, 0, 0,
     dr_cmd_root_rotate},
    {"root sign", ADMIN, "[DOCUMENT]", "add your signature to the root that waits", NULL,
     "drover root sign\ndrover root sign trust/root.2.drv", dr_opt_sign, 0, 1, dr_cmd_sign},
    {"people list", ADMIN, "", "people of the root and their roles", NULL, "drover people list",
     dr_opt_none, 0, 0, dr_cmd_people_list},
    {"people add", ADMIN, "FILE...", "add people by their public key files",
     "Each of them makes keys with `drover key new NAME` and gives you NAME.pub. One command takes "
     "a "
     "project from\n"
     "one person to two of three.",
     "drover people add bob.pub\ndrover people add bob.pub carol.pub --threshold 2", dr_opt_people,
     1, 64, dr_cmd_people_add},
    {"people remove", ADMIN, "NAME...", "take people out of the root", NULL,
     "drover people remove carol\ndrover people remove carol --threshold 1", dr_opt_people, 1, 64,
     dr_cmd_people_remove},
    {"people replace-key", ADMIN, "NAME", "give a person another key",
     "For your own key name both: the old one signs for the old root, the new one for the new.",
     "drover people replace-key alice --public-key new/alice.pub --new-key new/alice.key\n"
     "drover people replace-key bob --public-key bob.pub",
     dr_opt_replace, 1, 1, dr_cmd_people_replace_key},
    {"agent add", ADMIN, "NAME", "add an agent and its targets to the fleet",
     "Engine and name of the database go into the signed fleet; a URL stays in the file that "
     "--conf "
     "writes.",
     "drover agent add orders-prod -e production --public-key agent.pub --target "
     "production/orders=postgresql:orders\n"
     "drover agent add lite -e staging --public-key lite/agent.pub --target "
     "staging/app=sqlite:/srv/app.db --conf lite/agent.conf",
     dr_opt_agent, 1, 1, dr_cmd_agent_add},
    {"agent approve", ADMIN, "NAME", "let in an agent that has offered its key",
     "Shows the key in words; you type those that `drover-agent check` prints on its host. Without "
     "--target an agent\n"
     "of the fleet gets the new key.",
     "drover agent approve orders-prod -e production --target production/orders=postgresql:orders\n"
     "drover agent approve orders-prod",
     dr_opt_approve_agent, 1, 1, dr_cmd_agent_approve},
    {"agent retire", ADMIN, "NAME", "take an agent and its targets out of service",
     "Its keys count nothing from the next fleet on, and its id is not used again.",
     "drover agent retire orders-prod", dr_opt_change, 1, 1, dr_cmd_agent_retire},
    {"agent rekey", ADMIN, "NAME", "give an agent new keys",
     "On its host: drover-agent key new --dir NEWFOLDER --name NAME.",
     "drover agent rekey orders-prod --public-key newfolder/agent.pub", dr_opt_rekey, 1, 1,
     dr_cmd_agent_rekey},
    {"agent list", ADMIN, "", "agents that the coordinator knows", NULL, "drover agent list",
     dr_opt_none, 0, 0, dr_cmd_agents},
    {"fleet show", ADMIN, "", "agents and targets of the newest fleet", NULL, "drover fleet show",
     dr_opt_none, 0, 0, dr_cmd_fleet_show},
    {"fleet renew", ADMIN, "", "renew the fleet before it expires", NULL, "drover fleet renew",
     dr_opt_change, 0, 0, dr_cmd_fleet_renew},
    {"policy show", ADMIN, "", "what each environment demands, as text to edit", NULL,
     "drover policy show\ndrover policy show -e production > policy.conf", dr_opt_policy, 0, 0,
     dr_cmd_policy_show},
    {"policy edit", ADMIN, "", "edit the policies, check and sign them", "With $VISUAL or $EDITOR.",
     "drover policy edit", dr_opt_change, 0, 0, dr_cmd_policy_edit},
    {"policy check", ADMIN, "[FILE]", "can these policies work?", NULL,
     "drover policy check\ndrover policy check policy.conf --explain --simulate",
     dr_opt_policy_check, 0, 1, dr_cmd_policy_check},
    {"policy apply", ADMIN, "FILE", "sign the policies of a file into the next fleet", NULL,
     "drover policy apply policy.conf", dr_opt_change, 1, 1, dr_cmd_policy_apply},
    {"config show", ADMIN, "", "settings in force here, and where they come from",
     "Options go before DROVER_* variables, these before drover.conf. The address of a database "
     "without\n"
     "coordinator: --url, DROVER_URL, ALEMBIC_DB_URL, DATABASE_URL, url of drover.conf. Passwords "
     "are not shown.",
     "drover config show\ndrover config show --origin\ndrover config show -o json", dr_opt_config,
     0, 0, dr_cmd_config_show},
    {"ping", ADMIN, "", "reach the coordinator and say who I am to it", NULL, "drover ping",
     dr_opt_none, 0, 0, dr_cmd_ping},
    {"rpc list", ADMIN, "", "methods of the coordinator", NULL, "drover rpc list", dr_opt_none, 0,
     0, dr_cmd_rpc_list},
    {"rpc call", ADMIN, "METHOD [JSON]", "call one method", NULL,
     "drover rpc call Health/Check '{}'", dr_opt_none, 1, 2, dr_cmd_rpc_call},
    {"version", ADMIN, "", "versions of drover and its libraries", NULL, "drover version",
     dr_opt_none, 0, 0, dr_cmd_version},
    {0},
};
