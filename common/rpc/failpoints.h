// Every failpoint of the RPC library, one row each: DR_RPC_FAILPOINT(name, when, where). None is a
// durable step. when: x only in the test that names it.
#ifdef DR_RPC_FAILPOINT
DR_RPC_FAILPOINT("rpc-accept-stops", 'x', "a listener accepts no more")
#endif
