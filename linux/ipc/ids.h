/*
 * What the three families of System V IPC share: objects that are known by a key and by an id, and that
 * belong to nobody: they stay until they are removed. A family is a table with a lock of its own, which
 * guards everything about its objects and is an inner lock: mm->lock may be held around it.
 *
 * An id is an index of the table and a sequence number, as on Linux: index + 32768 * sequence. Indices are
 * given out in turn, so that an old id means a new object only after many others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/abi/ipc.h"
#include "linux/lock.h"

struct text;

/* The first member of every object. */
struct ipc_object {
    int32_t key; /* IPC_PRIVATE: found by id only */
    int32_t id;
    uint32_t uid, gid, cuid, cgid;
    uint32_t mode; /* permissions, and bits of the family's above them */
    int64_t change_time;
};

struct ipc_family {
    struct mutex lock;
    struct ipc_object **slots; /* NULL: free */
    uint32_t capacity, used, most;
    int32_t last; /* index given out last */
    uint32_t sequence;
};

#define IPC_FAMILY_INIT(name, most_objects)                                                                  \
    { .lock = MUTEX_INIT((name).lock), .most = (most_objects), .last = -1 }

enum { IPC_INDICES = 32768 };

/* For …get: the object that the key means, if the caller may have it as the flags say. 0 with *found NULL: a
 * new one is to be made. -ENOENT, -EEXIST. Permission is the caller's to ask for (ipc_permitted), after its
 * own checks. Family locked, as for all of these but ipc_control. */
int ipc_find(struct ipc_family *family, int32_t key, uint32_t flags, struct ipc_object **found);
/* Enters a new object: its id, or -ENOSPC, -ENOMEM. Owner and creator are the caller. */
int64_t ipc_add(struct ipc_family *family, struct ipc_object *object, int32_t key, uint32_t flags);
void ipc_remove(struct ipc_family *family, struct ipc_object *object);

/* The object of an id; NULL: -EINVAL. */
struct ipc_object *ipc_by_id(const struct ipc_family *family, int32_t id);
/* The largest index in use; 0 when there is none. */
int64_t ipc_last_index(const struct ipc_family *family);

/* Whether the caller has all permissions of a mode (in any of its three places). */
bool ipc_permitted(const struct ipc_object *object, uint32_t mode);
/* The object of an id, for one who may remove and change it: 0, -EINVAL, -EPERM. */
int ipc_owned(const struct ipc_family *family, int32_t id, struct ipc_object **object);
/* Owner and permissions as IPC_SET wants them: 0 or -EINVAL. */
int ipc_change(struct ipc_object *object, const struct ipc64_perm *perm);

/* What …ctl tells of an object and takes for it. */
union ipc_state {
    struct ipc64_perm perm; /* all begin with it */
    struct shmid64_ds segment;
    struct semid64_ds set;
    struct msqid64_ds queue;
};

/* A family's …ctl as far as all have it; called with its lock but for `release`. */
struct ipc_control {
    uint32_t stat, stat_any; /* commands: IPC_STAT by index, for those who may read it and for all */
    size_t size;             /* of the state */
    /* Fills in all but perm. */
    void (*describe)(const struct ipc_object *object, union ipc_state *state);
    /* IPC_SET where there is more to it than ipc_change, which it calls. */
    int (*change)(struct ipc_object *object, const union ipc_state *state);
    /* IPC_RMID. True: `release` follows. */
    bool (*remove)(struct ipc_object *object);
    void (*release)(struct ipc_object *object);
};

/* IPC_STAT, …_STAT, …_STAT_ANY, IPC_SET, IPC_RMID; other commands: -EINVAL. Takes the family's lock. */
int64_t ipc_control(struct ipc_family *family, const struct ipc_control *control, int32_t id,
                    uint32_t command, uint64_t buffer);

/* Seconds since 1970, and the caller's process. */
int64_t ipc_now(void);
int32_t ipc_caller(void);

/*
 * A task that waits until another one has done its operation for it: the one that makes it possible does it,
 * in the place of the waiter, and wakes that waiter only. One wake-up per operation, none in vain. The waiter
 * stands in a list of the object that it waits for; everything here is guarded by the lock that ipc_wait is
 * told.
 */
struct ipc_waiter {
    struct list link; /* unlinked: finished */
    handle_t thread;
    int64_t result;
};
/* Enters a list; ipc_wait follows, without the lock being released before. */
void ipc_waiter_add(struct list *waiting, struct ipc_waiter *waiter);
/* 0: finished, waiter->result says how. -EINTR, -ETIMEDOUT: it left its list, nothing was done for it. */
int ipc_wait(struct mutex *lock, struct ipc_waiter *waiter, uint64_t deadline);
/* Takes it out of its list and wakes it with this result. */
void ipc_finish(struct ipc_waiter *waiter, int64_t result);
