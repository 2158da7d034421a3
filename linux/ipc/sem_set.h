/*
 * A set of semaphores and what is done with it; sem.c and semctl.c have the calls. sem_sets.lock guards all
 * of this.
 *
 * An operation that cannot be done yet waits at the semaphore that is in its way: in `rising` where that one
 * is too small, in `zero` where it is not zero. Whoever raises a semaphore, brings it to zero, or
 * changes it where one of those that wait for zero changes it first itself, tries the operations of that list
 * again, in the order in which they came, does those that are possible now for their waiters, and what these
 * changed is followed likewise (sem_settle). So only tasks wake up whose operation was done or has failed.
 */
#pragma once

#include "linux/ipc/ids.h"
#include "linux/ipc/sem.h"

enum { SEMVMX = 32767 };

struct semaphore {
    int32_t value; /* 0 to SEMVMX */
    int32_t last;  /* process of the last change */
    struct list rising, zero;
};

struct sem_set {
    struct ipc_object object;
    int64_t operation_time;
    uint64_t turn; /* number of the operation that began to wait last */
    uint32_t count;
    struct list undos; /* struct sem_undo.set_link */
    struct semaphore semaphores[];
};

/* What some process's SEM_UNDO operations on one set have to be followed by when it ends. */
struct sem_undo {
    struct list set_link, list_link;
    struct sem_set *set;
    int16_t adjust[]; /* per semaphore */
};

/* The operations of one call; the caller's memory, until they are done or given up. */
struct sem_work {
    struct ipc_waiter waiter; /* in rising or zero of the semaphore in the way */
    struct list done_link;
    const struct sembuf16 *operations;
    uint32_t count;
    bool alters;
    int32_t process;
    uint64_t turn;
    struct sem_undo *undo;          /* where one of them has SEM_UNDO */
    const struct sembuf16 *blocker; /* of those that wait */
};

extern struct ipc_family sem_sets;
extern uint64_t sem_sets_total; /* semaphores of all sets */

static inline struct sem_set *sem_set_of(struct ipc_object *object) {
    return object ? container_of(object, struct sem_set, object) : NULL;
}

enum { SEM_BLOCKED = 1 };
/* Does all operations or none: 0, SEM_BLOCKED (blocker says where), -EAGAIN (that one had IPC_NOWAIT),
 * -ERANGE. */
int sem_perform(struct sem_set *set, struct sem_work *work);
/* After an operation was done: does what it made possible. */
void sem_settle(struct sem_set *set, struct sem_work *work);
/* Enters blocked work where it waits. */
void sem_enqueue(struct sem_set *set, struct sem_work *work);

/* Sets a semaphore (0 to SEMVMX) in the name of a process; sem_settle_from follows for those that were set,
 * of which `count` from `first` on. */
void sem_assign(struct sem_set *set, uint32_t number, int32_t value, int32_t process);
void sem_settle_from(struct sem_set *set, uint32_t first, uint32_t count);

/* Ends everything about a set, which is not in the family any more: waiters get -EIDRM. */
void sem_set_free(struct sem_set *set);
