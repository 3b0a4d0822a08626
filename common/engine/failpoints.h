// Every failpoint of the engine, one row each: DR_ENGINE_FAILPOINT(name, engines, where). The fault
// tests take their list from here, so a new durable step needs a row to be tested. engines: p
// PostgreSQL, s SQLite, b both; k both, in a backup and not in a run.
#ifdef DR_ENGINE_FAILPOINT
DR_ENGINE_FAILPOINT("engine-locked", 'b', "the lock is held, nothing was written")
DR_ENGINE_FAILPOINT("engine-ledger-made", 'b', "the ledger's tables are there")
DR_ENGINE_FAILPOINT("engine-unit-begin", 'b', "before a unit's transaction")
DR_ENGINE_FAILPOINT("engine-unit-sent", 'b', "statements ran, the ledger row is not committed")
DR_ENGINE_FAILPOINT("engine-commit-before", 'b', "before COMMIT")
DR_ENGINE_FAILPOINT("engine-commit-after", 'b', "COMMIT done, its answer not yet used")
DR_ENGINE_FAILPOINT("engine-intent-before", 'b',
                    "before the intent row of a unit outside a transaction")
DR_ENGINE_FAILPOINT("engine-intent-after", 'b', "intent row committed, statement not begun")
DR_ENGINE_FAILPOINT("engine-outside-after", 'b', "statement done, done row not written")
DR_ENGINE_FAILPOINT("engine-clean-after", 'p', "debris removed, statement not repeated")
DR_ENGINE_FAILPOINT("engine-done-after", 'b', "done row committed")
DR_ENGINE_FAILPOINT("engine-run-end", 'b', "all units done, result not yet given")
DR_ENGINE_FAILPOINT("engine-backup-before", 'k',
                    "the backup is whole and flushed, without its name")
DR_ENGINE_FAILPOINT("engine-backup-after", 'k', "the backup has its name, nobody was told")
#endif
