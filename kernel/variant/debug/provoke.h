/* Mistakes made on purpose: kernel/variant/debug/provoke.c. */
#pragma once

#include <stdint.h>

struct spinlock;

/* Makes the mistake; the kernel panics. -EINVAL when there is none of that number (enum debug_what). */
int64_t debug_provoke(uint64_t what);
/* Has a lock that this CPU holds look as if another one held it. kernel/variant/debug/lock.c. */
void debug_lock_give(const struct spinlock *lock, unsigned cpu);
