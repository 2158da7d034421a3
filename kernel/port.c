/* See port.h. */
#include "kernel/port.h"

#include "kernel/arch_cpu.h"
#include "kernel/kmem.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "lib/base/string.h"

enum {
    BAD_CALLS_MOST = 8,
    CALLERS_SEEN = 32, /* how many queued callers are compared */
    CHAIN_MOST = 8,    /* servers that wait for each other */
};

struct port *port_create(struct job *job, uint64_t queue_length) {
    if (queue_length > PORT_QUEUE_MAX)
        return NULL;
    struct port *port = object_create(OBJECT_PORT, sizeof(*port), job);
    if (!port)
        return NULL;
    lock_init(&port->lock, LOCK_RANK_PORT);
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

static __attribute__((noinline)) void words_copy(struct frame *to, const struct frame *from) {
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
STACK_GUARD static int message_transfer(struct thread *from, uint64_t label, struct thread *to) {
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
        port->pending = true;
    }
    spin_unlock(&port->lock);
    return result;
}

__attribute__((noinline)) void source_init(struct object *object) {
    struct source *source = container_of(object, struct source, object);
    lock_init(&source->lock, LOCK_RANK_OBJECT);
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
    spin_lock_inline(&port->lock);
    binding->count += count;
    struct thread *receiver = waiter_first(&port->receivers);
    if (receiver) {
        packet_deliver(receiver, &(struct port_packet){.key = binding->key, .count = binding->count});
        binding->count = 0; /* who waits here found nothing signalled: it is in no list */
        wait_end(receiver, 0);
    } else if (list_empty(&binding->link)) {
        list_push_back(&port->signalled, &binding->link);
        port->pending = true;
    }
    spin_unlock(&port->lock);
}

void binding_clear_bound(struct binding *binding) {
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

void port_use_end(struct port_use *use) {
    struct port *port = use->port;
    if (port) {
        spin_lock(&port->lock);
        if (port->server && &port->server->serves == use)
            port->server = NULL;
        spin_unlock(&port->lock);
        object_put(&port->object);
    }
    *use = (struct port_use){.changes = HANDLE_CHANGED};
}

void port_use_note(struct port_use *use, struct port *port, uint64_t handle, uint32_t right) {
    struct thread *thread = thread_current();
    struct handle_table *table = &thread->process->handles;
    struct object *found;
    uint64_t changes = table->changes + port->object.epoch;

    if (use->port == port && use->handle == handle && use->changes == changes)
        return;
    object_get(&port->object);
    port_use_end(use);
    *use = (struct port_use){.port = port, .handle = handle, .changes = HANDLE_CHANGED};
    /* The handle was looked up before: whether it meant this port at these counts is not known. */
    if (!thread->hand_over || handle_lookup(table, handle, OBJECT_PORT, right, &found))
        return;
    if (found == &port->object)
        use->changes = changes;
    object_put(found);
}

/* The caller's message is with the server, which now owes it a reply. The lock is held. */
static __attribute__((noinline)) void call_assign(struct thread *caller, struct thread *server) {
    server->caller = caller;
    caller->server = server;
    sched_lend(server, caller);
}

/* The caller that is received next: the best level's, first come first served within it. Those far behind the
 * first are not looked at. The lock is held. */
static __attribute__((noinline)) struct thread *caller_next(struct port *port) {
    struct thread *best = NULL, *thread;
    unsigned seen = 0;
    list_for_each(thread, &port->callers, wait_link) {
        if (!best || thread->level < best->level)
            best = thread;
        if (++seen == CALLERS_SEEN)
            break;
    }
    return best;
}

/* The best caller that waits for a thread which serves the port, or did at last. The lock is held. */
static struct thread *port_lender(struct port *port, const struct thread *server) {
    struct thread *queued = caller_next(port), *caller = server->caller;
    return !queued || (caller && caller->level <= queued->level) ? caller : queued;
}

/* The server runs at the level of the best caller that waits for it. The lock is held. */
static void port_lend(struct port *port, struct thread *server) {
    if (server)
        sched_lend(server, port_lender(port, server));
}

void port_loan_used(struct thread *server) {
    struct port *port = server->serves.port;

    if (!port) /* it is ending: what it stores last may fault, and the fault let the timer in */
        return;
    spin_lock(&port->lock);
    struct thread *lender = port_lender(port, server);
    if (lender)
        lender->quantum_left = 0;
    sched_lend(server, NULL);
    spin_unlock(&port->lock);
}

/* The port in which a thread waits as a caller, referenced, or NULL. */
static struct port *port_called(struct thread *thread) {
    spin_lock(&thread->lock);
    struct port *port = thread->calls.port; /* which it does not change while it waits there */
    if (port && thread->wait_object == &port->object)
        object_get(&port->object);
    else
        port = NULL;
    spin_unlock(&thread->lock);
    return port;
}

/* Lends anew to a server, which gets a reference unless it is NULL. The lock is held. */
static struct thread *loan_renew(struct port *port, struct thread *server) {
    port_lend(port, server);
    if (server)
        object_get(&server->object);
    return server;
}

static struct thread *caller_server(const struct port *port, const struct thread *caller) {
    return caller->server ? caller->server : port->server;
}

/* A caller waits no more. The lock is held. */
static __attribute__((noinline)) void caller_leave(struct thread *caller) {
    if (caller->server)
        caller->server->caller = NULL;
    caller->server = NULL;
    list_remove(&caller->wait_link);
}

void port_loan_pass_on(struct thread *server) {
    for (unsigned left = CHAIN_MOST; server; left--) {
        struct thread *lender = server;
        struct port *port = left ? port_called(lender) : NULL;
        server = NULL;
        if (port) {
            spin_lock(&port->lock);
            if (lender->wait_object == &port->object)
                server = loan_renew(port, caller_server(port, lender));
            spin_unlock(&port->lock);
            object_put(&port->object);
        }
        object_put(&lender->object);
    }
}

int64_t port_call(struct port *port, const struct frame *frame) {
    struct thread *busy = NULL;
    struct thread *caller = thread_current();
    uint64_t deadline = frame->rbx ? frame->rbx : DEADLINE_NEVER;
    int64_t result = 0;

    port_use_note(&caller->calls, port, frame->rdi, RIGHT_SEND);
    if (caller->level == LEVEL_REALTIME)
        caller->quantum_left = sched_slice_left();
    spin_lock(&port->lock);
    struct thread *receiver = waiter_first(&port->receivers);
    if (receiver) {
        result = message_transfer(caller, frame->rsi, receiver);
        if (!result) {
            result = wait_begin(&port->object, &port->callers, deadline);
            list_remove(&caller->wait_link);
            call_assign(caller, receiver);
            wait_end(receiver, 0);
        }
    } else {
        result = wait_begin(&port->object, &port->callers, deadline);
        port->pending = true;
        busy = loan_renew(port, port->server);
    }
    spin_unlock(&port->lock);
    port_loan_pass_on(busy);
    return result;
}

/* Ends the call that the thread serves, with a result or, when that is 0, a reply of the thread's words. */
static void port_reply(struct thread *server, int64_t result) {
    struct port *port = server->serves.port;

    if (!server->caller)
        return;
    spin_lock(&port->lock);
    struct thread *caller = server->caller;
    if (caller) {
        if (!result)
            result = message_transfer(server, server->native.rbx, caller);
        struct thread *lender = port_lender(port, server); /* on whose budget it ran, if that has one */
        if (lender->level == LEVEL_REALTIME && !server->period)
            lender->quantum_left = server->level == LEVEL_REALTIME ? sched_slice_left() : 0;
        caller_leave(caller);
        sched_lend(server, NULL);
        port_lend(port, server);
        wait_end(caller, result);
    }
    spin_unlock(&port->lock);
}

/* Takes the first queued call for the current thread; false when there is none that can be taken, among the
 * first few. The lock is held. */
static bool call_receive(struct port *port, struct thread *server) {
    struct thread *caller;
    for (unsigned i = 0; i < BAD_CALLS_MOST && (caller = caller_next(port)); i++) {
        int error = message_transfer(caller, caller->native.rsi, server);
        if (error) {
            wait_end(caller, error);
            continue;
        }
        list_remove(&caller->wait_link);
        call_assign(caller, server);
        return true;
    }
    return false;
}

/* Nothing is there. The lock is held. */
static int64_t port_await(struct port *port, uint64_t deadline) {
    port->pending = false;
    return wait_begin(&port->object, &port->receivers, deadline);
}

int64_t port_receive(struct port *port, const struct frame *frame) {
    struct thread *server = thread_current();
    uint64_t deadline = frame->rsi;
    int64_t result = 0;

    if (frame->rbx & IPC_REPLY)
        port_reply(server, 0);
    else if (server->caller)
        return -EBUSY;
    port_use_note(&server->serves, port, frame->rdi, RIGHT_RECV);
    spin_lock(&port->lock);
    port->server = server;
    if (packet_receive(port, server) || call_receive(port, server))
        result = 0;
    else if (!list_empty(&port->callers))
        result = RESTART;
    else if (deadline != DEADLINE_NEVER && deadline <= clock_now())
        result = deadline ? -ETIMEDOUT : -EAGAIN;
    else
        result = port_await(port, deadline);
    port_lend(port, server);
    spin_unlock(&port->lock);
    return result;
}

struct thread *port_wait_cancelled(struct thread *thread) {
    struct port *port = container_of(thread->wait_object, struct port, object);
    struct thread *server = caller_server(port, thread);

    caller_leave(thread);
    return loan_renew(port, server);
}

void port_server_ended(struct thread *thread) {
    port_reply(thread, -ECANCELED);
    port_use_end(&thread->calls);
    port_use_end(&thread->serves);
}
