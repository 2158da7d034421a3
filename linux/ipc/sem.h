/* System V semaphores as tasks, clone and /proc see them. */
#pragma once

#include <stdint.h>

#include "linux/fs/proc.h"

struct task;

enum { SEMMNI = 32000, SEMMSL = 32000, SEMMNS = SEMMNI * SEMMSL, SEMOPM = 500 };

/* /proc/sys/kernel/sem: semaphores of a set, of all sets, operations of a call, sets. Read without a lock. */
struct sem_limits {
    _Atomic uint32_t semmsl, semmns, semopm, semmni;
};
extern struct sem_limits sem_limits;

/* /proc/sysvipc/sem */
void sem_show(struct text *text);

/* clone with CLONE_SYSVSEM: what the calling task's SEM_UNDO operations take back belongs to the child, too.
 * 0 or -ENOMEM. */
int sem_undo_share(struct task *child);
/* The task's end, or unshare(CLONE_SYSVSEM): the last that shares takes its operations back. No locks held.
 */
void sem_undo_leave(struct task *task);
