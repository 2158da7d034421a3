/*
 * See channel.h. User memory is only touched while no lock is held, so a message that is being read is out of
 * the queue meanwhile; when the reader turns out unable to take it, it goes back to the front and nothing is
 * lost.
 *
 * A reader that blocks has done nothing yet: waking it makes it execute its call again. Each write and close
 * wakes one reader, which wakes the next on its own way out (channel_wake_next), so every step is bounded.
 */
#include "kernel/channel.h"

#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/user_page.h"

struct message {
    struct list link;
    struct channel_sizes sizes;
    struct handle_slot slots[CHANNEL_HANDLES]; /* each with a reference to its object */
    char bytes[CHANNEL_BYTES];
};
_Static_assert(sizeof(struct message) <= PAGE_SIZE, "a message is a page");

/* ---- creation and end ---- */

struct channel *channel_create(struct job *job) {
    struct channel *ends = object_create(OBJECT_CHANNEL, 2 * sizeof(*ends), job);
    if (!ends)
        return NULL;
    ends[1].object.type = OBJECT_CHANNEL;
    ends[1].object.references = 1;
    for (unsigned i = 0; i < 2; i++) {
        source_init(&ends[i].object);
        ends[i].first = ends;
        list_init(&ends[i].messages);
        list_init(&ends[i].waiters);
    }
    return ends;
}

/* No lock held. */
static void message_free(struct message *message) {
    for (unsigned i = 0; i < message->sizes.handles; i++)
        object_put(handle_slot_object(&message->slots[i]));
    user_page_put(page_from_phys(virt_to_phys(message)), 1);
}

bool channel_ready(struct channel *channel) {
    return channel->count || channel_peer(channel)->state != CHANNEL_OPEN;
}

/* Lets one waiter look again. The lock is held. */
static void reader_wake(struct channel *channel) {
    if (list_empty(&channel->waiters) || !channel_ready(channel))
        return;
    struct thread *thread = list_entry(channel->waiters.next, struct thread, wait_link);
    thread->native.rip -= 2;                       /* the SYSCALL instruction … */
    wait_end(thread, (int64_t)thread->native.rax); /* … and its number, still there */
}

void channel_wake_next(struct channel *channel) {
    spin_lock(channel_lock(channel));
    reader_wake(channel);
    spin_unlock(channel_lock(channel));
}

/* The first message, taken out of the queue; NULL when there is none. The lock is held. */
static struct message *message_pop(struct channel *channel) {
    if (!channel->count)
        return NULL;
    channel->count--;
    return list_entry(list_pop_front(&channel->messages), struct message, link);
}

static void channel_close(struct channel *channel) {
    struct channel *peer = channel_peer(channel);
    spin_lock(channel_lock(channel));
    channel->state = CHANNEL_CLOSED;
    binding_signal(&peer->binding, 1);
    reader_wake(peer);
    spin_unlock(channel_lock(channel));
    binding_clear(&channel->binding);
}

bool channel_reap_step(struct channel *channel) {
    if (channel->state == CHANNEL_OPEN)
        channel_close(channel);
    spin_lock(channel_lock(channel));
    struct message *message = message_pop(channel);
    bool last = !message && channel_peer(channel)->state == CHANNEL_GONE;
    if (!message)
        channel->state = CHANNEL_GONE;
    spin_unlock(channel_lock(channel));
    if (message)
        message_free(message);
    else if (last)
        object_free(&channel->first->object, 2 * sizeof(*channel));
    return !message;
}

/* ---- writing ---- */

/* Queues a message at the other end, with the handles: both or neither. */
static int message_send(struct channel *channel, struct message *message, const handle_t *handles,
                        struct channel_sizes sizes) {
    struct channel *peer = channel_peer(channel);
    int result;

    spin_lock(channel_lock(channel));
    if (peer->state != CHANNEL_OPEN)
        result = -EPIPE;
    else if (peer->count >= CHANNEL_QUEUE)
        result = -EAGAIN;
    else
        result = handle_take(&thread_current()->process->handles, handles, sizes.handles, message->slots,
                             channel->first);
    if (!result) {
        message->sizes = sizes;
        list_push_back(&peer->messages, &message->link);
        peer->count++;
        binding_signal(&peer->binding, 1);
        reader_wake(peer);
    }
    spin_unlock(channel_lock(channel));
    return result;
}

int64_t channel_write(struct channel *channel, uint64_t bytes, uint64_t length, uint64_t handles,
                      uint64_t count) {
    handle_t sent[CHANNEL_HANDLES];

    if (length > CHANNEL_BYTES || count > CHANNEL_HANDLES)
        return -EINVAL;
    struct page *page = user_page_alloc(thread_current()->process->object.job);
    if (!page)
        return -ENOMEM;
    struct message *message = page_virt(page);
    message->sizes.handles = 0;
    int result = -EFAULT;
    if (!user_copy_in(message->bytes, bytes, length) &&
        !user_copy_in(sent, handles, count * sizeof(handle_t)))
        result =
            message_send(channel, message, sent, (struct channel_sizes){(uint32_t)length, (uint32_t)count});
    if (result)
        message_free(message);
    return result;
}

/* ---- reading ---- */

/* Takes the first message if it fits the room, which becomes its size either way. NULL with a result. */
static struct message *message_receive(struct channel *channel, struct channel_sizes *room, uint64_t deadline,
                                       int64_t *result) {
    struct message *message = NULL;

    spin_lock(channel_lock(channel));
    if (channel->count) {
        struct channel_sizes sizes = list_entry(channel->messages.next, struct message, link)->sizes;
        *result = -EMSGSIZE;
        if (sizes.bytes <= room->bytes && sizes.handles <= room->handles)
            message = message_pop(channel);
        *room = sizes;
    } else if (channel_ready(channel)) {
        *result = -EPIPE;
    } else if (deadline <= clock_now()) {
        *result = deadline ? -ETIMEDOUT : -EAGAIN;
    } else {
        *result = wait_begin(&channel->object, &channel->waiters, deadline);
    }
    spin_unlock(channel_lock(channel));
    return message;
}

/* Gives a message to the current process: all of it or, with an error, nothing. */
static int message_deliver(struct message *message, uint64_t bytes, uint64_t handles, uint64_t sizes) {
    struct handle_table *table = &thread_current()->process->handles;
    handle_t given[CHANNEL_HANDLES];
    unsigned count = message->sizes.handles;

    int error = handle_reserve(table, given, count);
    if (error)
        return error;
    if (user_copy_out(bytes, message->bytes, message->sizes.bytes) ||
        user_copy_out(handles, given, count * sizeof(handle_t)) ||
        user_copy_out(sizes, &message->sizes, sizeof(message->sizes)))
        error = -EFAULT;
    handle_settle(table, given, count, error ? NULL : message->slots);
    return error;
}

static void message_return(struct channel *channel, struct message *message) {
    spin_lock(channel_lock(channel));
    list_push_front(&channel->messages, &message->link);
    channel->count++;
    reader_wake(channel);
    spin_unlock(channel_lock(channel));
}

int64_t channel_read(struct channel *channel, uint64_t bytes, uint64_t handles, uint64_t sizes,
                     uint64_t deadline) {
    struct channel_sizes room;
    int64_t result;

    if (user_copy_in(&room, sizes, sizeof(room)))
        return -EFAULT;
    struct message *message = message_receive(channel, &room, deadline, &result);
    if (!message)
        return result == -EMSGSIZE && user_copy_out(sizes, &room, sizeof(room)) ? -EFAULT : result;
    result = message_deliver(message, bytes, handles, sizes);
    if (result) {
        message_return(channel, message);
        return result;
    }
    message->sizes.handles = 0; /* the table has their references now */
    message_free(message);
    return 0;
}
