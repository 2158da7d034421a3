/*
 * Channels: two ends; what is written at one is read at the other, message by message. The ends are objects
 * of their own, with handles, revocation and a binding each, but lie side by side in one allocation that goes
 * when both are closed, so that neither needs a reference to the other:
 *
 *     end 0 | end 1      the lock of end 0 guards both
 *
 * A message is a page charged to the writer's job until it is read or dropped. Its handles are capability
 * tokens, as they were in the writer's table: revocation reaches them there.
 */
#pragma once

#include "abi/ipc.h"
#include "kernel/handle.h"
#include "kernel/port.h"

struct channel {
    struct object object;
    struct spinlock lock;   /* rank OBJECT: of end 0, guards both ends */
    struct binding binding; /* hears of each message, and of the other end's closing */
    struct channel *first;  /* end 0 */
    struct list messages;   /* to be read here */
    struct list waiters;    /* threads blocked in channel_read */
    uint32_t count;         /* messages */
    uint32_t state;         /* enum channel_state */
} __attribute__((aligned(64)));
SOURCE_CHECK(channel);

enum channel_state { CHANNEL_OPEN, CHANNEL_CLOSED, CHANNEL_GONE };

/* The pair, one object of the job; each end has one reference. NULL: memory or quota exhausted. */
struct channel *channel_create(struct job *job);
/* One bounded step of an end's destruction: true when all is done. */
bool channel_reap_step(struct channel *channel);

static inline struct channel *channel_peer(struct channel *channel) {
    return channel->first + (channel == channel->first);
}
static inline struct spinlock *channel_lock(struct channel *channel) {
    return &channel->first->lock;
}
/* True when there is something to read or the other end is closed. The lock is held. */
bool channel_ready(struct channel *channel);
/* A waiter that was woken passes the news on before it looks itself: it may be about to end, or its handle
 * may be revoked, while others wait beside it. No lock held. */
void channel_wake_next(struct channel *channel);

/* The calls; addresses are user addresses (abi/syscalls.def). Both may fault pages in: no lock may be held.
 */
int64_t channel_write(struct channel *channel, uint64_t bytes, uint64_t length, uint64_t handles,
                      uint64_t count);
int64_t channel_read(struct channel *channel, uint64_t bytes, uint64_t handles, uint64_t sizes,
                     uint64_t deadline);
