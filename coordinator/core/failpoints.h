// Every failpoint of the coordinator, one row each: DR_CORE_FAILPOINT(name, when, where). The fault
// tests take their list from here, so a new durable step needs a row to be tested. when: s at the
// start or when revisions are submitted, r in a rollout.
#ifdef DR_CORE_FAILPOINT
DR_CORE_FAILPOINT("core-store-made", 's', "the tables of the state are there, nothing else")
DR_CORE_FAILPOINT("core-blob-before", 's', "an uploaded file is whole, without its name")
DR_CORE_FAILPOINT("core-blob-after", 's',
                  "an uploaded file has its name, the folder is not flushed")
DR_CORE_FAILPOINT("core-commit", 'r', "before each commit of the state")
DR_CORE_FAILPOINT("core-committed", 'r', "after each commit, nobody was told")
DR_CORE_FAILPOINT("core-replied", 'r', "after each reply to a call that changed something")
DR_CORE_FAILPOINT("core-pushed", 'r', "after each push that was handed to an agent's stream")
#endif
