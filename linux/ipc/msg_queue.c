/* Message queues: putting in, finding, taking out (msg_queue.h). */
#include "linux/ipc/msg_queue.h"

#include "linux/heap.h"
#include "linux/platform.h"

struct ipc_family msg_queues = IPC_FAMILY_INIT(msg_queues, IPC_INDICES);
uint64_t msg_count_all, msg_bytes_all;

bool msg_fits(const struct msg_queue *queue, uint64_t size) {
    return size + queue->bytes <= queue->bytes_most && queue->count < queue->bytes_most;
}

/* ---- sending ---- */

static bool wants(const struct msg_receiver *receiver, const struct message *message) {
    switch (receiver->choice) {
    case MSG_EQUAL:
        return message->type == receiver->type;
    case MSG_OTHERS:
        return message->type != receiver->type;
    case MSG_LOWEST:
        return message->type <= receiver->type;
    default:
        return true;
    }
}

/* To the first receiver that waits for it; one for whom it is too long hears of that. */
static bool hand_over(struct msg_queue *queue, struct message *message) {
    struct msg_receiver *receiver, *after;
    list_for_each_safe(receiver, after, &queue->receivers, waiter.link) {
        if (!wants(receiver, message))
            continue;
        if (receiver->size_most < message->size) {
            ipc_finish(&receiver->waiter, -E2BIG);
            continue;
        }
        receiver->message = message;
        queue->receiver = receiver->process;
        queue->receive_time = ipc_now();
        ipc_finish(&receiver->waiter, 0);
        return true;
    }
    return false;
}

void msg_put(struct msg_queue *queue, struct msg_sender *sender) {
    struct message *message = sender->message;
    queue->sender = sender->process;
    queue->send_time = ipc_now();
    if (hand_over(queue, message))
        return;
    list_push_back(&queue->messages, &message->link);
    queue->bytes += message->size;
    queue->count++;
    msg_bytes_all += message->size;
    msg_count_all++;
}

/* ---- receiving ---- */

struct message *msg_find(const struct msg_queue *queue, const struct msg_receiver *receiver) {
    struct message *message, *found = NULL;
    int64_t number = 0;
    list_for_each(message, &queue->messages, link) {
        if (receiver->choice == MSG_NUMBER && number++ != receiver->type)
            continue;
        if (!wants(receiver, message) || (found && message->type >= found->type))
            continue;
        found = message;
        if (receiver->choice != MSG_LOWEST || found->type == 1)
            break;
    }
    return found;
}

static void removed(struct msg_queue *queue, struct message *message) {
    list_remove(&message->link);
    queue->bytes -= message->size;
    queue->count--;
    msg_bytes_all -= message->size;
    msg_count_all--;
}

void msg_take(struct msg_queue *queue, struct message *message, int32_t process) {
    struct msg_sender *sender, *after;
    removed(queue, message);
    queue->receiver = process;
    queue->receive_time = ipc_now();
    list_for_each_safe(sender, after, &queue->senders, waiter.link) {
        if (!msg_fits(queue, sender->message->size))
            continue;
        msg_put(queue, sender);
        ipc_finish(&sender->waiter, 0);
    }
}

/* ---- the end ---- */

static void list_end(struct list *waiting, int64_t result) {
    while (!list_empty(waiting))
        ipc_finish(list_entry(waiting->next, struct ipc_waiter, link), result);
}

void msg_waits_end(struct msg_queue *queue, int64_t result) {
    list_end(&queue->receivers, result);
    list_end(&queue->senders, result);
}

void msg_queue_free(struct msg_queue *queue) {
    msg_waits_end(queue, -EIDRM);
    while (!list_empty(&queue->messages)) {
        struct message *message = list_entry(queue->messages.next, struct message, link);
        removed(queue, message);
        heap_free(message);
    }
    heap_free(queue);
}
