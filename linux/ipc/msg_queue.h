/*
 * A message queue and what is done with it; msg.c and msgctl.c have the calls. msg_queues.lock guards all of
 * this.
 *
 * A message goes to the first receiver that waits for one like it, else into the queue. A sender for whose
 * message there is no room waits with it: who takes one out puts those of waiting senders in that fit now, in
 * the order in which they came. So only tasks wake up whose message was sent or received.
 */
#pragma once

#include "linux/ipc/ids.h"
#include "linux/ipc/msg.h"

struct message {
    struct list link;
    int64_t type; /* from 1 up */
    uint64_t size;
    uint8_t bytes[];
};

struct msg_queue {
    struct ipc_object object;
    int64_t send_time, receive_time;
    uint64_t bytes, count, bytes_most; /* of messages in it */
    int32_t sender, receiver;          /* processes that did the last of each */
    struct list messages, senders, receivers;
};

struct msg_sender {
    struct ipc_waiter waiter; /* in the queue's senders; finished with 0: the message is the queue's */
    struct message *message;
    int32_t process;
};

/* Which messages a receiver wants: any, those of a type or of others than that, the lowest type up to one,
 * or, to copy it, the one of a number. */
enum msg_choice { MSG_ANY, MSG_EQUAL, MSG_OTHERS, MSG_LOWEST, MSG_NUMBER };

struct msg_receiver {
    struct ipc_waiter waiter; /* in the queue's receivers; finished with 0: `message` is the receiver's */
    struct message *message;
    enum msg_choice choice;
    int64_t type;
    uint64_t size_most;
    int32_t process;
};

/* Results with which waiters are finished besides 0 and errors: ask again, permissions may have changed. */
enum { MSG_ASK_AGAIN = 1 };

extern struct ipc_family msg_queues;
extern uint64_t msg_count_all, msg_bytes_all; /* messages and bytes of all queues */

static inline struct msg_queue *msg_queue_of(struct ipc_object *object) {
    return object ? container_of(object, struct msg_queue, object) : NULL;
}

/* Whether there is room for a message of a size. */
bool msg_fits(const struct msg_queue *queue, uint64_t size);
/* Sends what the sender has. */
void msg_put(struct msg_queue *queue, struct msg_sender *sender);
/* The message that a receiver wants first; NULL: none is there. */
struct message *msg_find(const struct msg_queue *queue, const struct msg_receiver *receiver);
/* Takes it out, in the name of a process, and lets senders go on. */
void msg_take(struct msg_queue *queue, struct message *message, int32_t process);
/* Ends all waits with a result. */
void msg_waits_end(struct msg_queue *queue, int64_t result);
/* Frees a queue, which is not in the family any more: waiters get -EIDRM. */
void msg_queue_free(struct msg_queue *queue);
