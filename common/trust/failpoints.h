// Every failpoint of the trust store, one row each: DR_TRUST_FAILPOINT(name, when, where). Agent
// and coordinator keep their trust with it. when: s at the start, when trust is first heard of.
#ifdef DR_TRUST_FAILPOINT
DR_TRUST_FAILPOINT("trust-write-before", 's', "a document is verified, not on disk")
DR_TRUST_FAILPOINT("trust-write-after", 's', "a document is on disk, not yet used")
#endif
