/* See port.h. */
#include "kernel/port.h"

#include "kernel/kmem.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "lib/base/string.h"

enum { BAD_CALLS_MOST = 16 };

struct port *port_create(struct job *job, uint64_t queue_length) {
    if (queue_length > PORT_QUEUE_MAX)
        return NULL;
    struct port *port = object_create(OBJECT_PORT, sizeof(*port), job);
    if (!port)
        return NULL;
    port->lock = (struct spinlock)SPINLOCK(LOCK_RANK_PORT);
    list_init(&port->receivers);
    list_init(&port->callers);
    list_init(&port->signalled);
    if (queue_length) {
        port->packets = kmem_alloc(queue_length * sizeof(struct port_packet));
        if (!port->packets) {
            object_put(&port->object);
            return NULL;
        }
        port->capacity = (uint32_t)queue_length;
    }
    return port;
}

/* Nothing waits here any more: waiting threads and bindings hold references. */
void port_destroy(struct port *port) {
    if (port->packets)
        kmem_free(port->packets, port->capacity * sizeof(struct port_packet));
    object_free(&port->object, sizeof(*port));
}

/* ---- messages ---- */

static void words_copy(struct frame *to, const struct frame *from) {
    to->rdx = from->rdx;
    to->r10 = from->r10;
    to->r8 = from->r8;
    to->r9 = from->r9;
    to->r12 = from->r12;
    to->r13 = from->r13;
    to->r14 = from->r14;
    to->r15 = from->r15;
}

/* Moves a message from one thread to another: handles (all or none), bytes, words. The receiver is not
 * running, or is current. */
static int message_transfer(struct thread *from, uint64_t label, struct thread *to) {
    unsigned handles = IPC_LABEL_HANDLES(label);
    unsigned bytes = IPC_LABEL_BYTES(label);

    if (handles > IPC_HANDLES || bytes > IPC_BYTES)
        return -EINVAL;
    if (handles) {
        handle_t sent[IPC_HANDLES], moved[IPC_HANDLES];
        memcpy(sent, from->utcb->handles, sizeof(sent));
        int error = handle_move(&from->process->handles, sent, handles, &to->process->handles, moved);
        if (error)
            return error;
        memcpy(to->utcb->handles, moved, handles * sizeof(handle_t));
    }
    if (bytes)
        memcpy(to->utcb_message, from->utcb_message, bytes);
    to->native.rsi = label & IPC_LABEL_MASK;
    words_copy(&to->native, &from->native);
    return 0;
}

static void packet_deliver(struct thread *to, const struct port_packet *packet) {
    to->native.rsi = IPC_PACKET;
    to->native.rdx = packet->key;
    to->native.r10 = packet->count;
    to->native.r8 = packet->words[0];
    to->native.r9 = packet->words[1];
}

static struct thread *waiter_first(struct list *waiters) {
    return list_empty(waiters) ? NULL : list_entry(waiters->next, struct thread, wait_link);
}

/* ---- packets ---- */

int64_t port_send(struct port *port, const struct port_packet *packet) {
    int64_t result = 0;

    spin_lock(&port->lock);
    struct thread *receiver = waiter_first(&port->receivers);
    if (receiver) {
        packet_deliver(receiver, packet);
        wait_end(receiver, 0);
    } else if (port->count == port->capacity) {
        result = -EAGAIN;
    } else {
        port->packets[(port->first + port->count++) % port->capacity] = *packet;
    }
    spin_unlock(&port->lock);
    return result;
}

void source_init(struct object *object) {
    struct source *source = container_of(object, struct source, object);
    source->lock.rank = LOCK_RANK_OBJECT;
    list_init(&source->binding.link);
}

struct port *binding_set(struct binding *binding, struct port *port, uint64_t key) {
    struct port *before = binding->port;
    if (before) {
        spin_lock(&before->lock);
        list_remove(&binding->link);
        spin_unlock(&before->lock);
    }
    if (port)
        object_get(&port->object);
    binding->port = port;
    binding->key = key;
    return before;
}

void binding_signal(struct binding *binding, uint64_t count) {
    struct port *port = binding->port;
    if (!port)
        return;
    spin_lock(&port->lock);
    binding->count += count;
    struct thread *receiver = waiter_first(&port->receivers);
    if (receiver) {
        packet_deliver(receiver, &(struct port_packet){.key = binding->key, .count = binding->count});
        binding->count = 0;
        list_remove(&binding->link);
        wait_end(receiver, 0);
    } else if (list_empty(&binding->link)) {
        list_push_back(&port->signalled, &binding->link);
    }
    spin_unlock(&port->lock);
}

void binding_clear(struct binding *binding) {
    struct port *port = binding_set(binding, NULL, 0);
    if (port)
        object_put(&port->object);
}

/* Takes a waiting packet for the current thread, if there is one. The lock is held. */
static bool packet_receive(struct port *port, struct thread *thread) {
    if (!list_empty(&port->signalled)) {
        struct binding *binding = list_entry(list_pop_front(&port->signalled), struct binding, link);
        packet_deliver(thread, &(struct port_packet){.key = binding->key, .count = binding->count});
        binding->count = 0;
        return true;
    }
    if (!port->count)
        return false;
    packet_deliver(thread, &port->packets[port->first]);
    port->first = (port->first + 1) % port->capacity;
    port->count--;
    return true;
}

/* ---- calls ---- */

/* The caller's message is with the server, which now owes it a reply. The lock is held. */
static void call_assign(struct port *port, struct thread *caller, struct thread *server) {
    object_get(&caller->object);
    object_get(&port->object);
    server->caller = caller;
    server->caller_port = port;
    caller->server = server;
}

int64_t port_call(struct port *port, struct frame *frame) {
    struct thread *caller = thread_current();
    uint64_t deadline = frame->rbx ? frame->rbx : DEADLINE_NEVER;
    int64_t result = 0;

    spin_lock(&port->lock);
    struct thread *receiver = waiter_first(&port->receivers);
    if (receiver) {
        result = message_transfer(caller, frame->rsi, receiver);
        if (!result) {
            result = wait_begin(&port->object, &port->callers, deadline);
            list_remove(&caller->wait_link);
            call_assign(port, caller, receiver);
            wait_end(receiver, 0);
        }
    } else {
        result = wait_begin(&port->object, &port->callers, deadline);
    }
    spin_unlock(&port->lock);
    return result;
}

/* Sends the current thread's words to the caller it serves. */
static int64_t port_reply(struct thread *server) {
    struct thread *caller = server->caller;
    struct port *port = server->caller_port;
    int64_t result = -ESRCH;

    if (!caller)
        return result;
    spin_lock(&port->lock);
    if (caller->server == server && caller->state == THREAD_BLOCKED) {
        result = message_transfer(server, server->native.rbx, caller);
        caller->server = NULL;
        wait_end(caller, result);
    }
    spin_unlock(&port->lock);
    server->caller = NULL;
    server->caller_port = NULL;
    object_put(&caller->object);
    object_put(&port->object);
    return result;
}

/* Takes the first queued call for the current thread; false when there is none that can be taken, among the
 * first few. The lock is held. */
static bool call_receive(struct port *port, struct thread *server) {
    struct thread *caller;
    for (unsigned i = 0; i < BAD_CALLS_MOST && (caller = waiter_first(&port->callers)); i++) {
        int error = message_transfer(caller, caller->native.rsi, server);
        if (error) {
            wait_end(caller, error);
            continue;
        }
        list_remove(&caller->wait_link);
        call_assign(port, caller, server);
        return true;
    }
    return false;
}

int64_t port_receive(struct port *port, struct frame *frame) {
    struct thread *server = thread_current();
    uint64_t deadline = frame->rsi;
    int64_t result = 0;

    if (frame->rbx & IPC_REPLY)
        port_reply(server);
    else if (server->caller)
        return -EBUSY;
    spin_lock(&port->lock);
    if (packet_receive(port, server) || call_receive(port, server))
        result = 0;
    else if (!list_empty(&port->callers))
        result = RESTART;
    else if (deadline != DEADLINE_NEVER && deadline <= clock_now())
        result = deadline ? -ETIMEDOUT : -EAGAIN;
    else
        result = wait_begin(&port->object, &port->receivers, deadline);
    spin_unlock(&port->lock);
    return result;
}

void port_wait_cancelled(struct thread *thread) {
    thread->server = NULL;
}

void port_server_ended(struct thread *thread) {
    struct thread *caller = thread->caller;
    struct port *port = thread->caller_port;
    if (!caller)
        return;
    spin_lock(&port->lock);
    if (caller->server == thread && caller->state == THREAD_BLOCKED) {
        caller->server = NULL;
        wait_end(caller, -ECANCELED);
    }
    spin_unlock(&port->lock);
    thread->caller = NULL;
    thread->caller_port = NULL;
    object_put(&caller->object);
    object_put(&port->object);
}
