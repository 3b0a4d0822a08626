// Net: the process that talks to the coordinator. It holds the transport secret and nothing else
// that is worth stealing: no signing key, no database, no state. It hands pushes to exec as bytes
// and carries exec's bytes out.
#ifndef DR_AGENT_NET_H
#define DR_AGENT_NET_H

#define DR_NET_ROLE         "net"
#define DR_NET_START_MS     30000
#define DR_NET_CALL_MS      30000 // deadline of one call
#define DR_NET_RETRY_MIN_MS 500
#define DR_NET_RETRY_MAX_MS 30000
#define DR_NET_QUEUE_MAX    (8u * 1048576u) // bytes for exec; beyond it no further blob is asked for
#define DR_NET_REPORTS_MAX  8u              // progress reports on their way

// The whole process. `user` ("": stay) is switched to when it runs as root; `ca_file` ("": none) is
// what tls+tcp:// trusts. Returns its exit code.
int dr_net_main(const char *user, const char *ca_file);

#endif
