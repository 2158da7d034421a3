/* POSIX message queues. */
#pragma once

#include <stdint.h>

enum { MQ_PRIO_MAX = 32768, NOTIFY_COOKIE_LEN = 32, NOTIFY_WOKENUP = 1, NOTIFY_REMOVED = 2 };
enum { MQUEUE_MAGIC = 0x19800202 };

struct mq_attr64 {
    int64_t flags, messages_most, size_most, count;
    int64_t reserved[4];
};
_Static_assert(sizeof(struct mq_attr64) == 64, "struct mq_attr");
