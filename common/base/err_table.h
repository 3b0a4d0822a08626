// Every error of drover: one row each. Numbers are never reused; a new error is a new row in its
// module's range. DR_ERR(name, number, exit code, RPC status, hint)
//   exit code: 1 failed, 2 usage, 3 difference found, 4 authentication, signature or permission, 5
//   unreachable,
//              6 failed and rolled back, 7 target needs repair, 8 waiting for a gate or approval,
//              124 time-out, 130 interrupted
//   RPC status: the canonical codes of gRPC, by number (0 OK .. 16 UNAUTHENTICATED)
//   hint: what to do next when the place of the error knows nothing better; "" for none
// Ranges: base 1-99, trust 100-199, db 200-249, sql 250-299, revision 300-349, rpc 350-399, engine
// 400-499,
//         core 500-549, cli 550-599, agent 600-649.

// base
DR_ERR(INTERNAL, 1, 1, 13, "this is a defect of drover; please report it with the message above")
DR_ERR(USAGE, 2, 2, 3, "--help behind the command shows what can be typed")
DR_ERR(NOMEM, 3, 1, 8, "make memory free on this machine, then try again")
DR_ERR(LIMIT, 4, 1, 8, "make it smaller")
DR_ERR(IO, 5, 1, 13, "check the path, the disk and the rights on it, then try again")
DR_ERR(NOT_FOUND, 6, 1, 5, "check the name, then try again")
DR_ERR(EXISTS, 7, 1, 6, "give another name, or move what is there away")
DR_ERR(PERMISSION, 8, 4, 7, "do it as the user who may, or change the rights: ls -l")
DR_ERR(TIMEOUT, 9, 124, 4, "try again, or allow more time with --timeout")
DR_ERR(INTERRUPTED, 10, 130, 1, "the same command again")
DR_ERR(INVALID, 11, 1, 3, "correct what the message names, then try again")
DR_ERR(CONFLICT, 12, 1, 10, "wait until the other one has ended, then try again")
DR_ERR(CONFIG, 13, 2, 9, "correct the configuration where the message says, then try again")
DR_ERR(DIFFERENCE, 14, 3, 9, "drover status")
DR_ERR(WAITING, 15, 8, 9, "drover rollout list")

// db
DR_ERR(DB_URL, 200, 2, 3,
       "write postgresql://USER@HOST:PORT/DATABASE, postgresql:///DATABASE, or sqlite:FILE")
DR_ERR(DB_UNREACHABLE, 201, 5, 14,
       "check that the server runs and that host and port of the URL are right: pg_isready -h HOST "
       "-p PORT")
DR_ERR(DB_AUTH, 202, 4, 7,
       "check user and password (URL, PGPASSWORD or password file) and the server's pg_hba.conf")
DR_ERR(DB_TLS, 203, 4, 7,
       "check sslmode and sslrootcert of the URL, and that the server has ssl = on")
DR_ERR(DB_NO_DATABASE, 204, 1, 5,
       "check the database's name in the URL, or create it: createdb NAME")
DR_ERR(DB_POOLER, 205, 1, 9,
       "connect to the PostgreSQL server itself: locks and sessions do not survive a pooler")
DR_ERR(DB_STANDBY, 206, 1, 9, "connect to the primary server: this one is a read-only standby")
DR_ERR(DB_VERSION, 207, 1, 9, "use PostgreSQL 12 or newer")
DR_ERR(DB_IDENTITY, 208, 1, 9, "check the URL: this is not the database that the target names")
DR_ERR(DB_STATEMENT, 209, 6, 9, "correct the statement, then run it again")
DR_ERR(DB_LOCK_TIMEOUT, 210, 6, 10,
       "another session holds the lock: try again later, or end it (pg_stat_activity)")
DR_ERR(DB_STATEMENT_TIMEOUT, 211, 6, 4, "raise the statement's timeout, or make its work smaller")
DR_ERR(DB_CANCELLED, 212, 6, 1,
       "somebody cancelled the statement or ended its session: run it again")
DR_ERR(DB_DEADLOCK, 213, 6, 10, "another session was in the way: run it again")
DR_ERR(DB_PRIVILEGE, 214, 4, 7, "grant the role what the message names")
DR_ERR(DB_FULL, 215, 6, 8, "make space on the database's disk, then run it again")
DR_ERR(DB_COPY, 216, 6, 9, "COPY to or from the client cannot run in a revision: use INSERT")
DR_ERR(DB_MULTI, 217, 6, 3, "send one statement at a time")
DR_ERR(DB_LOST, 218, 5, 14,
       "whether the statement took effect is unknown until the database is asked again: run drover "
       "again, it looks first")
DR_ERR(DB_SQLITE, 219, 1, 13, "check the file and the disk that it lies on")
DR_ERR(DB_BUSY, 220, 1, 10, "another program uses the SQLite file: stop it, or try again later")
DR_ERR(DB_CORRUPT, 221, 7, 15, "restore the file from a backup, or try: sqlite3 FILE .recover")
DR_ERR(DB_FILE, 222, 1, 9,
       "name the database file itself: no link, no folder, readable and writable by this user")
DR_ERR(DB_DENIED, 223, 6, 7, "a revision may not do this")
DR_ERR(DB_LOCKED, 224, 1, 10, "another drover works on this file: wait until it has ended")

// sql
DR_ERR(SQL_SYNTAX, 250, 1, 3, "")
DR_ERR(SQL_RESERVED, 251, 1, 3, "write the word in double quotes")
DR_ERR(SQL_TOO_COMPLEX, 252, 1, 3, "split the statement into smaller ones")
DR_ERR(SQL_CHECK_DIED, 253, 1, 3, "split the statement into smaller ones")
DR_ERR(SQL_FORBIDDEN, 254, 1, 3, "")
DR_ERR(SQL_TRANSACTION, 255, 1, 3,
       "give the statement a section of its own: -- drover:up transaction=off")
DR_ERR(SQL_PROBE, 256, 1, 3, "remove transaction=off, so that the statement runs in a transaction")
DR_ERR(SQL_CONCURRENT, 257, 1, 3, "")
DR_ERR(SQL_DUPLICATE, 258, 1, 3, "")
DR_ERR(SQL_IDENTIFIER, 259, 1, 3, "")
DR_ERR(SQL_LINT, 260, 1, 3, "drover lint")

// revision
DR_ERR(REVISION_SIZE, 300, 1, 8, "")
DR_ERR(REVISION_BYTES, 301, 1, 3, "")
DR_ERR(REVISION_HEADER, 302, 1, 3, "")
DR_ERR(REVISION_ID, 303, 1, 3, "")
DR_ERR(REVISION_DIRECTIVE, 304, 1, 3, "")
DR_ERR(REVISION_DOWN, 305, 1, 3,
       "write the way back under '-- drover:down', or '-- drover:down none reason=\"...\"'")
DR_ERR(REVISION_EMPTY, 306, 1, 3, "")
DR_ERR(REVISION_STATEMENTS, 307, 1, 3, "")
DR_ERR(REVISION_DUPLICATE, 308, 1, 6, "")
DR_ERR(REVISION_PARENT, 309, 1, 5, "")
DR_ERR(REVISION_CYCLE, 310, 1, 3, "")
DR_ERR(REVISION_LABEL, 311, 1, 6, "")
DR_ERR(REVISION_HEADS, 312, 1, 9, "")
DR_ERR(REVISION_UNKNOWN, 313, 1, 5, "drover history")
DR_ERR(REVISION_AMBIGUOUS, 314, 1, 3, "")
DR_ERR(REVISION_STEP, 315, 1, 3, "drover history")
DR_ERR(REVISION_EXPRESSION, 316, 2, 3, "")
DR_ERR(REVISION_ENGINE, 317, 1, 9, "")
DR_ERR(PLAN_MISMATCH, 318, 4, 9,
       "fetch the project's newest revisions (git pull), then the same command")
DR_ERR(REVISION_SUM, 319, 1, 9, "drover check --write")

// engine
DR_ERR(ENGINE_FAILED, 400, 6, 9,
       "nothing of the failed unit is there: mend the revision, then run it again")
DR_ERR(NEEDS_REPAIR, 401, 7, 9,
       "drover repair shows what is done and what is in doubt, and the ways out")
DR_ERR(LEDGER_OWNED, 402, 4, 7,
       "an agent owns this database: use a rollout (drover upgrade head), not --url")
DR_ERR(LEDGER_NEWER, 403, 1, 9, "a newer drover wrote this ledger: install that version")
DR_ERR(LEDGER_TAMPERED, 404, 7, 15,
       "somebody changed the ledger by hand: compare it with the coordinator's log (drover log)")
DR_ERR(LOCKED, 405, 1, 10,
       "another drover works on this database: wait for it, or give --lock-wait")
DR_ERR(PREFLIGHT_FAILED, 406, 1, 9,
       "nothing was changed: mend what the preflight names, then run it again")
DR_ERR(VERIFY_FAILED, 407, 6, 9, "")
DR_ERR(FORBIDDEN_STATEMENT, 408, 1, 3, "")
DR_ERR(STATE_CHANGED, 413, 1, 9,
       "the target changed since it was looked at: a new READY and approval are needed")
DR_ERR(NOT_CONTIGUOUS, 414, 1, 9, "make a plan from where the target is: drover upgrade head")
DR_ERR(REVISION_CHANGED, 415, 4, 9,
       "what was applied is not what the chain holds: put the file back, or add a new revision")
DR_ERR(NO_DOWN, 416, 1, 9, "this revision says that it has no way back")
DR_ERR(FILE_DIGEST, 417, 4, 15, "the revision file is not the one that the plan names")
DR_ERR(LOCK_TIMEOUT, 418, 6, 10,
       "end or wait for the sessions named above, then run it again; or raise lock_timeout in the "
       "section")
DR_ERR(COMMIT_UNKNOWN, 419, 7, 2,
       "run it again when the database is there: it looks first what was committed")
DR_ERR(
    PREFLIGHT_FORBIDDEN, 420, 1, 3,
    "a preflight runs before anybody approves: it may only ask, with built-in functions that read")
DR_ERR(
    BLOCKS_OTHERS, 421, 6, 10,
    "the statement made other sessions wait too long and was cancelled: run it when the table is "
    "quiet, or raise max_block")
DR_ERR(LEDGER_BEHIND, 424, 7, 15,
       "a server that lost committed work took over, or a backup was restored: bring the right "
       "server back, or look with drover repair and run the missing revisions again")
DR_ERR(ALEMBIC_MOVED, 425, 1, 9, "alembic current, and drover current, show what each says")
DR_ERR(ALEMBIC_ID, 426, 1, 9,
       "give the revision a shorter id, or take version_table = \"alembic\" out")
DR_ERR(REHEARSAL_DIFFERS, 427, 3, 9,
       "mend the revision: its way down has to take back all that its way up does, or say "
       "'-- drover:down none'")
DR_ERR(REHEARSAL_COPY, 428, 1, 9,
       "the copy of the schema cannot be made on that host: install there what is missing")
DR_ERR(
    REHEARSAL_FAILED, 429, 1, 9,
    "nothing was done to the target: mend the revision; drover rehearse shows it on one database")
DR_ERR(BACKUP_FAILED, 480, 1, 9, "")
DR_ERR(BACKUP_TOOL, 481, 1, 9,
       "install a pg_dump of the server's major version or newer, e.g. apt install "
       "postgresql-client-15")
DR_ERR(BACKUP_SPACE, 482, 1, 8, "make space in the backup folder, or name another one")
DR_ERR(BACKUP_EMPTY, 483, 1, 9,
       "the backup holds nothing: check the database and the role's rights")
DR_ERR(BACKUP_CHANGED, 484, 1, 15, "the backup file is not what was recorded: take a new one")
DR_ERR(BACKUP_OTHER, 485, 1, 15,
       "the backup is of another database or of another time: take a new one")
DR_ERR(BACKUP_KEPT, 486, 1, 9, "it goes by itself once its time is over")
DR_ERR(BACKUP_EVIDENCE, 487, 1, 9,
       "mend the command of the agent's configuration: what it has to print stands in README.md, "
       "'Backups by a command'")
DR_ERR(BACKUP_NO_COMMAND, 488, 1, 9, "name the command in the agent's configuration")
DR_ERR(BACKUP_NOT_NOW, 490, 1, 14,
       "nothing was learnt about the backup: mend what the message names on the agent's host, and "
       "ask again")
DR_ERR(
    BACKUP_TOO_MANY, 491, 1, 8,
    "nobody signs an order, so an agent takes 6 of them within an hour and keeps 24 for a target; "
    "what rollouts take is not counted")
DR_ERR(BACKUP_GONE, 489, 1, 9,
       "drover rollout retry ROLLOUT takes a new one and gets ready with it; without a rollout: "
       "drover backup take TARGET")

// trust
DR_ERR(BAD_ENVELOPE, 100, 4, 3, "fetch the document again from where it was signed")
DR_ERR(WRONG_TYPE, 101, 4, 3,
       "name a document of the kind that is asked for, e.g. trust/fleet.2.drv")
DR_ERR(BAD_DOCUMENT, 102, 4, 3, "fetch the document again; whoever made it has to make it anew")
DR_ERR(BAD_SIGNATURE, 103, 4, 7,
       "fetch the document again from whoever signed it; do not go on with this one")
DR_ERR(QUORUM, 104, 4, 9, "more of the people named in root have to sign")
DR_ERR(FOREIGN_CLUSTER, 105, 4, 7,
       "check coordinator, coordinator_key and root of the configuration: they name two clusters")
DR_ERR(NOT_PINNED, 106, 4, 7,
       "compare the root file's SHA-256 with the pinned one in the configuration")
DR_ERR(BAD_ROOT, 107, 4, 3, "correct the root and sign it again: drover sign")
DR_ERR(BAD_FLEET, 108, 4, 3, "make the fleet again: drover agent add")
DR_ERR(BAD_CHAIN, 109, 4, 3, "make the chain again: drover approve chain")
DR_ERR(BAD_APPROVAL, 110, 4, 3, "approve again: drover approve ROLLOUT -e ENVIRONMENT")
DR_ERR(BAD_EVIDENCE, 111, 4, 3, "look who signed it: drover log; do not go on with it")
DR_ERR(BAD_PLAN, 112, 4, 3, "make the rollout again: drover upgrade head")
DR_ERR(BAD_PROOF, 113, 4, 7,
       "fetch the documents again; if it stays, the coordinator shows what was not signed")
DR_ERR(ROLLBACK, 114, 4, 9,
       "the coordinator shows less than it did before: restore its newest state")
DR_ERR(EQUIVOCATION, 115, 4, 9, "two documents carry one version: find out who signed both")
DR_ERR(FAST_FORWARD, 116, 4, 9, "versions follow one another: sign the one that is missing first")
DR_ERR(FREEZE_ROOT, 117, 4, 9, "a newer root has to be signed and to arrive")
DR_ERR(FREEZE_FLEET, 118, 4, 9, "a newer fleet has to be signed and to arrive")
DR_ERR(EXPIRED, 119, 4, 9, "sign it again: it holds for a limited time")
DR_ERR(NOT_YET, 120, 4, 9, "compare this host's clock with the signer's")
DR_ERR(
    CLOCK_BACK, 121, 4, 9,
    "set this host's clock; if it is right, something was signed with a wrong one: on an agent's "
    "host, drover-agent clock reset --config FILE")
DR_ERR(NOT_IN_FLEET, 122, 4, 7, "drover agent add, signed by the fleet role")
DR_ERR(RETIRED, 123, 4, 7, "bring the target back into the fleet first")
DR_ERR(WRONG_KEY, 124, 4, 7,
       "add the agent again with the public key that it has now: drover agent add")
DR_ERR(WRONG_TARGET, 125, 4, 7,
       "approve the target that is meant: drover approve ROLLOUT -e ENVIRONMENT")
DR_ERR(WRONG_ENVIRONMENT, 126, 4, 7, "check environment in the configuration, and -e")
DR_ERR(WRONG_ENGINE, 127, 4, 9,
       "check the url in the agent's configuration, and the engine in the fleet")
DR_ERR(WRONG_POLICY, 128, 4, 9, "the approval has to be made again under the current fleet")
DR_ERR(WRONG_MODE, 129, 4, 9, "approve again: drover approve ROLLOUT -e ENVIRONMENT")
DR_ERR(APPROVAL_TOO_LONG, 130, 4, 9,
       "approve again with --expires, at most what the environment's policy allows")
DR_ERR(AUTHOR_APPROVED, 131, 4, 7, "somebody who did not write the revision has to approve")
DR_ERR(NO_READY, 132, 4, 9, "drover rollout retry ROLLOUT prepares the target again")
DR_ERR(WRONG_READY, 133, 4, 9, "the target has to be approved again over its open READY")
DR_ERR(NOT_ACKNOWLEDGED, 134, 4, 9,
       "approve again and accept the flags: drover approve ROLLOUT -e ENVIRONMENT --ack FLAGS")
DR_ERR(DRIFT_REFUSED, 135, 4, 9,
       "compare the schema with what the chain made, and take the difference back")
DR_ERR(PLAN_DIGEST, 136, 4, 9, "make the rollout again: drover upgrade head")
DR_ERR(NOT_IN_CHAIN, 137, 4, 9, "drover approve chain")
DR_ERR(WITHDRAWN, 138, 4, 9, "drover downgrade takes it off where it is applied")
DR_ERR(PLAN_NOT_CONTIGUOUS, 139, 4, 9,
       "make a rollout from where the target is: drover upgrade head")
DR_ERR(TWO_HEADS, 140, 4, 9, "drover merge")
DR_ERR(VETOED, 141, 4, 9, "speak with the person whom the message names")
DR_ERR(CANCELLED, 142, 4, 9, "make a new rollout: drover upgrade head")
DR_ERR(FROZEN, 143, 4, 9, "wait until the freeze is lifted")
DR_ERR(GATE_MISSING, 144, 8, 9, "drover checklist ROLLOUT shows what is missing")
DR_ERR(CANARY_FIRST, 145, 8, 9,
       "wait until the first wave is applied: drover rollout watch ROLLOUT")
DR_ERR(OUTSIDE_WINDOW, 169, 8, 9,
       "wait until the window opens: drover policy show; the approval has to last until then")
DR_ERR(DATABASE_IDENTITY, 146, 4, 9,
       "check the url in the agent's configuration, and the target in the fleet")
DR_ERR(BEHIND_POOLER, 147, 4, 9, "connect to the database itself, not to a pooler")
DR_ERR(ON_STANDBY, 148, 4, 9, "connect to the primary")
DR_ERR(NOT_LOCKED, 149, 4, 9,
       "wait until the other runner has ended, then: drover rollout retry ROLLOUT")
DR_ERR(LEDGER_CHANGED, 150, 4, 9, "drover rollout retry ROLLOUT prepares the target again")
DR_ERR(SCHEMA_CHANGED, 151, 4, 9, "drover rollout retry ROLLOUT prepares the target again")
DR_ERR(CHECK_SKIPPED, 152, 4, 13,
       "this is a defect of drover; please report it with the message above")
DR_ERR(RESUME_WINDOW, 153, 8, 9, "drover rollout retry ROLLOUT, then approve again")
DR_ERR(COUNTER_GAP, 154, 4, 9,
       "the agent sends the missing statements when it is connected: wait, then try again")
DR_ERR(COUNTER_REUSED, 155, 4, 9,
       "an agent's key is used twice: stop that agent, and give it a new key")
DR_ERR(KEY_FORMAT, 156, 4, 3,
       "name a key file as drover key new makes it: NAME.key, NAME.transport or NAME.pub")
DR_ERR(KEY_KIND, 157, 4, 3, "NAME.key signs, NAME.transport names you to the coordinator")
DR_ERR(KEY_COST, 158, 4, 3, "make a new key: drover key new NAME")
DR_ERR(KEY_MISMATCH, 159, 4, 3,
       "restore the key file from a copy, or make a new one: drover key new NAME")
DR_ERR(PASSPHRASE, 160, 4, 16, "type the passphrase again, or give it with --passphrase-fd N")
DR_ERR(STAMP_UNPROVED, 168, 4, 9,
       "compare the schema; what is right as it is can be accepted: drover approve ROLLOUT -e "
       "ENVIRONMENT --ack difference")
DR_ERR(BUNDLE_SIZE, 161, 4, 8, "make rollouts of fewer revisions")

// rpc
DR_ERR(UNREACHABLE, 350, 5, 14,
       "is droverd running, and is the coordinator's address right? look with: systemctl status "
       "droverd")
DR_ERR(UNAUTHENTICATED, 351, 4, 16,
       "the coordinator does not know this key: a person's goes into the root, an agent's into the "
       "fleet (drover agent add)")
DR_ERR(WRONG_SERVER_KEY, 352, 4, 16,
       "compare the coordinator's public key in the configuration with what droverd prints at its "
       "start")
DR_ERR(WRONG_CLUSTER, 353, 4, 9,
       "the address leads to the coordinator of another cluster: check it in the configuration")
DR_ERR(RPC_PROTOCOL, 354, 1, 13, "do both sides run the same version of drover?")
DR_ERR(RPC_LIMIT, 355, 1, 8, "ask for less at once")
DR_ERR(RPC_UNIMPLEMENTED, 356, 1, 12,
       "the coordinator is older than this program: update droverd first")
DR_ERR(RPC_REMOTE, 357, 1, 2, "look at the coordinator's log")
DR_ERR(LISTEN, 358, 1, 9, "does another program use the port? look with: ss -ltnp")
DR_ERR(RPC_BUSY, 359, 5, 14, "the same request is still being worked on: ask again")

// agent
DR_ERR(AGENT_STATE, 600, 1, 8,
       "nothing runs on a target while the agent's state cannot be written: make space, or mend "
       "the state folder")
DR_ERR(AGENT_STATE_NEWER, 601, 1, 9, "a newer drover-agent wrote this state: install that version")
DR_ERR(AGENT_PIPE, 602, 1, 13, "")
DR_ERR(AGENT_WORKER_DIED, 603, 1, 10, "the agent looks at the target again by itself")
DR_ERR(AGENT_NO_BLOB, 604, 1, 5, "drover submit, then drover upgrade again")
DR_ERR(AGENT_CONSUMED, 605, 4, 9,
       "an approval is used once: let the target prepare again and approve its new READY")
DR_ERR(AGENT_RUN_TIMEOUT, 606, 124, 4,
       "raise run_timeout in the agent's configuration, or make the plan smaller")
DR_ERR(AGENT_INTERRUPTED, 607, 7, 1,
       "look at the target's state, then let it prepare again: drover rollout retry ROLLOUT")
DR_ERR(AGENT_NO_TARGET, 608, 1, 5, "drover-agent check --config FILE lists the targets")
DR_ERR(AGENT_CHECK, 609, 1, 9, "mend what is marked FAIL, then run it again")
DR_ERR(AGENT_NO_TRUST, 610, 8, 9, "drover agent add, signed by the fleet role, has to arrive first")

// core
DR_ERR(STORE, 500, 1, 13, "look at the coordinator's log and at the disk of its state folder")
DR_ERR(STORE_FOLDER, 501, 1, 9, "name a folder that droverd's user may write to: state = \"...\"")
DR_ERR(STORE_VERSION, 502, 1, 9, "install the droverd that wrote this state, or a newer one")
DR_ERR(BLOB_DIGEST, 503, 1, 15, "send the file again: what arrived is not what its digest names")
DR_ERR(BLOB_OFFSET, 504, 1, 11, "")
DR_ERR(BLOB_MISSING, 505, 1, 9, "send it first")
DR_ERR(ROLLOUT_EVENT, 506, 1, 9, "drover rollout show ROLLOUT")
DR_ERR(ROLLOUT_BUSY, 507, 1, 9, "")
DR_ERR(ROLLOUT_UNKNOWN, 508, 1, 5, "drover rollout list")
DR_ERR(ROLLOUT_EMPTY, 509, 1, 9, "drover status")
DR_ERR(ROLLOUT_ENDED, 510, 1, 9, "drover rollout list")
DR_ERR(CHAIN_MISSING, 511, 8, 9, "drover approve chain")
DR_ERR(NO_FLEET, 512, 1, 9, "sign and send one: drover agent add ..., drover sign")
DR_ERR(BAD_LOG, 162, 4, 15,
       "the log was changed after it was written: compare with another copy: drover log "
       "--compare FILE")
