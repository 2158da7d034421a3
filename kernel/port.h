/*
 * Ports: the rendezvous of synchronous calls and the queue of packets, so that a server has one place to
 * wait. A call hands eight words, handles and bytes straight from the caller's frame and UTCB to the
 * receiver's. Objects bound to a port (events, timers, interrupts, processes) queue their own packet,
 * embedded in them, so signalling never allocates.
 */
#pragma once

#include "kernel/lock.h"
#include "kernel/object.h"
#include "lib/base/list.h"

struct frame;
struct port;
struct port_use;
struct thread;

enum { PORT_QUEUE_MAX = 64 };

struct binding {
    struct port *port; /* referenced; NULL: not bound. The owner's lock */
    uint64_t key;
    uint64_t count;   /* signals, or a process's status, since last delivered; the port's lock */
    struct list link; /* struct port.signalled; the port's lock */
};

/* What every object begins with that can be bound to a port: process, channel end, event, timer, interrupt.
 */
struct source {
    struct object object;
    struct spinlock lock; /* rank OBJECT */
    struct binding binding;
};
#define SOURCE_CHECK(type_name)                                                                              \
    _Static_assert(offsetof(struct type_name, lock) == offsetof(struct source, lock) &&                      \
                       offsetof(struct type_name, binding) == offsetof(struct source, binding),              \
                   "begins as a source")

struct port {
    struct object object;
    struct spinlock lock;        /* rank PORT: guards all below */
    struct list receivers;       /* threads blocked in port_receive */
    struct list callers;         /* threads blocked in port_call, not yet received */
    struct thread *server;       /* that received here last and has not received elsewhere since; or NULL */
    struct list signalled;       /* bindings with something to deliver */
    struct port_packet *packets; /* ring of sent packets */
    uint32_t capacity, first, count;
    bool pending; /* callers, signals or packets may be there */
};
_Static_assert(offsetof(struct port, lock) == offsetof(struct source, lock), "wait.c finds the lock there");

struct port *port_create(struct job *job, uint64_t queue_length);
void port_destroy(struct port *port);

/* Sets up what begins a new, zeroed object of these types. */
void source_init(struct object *object);
/* Binds to a port, or with NULL unbinds; the owner's lock is held. Returns the port that was bound, for the
 * caller to put. */
struct port *binding_set(struct binding *binding, struct port *port, uint64_t key);
/* Adds to the count and queues the packet. The owner's lock is held. */
void binding_signal(struct binding *binding, uint64_t count);
/* Unbinds at destruction; no lock held. */
void binding_clear_bound(struct binding *binding);
static inline void binding_clear(struct binding *binding) {
    if (binding->port)
        binding_clear_bound(binding);
}

/* The calls; the current thread's frame holds the arguments (abi/ipc.h). */
int64_t port_call(struct port *port, const struct frame *frame);
int64_t port_receive(struct port *port, const struct frame *frame);
int64_t port_send(struct port *port, const struct port_packet *packet);

/* Notes the port of the current call, by its handle with that right, for the fast paths, and holds it. No
 * lock held. */
void port_use_note(struct port_use *use, struct port *port, uint64_t handle, uint32_t right);
/* Lets go of the port. */
void port_use_end(struct port_use *use);

/* A caller gives up (time-out, kill): the port's lock is held. The server that may have lost what it was
 * lent, with a reference for port_loan_pass_on, or NULL. */
struct thread *port_wait_cancelled(struct thread *thread);
/* Once what a server is lent has changed: where it waits in a call itself, that goes on to the server of that
 * call, and so on along the chain. Takes over a reference to the server. No lock may be held. */
void port_loan_pass_on(struct thread *server);
/* The current thread, lent level 0, has used its lender's budget: it goes on at its own level. No lock may be
 * held. */
void port_loan_used(struct thread *server);
/* The thread ends: whoever waits for its reply gets -ECANCELED. */
void port_server_ended(struct thread *thread);
