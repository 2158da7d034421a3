/*
 * POSIX message queues: inodes of a file system of their own (mqueue_fs.c), whose open files send and
 * receive (mq_calls.c) and can be polled.
 *
 * A message goes straight to the receiver that waits first; a sender that waits for room leaves its
 * message to whoever takes one out. First is who has the best priority, among equals who came first.
 * Locks: queue->lock guards a queue; it is taken with no lock held but the mqueue directory's, and none is
 * taken in it. Notifications are made under it and given after it (mqueue_notice).
 */
#pragma once

#include "lib/base/tree.h"
#include "linux/abi/mqueue.h"
#include "linux/fs.h"
#include "linux/fs/mount.h"
#include "linux/ipc/ids.h"
#include "linux/task.h"

struct netlink_note;

/* /proc/sys/fs/mqueue. Read without a lock. */
struct mqueue_limits {
    _Atomic uint64_t queues_max, msg_max, msgsize_max, msg_default, msgsize_default;
};
extern struct mqueue_limits mqueue_limits;
enum { MQ_MESSAGES_HARD = 65536, MQ_SIZE_HARD = 16 << 20, MQ_SIZE_LEAST = 128 };

struct mq_message {
    struct tree_node node; /* by priority, then by arrival */
    uint32_t priority;
    uint64_t size;
    uint8_t bytes[];
};

struct mq_waiter {
    struct ipc_waiter waiter;
    struct mq_message *message; /* a sender's; a receiver's once it is finished */
    int32_t rank;               /* smaller goes first */
};

/* Who is told that a message arrived at the empty queue, once. */
struct mq_registration {
    struct process *process; /* referenced; NULL: nobody */
    int32_t notify;          /* SIGEV_* */
    int32_t signo;
    uint64_t value;
    struct netlink_note *note; /* SIGEV_THREAD's */
};

struct mqueue {
    struct list link; /* of all queues */
    uint32_t owner;   /* who made it: its user is charged */
    uint64_t charge;  /* bytes */
    struct mutex lock;
    uint64_t messages_most, size_most, count, bytes, arrivals;
    struct tree messages;
    struct list senders, receivers;
    struct waitq watchers; /* poll */
    struct mq_registration registration;
};

extern const struct file_operations mqueue_file_operations;
extern const struct filesystem_type mqueue_type;

static inline struct mqueue *mqueue_of(const struct inode *inode) {
    return inode->data;
}

/* ---- mqueue.c ---- */

/* Sends: 0, the message is the queue's, or -EAGAIN, -ETIMEDOUT, -ERESTARTSYS. May block. */
int64_t mqueue_send(struct mqueue *queue, struct mq_message *message, bool wait, uint64_t deadline);
/* Takes the first message of the best priority, which is the caller's then; errors as above. */
int64_t mqueue_receive(struct mqueue *queue, bool wait, uint64_t deadline, struct mq_message **message);
/* Registers, taking over what the registration holds, or -EBUSY. */
int64_t mqueue_register(struct mqueue *queue, const struct mq_registration *registration);
/* Ends the registration of a process, if it is its. */
void mqueue_unregister(struct mqueue *queue, const struct process *process);
/* Frees a queue that nobody uses any more. */
void mqueue_free(struct mqueue *queue);
