/* System V shared memory as /proc shows it. */
#pragma once

#include <stdint.h>

#include "linux/fs/proc.h"

/* /proc/sys/kernel/shmmax (bytes of a segment), shmall (pages of all) and shmmni (segments); the family's
 * lock guards changes. */
struct shm_limits {
    _Atomic uint64_t shmmax, shmall, shmmni;
};
extern struct shm_limits shm_limits;

/* /proc/sysvipc/shm */
void shm_show(struct text *text);
