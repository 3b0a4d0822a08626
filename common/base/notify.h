// Notify: tells the service manager how this process is, as sd_notify(3) describes it.
#ifndef DR_BASE_NOTIFY_H
#define DR_BASE_NOTIFY_H

#include <stdbool.h>

// Sends `state` ("READY=1", "STOPPING=1", lines apart by '\n') as one datagram to the socket that
// NOTIFY_SOCKET names. False when there is none or it does not take it: nobody waits then. Does not
// block.
bool dr_notify(const char *state);
// "RELOADING=1" with the time that a reload notice needs beside it.
bool dr_notify_reloading(void);

#endif
