/* POSIX message queues: sending, receiving, telling (mqueue.h). */
#include "linux/ipc/mqueue.h"

#include "linux/abi/sched.h"
#include "linux/heap.h"
#include "linux/net/netlink.h"
#include "linux/platform.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"

enum { ARRIVAL_BITS = 48, REALTIME_RANKS = 100, NICE_RANKS = 120 };

/* ---- who goes first ---- */

static int32_t rank_of(const struct task *task) {
    bool realtime = task->policy == SCHED_FIFO || task->policy == SCHED_RR;
    return realtime ? REALTIME_RANKS - (int32_t)task->rt_priority : NICE_RANKS + task->nice;
}

static void waiter_enter(struct list *waiting, struct mq_waiter *waiter) {
    struct list *at = waiting;
    waiter->rank = rank_of(task_current());
    while (at->prev != waiting && list_entry(at->prev, struct mq_waiter, waiter.link)->rank > waiter->rank)
        at = at->prev;
    ipc_waiter_add(at, &waiter->waiter); /* before it */
}

static struct mq_waiter *waiter_first(struct list *waiting) {
    return list_empty(waiting) ? NULL : list_entry(waiting->next, struct mq_waiter, waiter.link);
}

static int64_t wait_in(struct mqueue *queue, struct list *waiting, struct mq_waiter *waiter,
                       uint64_t deadline) {
    waiter_enter(waiting, waiter);
    int64_t error = ipc_wait(&queue->lock, &waiter->waiter, deadline);
    return error == -EINTR ? -ERESTARTSYS : error;
}

/* ---- notifications: what is to be said once the lock is free ---- */

static struct mq_registration registration_take(struct mqueue *queue) {
    struct mq_registration taken = queue->registration;
    queue->registration = (struct mq_registration){0};
    return taken;
}

static void signal_give(const struct mq_registration *registration) {
    const struct task *task = task_current();
    struct signal_info info = {.signo = registration->signo,
                               .code = SI_MESGQ,
                               .value = registration->value,
                               .pid = task->process->pid,
                               .uid = (int32_t)task->credentials.uid};
    if (!info.signo)
        return;
    mutex_lock(&tasks_lock);
    if (!registration->process->zombie)
        signal_send_process_locked(registration->process, &info);
    mutex_unlock(&tasks_lock);
}

static void registration_end(const struct mq_registration *registration, uint8_t cookie) {
    if (!registration->process)
        return;
    if (registration->note)
        netlink_note_send(registration->note, cookie);
    else if (cookie == NOTIFY_WOKENUP && registration->notify == SIGEV_SIGNAL)
        signal_give(registration);
    process_put(registration->process);
}

int64_t mqueue_register(struct mqueue *queue, const struct mq_registration *registration) {
    mutex_lock(&queue->lock);
    int64_t result = queue->registration.process ? -EBUSY : 0;
    if (!result)
        queue->registration = *registration;
    mutex_unlock(&queue->lock);
    return result;
}

void mqueue_unregister(struct mqueue *queue, const struct process *process) {
    struct mq_registration taken = {0};
    mutex_lock(&queue->lock);
    if (queue->registration.process == process)
        taken = registration_take(queue);
    mutex_unlock(&queue->lock);
    registration_end(&taken, NOTIFY_REMOVED);
}

/* ---- sending ---- */

static void message_enter(struct mqueue *queue, struct mq_message *message) {
    uint64_t order = MQ_PRIO_MAX - 1 - message->priority;
    tree_insert(&queue->messages, &message->node, order << ARRIVAL_BITS | queue->arrivals++);
    queue->count++;
    queue->bytes += message->size;
}

int64_t mqueue_send(struct mqueue *queue, struct mq_message *message, bool wait, uint64_t deadline) {
    struct mq_registration told = {0};
    int64_t result = 0;
    mutex_lock(&queue->lock);
    struct mq_waiter *receiver = waiter_first(&queue->receivers);
    if (queue->count == queue->messages_most) {
        struct mq_waiter waiter = {.message = message};
        result = wait ? wait_in(queue, &queue->senders, &waiter, deadline) : -EAGAIN;
    } else if (receiver) {
        receiver->message = message;
        ipc_finish(&receiver->waiter, 0);
    } else {
        message_enter(queue, message);
        if (queue->count == 1)
            told = registration_take(queue);
    }
    mutex_unlock(&queue->lock);
    registration_end(&told, NOTIFY_WOKENUP);
    if (!result)
        waitq_wake_all(&queue->watchers);
    return result;
}

/* ---- receiving ---- */

static struct mq_message *message_leave(struct mqueue *queue) {
    struct mq_message *message = container_of(tree_first(&queue->messages), struct mq_message, node);
    tree_remove(&queue->messages, &message->node);
    queue->count--;
    queue->bytes -= message->size;
    return message;
}

int64_t mqueue_receive(struct mqueue *queue, bool wait, uint64_t deadline, struct mq_message **message) {
    struct mq_waiter waiter = {0};
    int64_t result = 0;
    mutex_lock(&queue->lock);
    if (queue->count) {
        waiter.message = message_leave(queue);
        struct mq_waiter *sender = waiter_first(&queue->senders);
        if (sender) {
            message_enter(queue, sender->message);
            ipc_finish(&sender->waiter, 0);
        }
    } else {
        result = wait ? wait_in(queue, &queue->receivers, &waiter, deadline) : -EAGAIN;
    }
    mutex_unlock(&queue->lock);
    *message = waiter.message;
    if (!result)
        waitq_wake_all(&queue->watchers);
    return result;
}

void mqueue_free(struct mqueue *queue) {
    struct mq_registration left = registration_take(queue);
    registration_end(&left, NOTIFY_REMOVED);
    while (queue->count)
        heap_free(message_leave(queue));
    heap_free(queue);
}
