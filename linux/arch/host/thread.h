/*
 * Native threads on the host, in one of two ways:
 *
 *   POSIX threads   (default) each native thread is one; time is the host's
 *   simulation      (after host_simulate) all are fibers of one POSIX thread that change at waits and guest
 * entries only, and time jumps to the next deadline when nobody can run: the same input gives the same run
 *
 * What runs "in guest mode" is a C function on a fiber of its own, which makes calls through
 * tests/host/guest/guest.h.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/utcb.h"
#include "lib/base/list.h"
#include "linux/arch/host/fiber.h"
#include "tests/host/kernel.h"

struct task;

/* A guest program: the process ends with the status it returns. */
typedef int (*guest_program)(void *argument);

struct host_thread {
    struct host_object object;
    handle_t handle;
    struct task *task; /* what task_current() returns */
    struct utcb *utcb;
    struct host_space *space; /* attached */
    struct list link;         /* of all threads */
    struct list pool_link;

    /* Waiting (host_lock). */
    bool kicked, kick_kept, parked, timed_out, waits_for_idle;
    bool for_lock; /* parked by thread_park_inside */
    uint64_t deadline;
    pthread_cond_t wake;
    struct fiber fiber;

    /* Work handed over. */
    bool assigned;
    struct task *next_task;
    void (*run)(void *argument);
    void *argument;

    /* The guest. */
    struct fiber guest;
    guest_program program, child_program; /* what it runs; what the next child it makes will run */
    void *program_argument, *child_argument;
    bool guest_started;
    enum guest_exit exit; /* why it left */
    uint64_t fs_base, gs_base;
    uint8_t vector_image[576];
};

struct host_thread *host_thread_self(void); /* makes one for a thread that is none yet */

/* From now on: simulation. Called first, by the thread that will drive it. */
void host_simulate(void);
bool host_simulated(void);
/* The driver lets all other threads run until each of them waits for something that will not come within a
 * minute of simulated time, or until `most` switches were made (false). */
bool host_run(uint64_t most);
/* Who of several runs next is chosen by this number; an odd one also interrupts calls at allocations and
 * guest copies. */
void host_seed(uint64_t seed);

/* Lets another runnable thread of the simulation run first. */
void host_yield(void);
void host_preempt(void);

/* How guest_run runs a program; in tests/host/guest/guest.c. Returns when the guest left. */
enum guest_exit host_guest_run(struct host_thread *thread, uint64_t flags);

/* Simulated time: now, to be set only forwards. */
void host_clock_set(uint64_t now);
