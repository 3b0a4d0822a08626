// Every failpoint of the agent, one row each: DR_AGENT_FAILPOINT(name, process, where). The fault
// tests take their list from here, so a new durable step needs a row to be tested. process: e exec,
// n net, w worker.
#ifdef DR_AGENT_FAILPOINT
DR_AGENT_FAILPOINT("agent-state-commit", 'e', "before each commit of the agent's state")
DR_AGENT_FAILPOINT("agent-state-committed", 'e', "after each commit of the agent's state")
DR_AGENT_FAILPOINT("agent-trust-write", 'e', "trust came and is not on disk")
DR_AGENT_FAILPOINT("agent-trust-kept", 'e', "verified trust is on disk, its push is not noted")
DR_AGENT_FAILPOINT("agent-stop-write", 'e', "a person's stop came and is not on disk")
DR_AGENT_FAILPOINT("agent-push-write", 'e', "a push came and is not on disk")
DR_AGENT_FAILPOINT("agent-push-taken", 'e', "a push is durable, not acknowledged")
DR_AGENT_FAILPOINT("agent-blob-before", 'e', "a fetched file is whole, without its name")
DR_AGENT_FAILPOINT("agent-blob-after", 'e', "a fetched file has its name")
DR_AGENT_FAILPOINT("agent-run-consumed", 'e', "an approval is used up, the worker not told")
DR_AGENT_FAILPOINT("agent-run-attempt", 'e', "another start of a run is noted, no worker started")
DR_AGENT_FAILPOINT("agent-reported", 'e', "an attestation is durable, not sent")
DR_AGENT_FAILPOINT("agent-attested", 'e', "the coordinator has an attestation, it still waits here")
DR_AGENT_FAILPOINT("agent-net-push", 'n', "a push came, exec does not know")
DR_AGENT_FAILPOINT("agent-net-ack", 'n', "exec has a push, the coordinator does not know")
DR_AGENT_FAILPOINT("agent-net-attest", 'n', "exec gave an attestation, it is not sent")
DR_AGENT_FAILPOINT("agent-net-attested", 'n',
                   "the coordinator took an attestation, exec is not told")
DR_AGENT_FAILPOINT("agent-worker-facts", 'w', "the locks are held, exec does not know")
DR_AGENT_FAILPOINT("agent-worker-go", 'w', "the approval is used up, no statement ran")
DR_AGENT_FAILPOINT("agent-worker-result", 'w', "the job is done, its result is not given")
#endif
