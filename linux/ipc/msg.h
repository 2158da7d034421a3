/* System V message queues as /proc shows them. */
#pragma once

#include <stdint.h>

#include "linux/fs/proc.h"

enum { MSGMNI = 32000, MSGMAX = 8192, MSGMNB = 16384 };

/* /proc/sys/kernel/msgmax (bytes of a message), msgmnb (of a new queue) and msgmni (queues). Read without a
 * lock. */
struct msg_limits {
    _Atomic uint64_t msgmax, msgmnb, msgmni;
};
extern struct msg_limits msg_limits;

/* /proc/sysvipc/msg */
void msg_show(struct text *text);
