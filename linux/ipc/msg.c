/* msgget, msgsnd, msgrcv. Messages are copied from and to programs without the family's lock. */
#include "linux/ipc/msg.h"

#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/ipc/msg_queue.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/signal.h"

struct msg_limits msg_limits = {.msgmax = MSGMAX, .msgmnb = MSGMNB, .msgmni = MSGMNI};

/* ---- msgget ---- */

static int64_t queue_create(int32_t key, uint32_t flags) {
    if (msg_queues.used >= msg_limits.msgmni)
        return -ENOSPC;
    struct msg_queue *queue = heap_zalloc(sizeof(*queue));
    if (!queue)
        return -ENOMEM;
    int64_t id = ipc_add(&msg_queues, &queue->object, key, flags);
    if (id < 0) {
        heap_free(queue);
        return id;
    }
    queue->bytes_most = msg_limits.msgmnb;
    list_init(&queue->messages);
    list_init(&queue->senders);
    list_init(&queue->receivers);
    return id;
}

int64_t sys_msgget(uint64_t key_word, uint64_t flags_word) {
    int32_t key = (int32_t)key_word;
    uint32_t flags = (uint32_t)flags_word;
    struct ipc_object *found;
    mutex_lock(&msg_queues.lock);
    int64_t result = ipc_find(&msg_queues, key, flags, &found);
    if (!result && !found)
        result = queue_create(key, flags);
    else if (!result)
        result = ipc_permitted(found, flags) ? found->id : -EACCES;
    mutex_unlock(&msg_queues.lock);
    return result;
}

/* A message with the bytes behind the type of the program's structure. */
static int64_t message_load(uint64_t from, int64_t type, uint64_t size, struct message **made) {
    struct message *message = heap_alloc(sizeof(*message) + size);
    if (!message)
        return -ENOMEM;
    if (guest_copy_in(message->bytes, from + sizeof(type), size)) {
        heap_free(message);
        return -EFAULT;
    }
    list_init(&message->link);
    message->type = type;
    message->size = size;
    *made = message;
    return 0;
}

/* ---- what is done at a queue ---- */

/* -EAGAIN: there is no room for its message. */
static int64_t give(struct msg_queue *queue, struct msg_sender *sender) {
    if (!msg_fits(queue, sender->message->size))
        return -EAGAIN;
    msg_put(queue, sender);
    return 0;
}

/* Into a message that the caller has made for it. */
static int64_t message_copy(struct message *to, const struct message *from) {
    if (from->size > to->size)
        return -EINVAL;
    to->type = from->type;
    to->size = from->size;
    memcpy(to->bytes, from->bytes, from->size);
    return 0;
}

/* The message goes to receiver->message; -ENOMSG: there is none. */
static int64_t take(struct msg_queue *queue, struct msg_receiver *receiver) {
    struct message *message = msg_find(queue, receiver);
    if (!message)
        return -ENOMSG;
    if (message->size > receiver->size_most)
        return -E2BIG;
    if (receiver->choice == MSG_NUMBER)
        return message_copy(receiver->message, message);
    msg_take(queue, message, receiver->process);
    receiver->message = message;
    return 0;
}

/* Gives the sender's message, or takes one for the receiver: one of them is NULL. Waits until that can be
 * done, unless the flags forbid it. Family locked. */
static int64_t exchange(int32_t id, uint32_t flags, struct msg_sender *sender,
                        struct msg_receiver *receiver) {
    struct ipc_waiter *waiter = sender ? &sender->waiter : &receiver->waiter;
    int64_t result = -EINVAL; /* when the id is not known */
    do {
        struct msg_queue *queue = msg_queue_of(ipc_by_id(&msg_queues, id));
        if (!queue)
            return result == MSG_ASK_AGAIN ? -EIDRM : result;
        if (!ipc_permitted(&queue->object, sender ? IPC_WRITE : IPC_READ))
            return -EACCES;
        result = sender ? give(queue, sender) : take(queue, receiver);
        if ((result != -EAGAIN && result != -ENOMSG) || (flags & IPC_NOWAIT))
            return result;
        ipc_waiter_add(sender ? &queue->senders : &queue->receivers, waiter);
        result = ipc_wait(&msg_queues.lock, waiter, DEADLINE_NEVER);
        if (!result)
            result = waiter->result;
    } while (result == MSG_ASK_AGAIN);
    return result == -EINTR ? -ERESTARTNOHAND : result;
}

/* ---- msgsnd ---- */

int64_t sys_msgsnd(uint64_t id_word, uint64_t from, uint64_t size, uint64_t flags) {
    struct msg_sender sender = {.process = ipc_caller()};
    int32_t id = (int32_t)id_word;
    int64_t type;
    if (guest_copy_in(&type, from, sizeof(type)))
        return -EFAULT;
    if (size > msg_limits.msgmax || id < 0 || type < 1)
        return -EINVAL;
    int64_t result = message_load(from, type, size, &sender.message);
    if (result)
        return result;
    mutex_lock(&msg_queues.lock);
    result = exchange(id, (uint32_t)flags, &sender, NULL);
    mutex_unlock(&msg_queues.lock);
    if (result)
        heap_free(sender.message);
    return result;
}

/* ---- msgrcv ---- */

static void choose(struct msg_receiver *receiver, int64_t type, uint32_t flags) {
    receiver->type = type < 0 ? (type == INT64_MIN ? INT64_MAX : -type) : type;
    receiver->choice = !type ? MSG_ANY : type < 0 ? MSG_LOWEST : flags & MSG_EXCEPT ? MSG_OTHERS : MSG_EQUAL;
    if (flags & MSG_COPY) {
        receiver->type = type;
        receiver->choice = MSG_NUMBER;
    }
}

static int64_t message_store(uint64_t to, uint64_t size, const struct message *message) {
    if (size > message->size)
        size = message->size;
    if (guest_copy_out(to, &message->type, sizeof(message->type)) ||
        guest_copy_out(to + sizeof(message->type), message->bytes, size))
        return -EFAULT;
    return (int64_t)size;
}

int64_t sys_msgrcv(uint64_t id_word, uint64_t to, uint64_t size, uint64_t type, uint64_t flags_word) {
    uint32_t flags = (uint32_t)flags_word;
    int32_t id = (int32_t)id_word;
    struct msg_receiver receiver = {.process = ipc_caller(),
                                    .size_most = flags & MSG_NOERROR ? UINT64_MAX : size};
    int64_t result = 0;
    if (id < 0 || size > INT64_MAX)
        return -EINVAL;
    if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
        return -EINVAL;
    if (flags & MSG_COPY) /* loads what will be overwritten, as Linux does */
        result = message_load(to, 0, size < msg_limits.msgmax ? size : msg_limits.msgmax, &receiver.message);
    if (result)
        return result;
    choose(&receiver, (int64_t)type, flags);
    mutex_lock(&msg_queues.lock);
    result = exchange(id, flags, NULL, &receiver);
    mutex_unlock(&msg_queues.lock);
    if (!result)
        result = message_store(to, size, receiver.message);
    heap_free(receiver.message);
    return result;
}
