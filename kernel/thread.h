/*
 * Threads: saved registers, scheduling state, what they wait for, and the guest they run. A thread that waits
 * keeps nothing on a stack: the call it made has done its part, and whoever wakes it stores the result in its
 * frame.
 *
 * A live thread holds one reference to itself, dropped when it has ended and left its CPU.
 */
#pragma once

#include "abi/ipc.h"
#include "abi/utcb.h"
#include "frame.h"
#include "kernel/alarm.h"
#include "kernel/cpu.h"
#include "kernel/object.h"

struct port;
struct process;
struct space;
struct vmo;

/* The port that a thread called or received at last, and the handle that it used: as long as the handle
 * cannot have changed its meaning, the fast paths of IPC need not look it up again
 * (kernel/arch/x86_64/ipc.S). The thread's own. */
struct port_use {
    struct port *port; /* referenced; NULL: none yet */
    uint64_t handle;   /* as given by user space */
    uint64_t changes;  /* struct handle_table.changes + the port's epoch when it was looked up */
};
#define HANDLE_CHANGED UINT64_MAX

/* What a thread without wait_object waits for. */
enum park { PARK_NONE, PARK_KICK, PARK_BUDGET, PARK_SUSPENDED };

/* The fields used most lie in the first 128 bytes, where an access is three bytes shorter. */
struct thread {
    struct object object;
    struct process *process; /* referenced */
    _Atomic bool on_cpu;     /* its registers live in a CPU */
    _Atomic uint8_t state;   /* enum thread_state; lock, and with a port as wait_object the port's lock */
    uint8_t preempted;       /* goes to the front of its level with what is left of its quantum */
    uint8_t level;           /* that it runs at: the better of own_level and lent_level; lock of its queue */
    struct spinlock lock;    /* rank THREAD: state, parked, wait_* */
    _Atomic uint8_t cpu;     /* where it runs, or ran last */
    uint8_t own_level;       /* scheduler level now, … */
    uint8_t lent_level;      /* … of the best caller that waits for it, or LEVELS; lock … */
    uint8_t base_level;      /* … and the best it may climb to; … */
    uint8_t parked;          /* BLOCKED without an object: enum park */
    _Atomic bool kick;       /* latched thread_kick */
    _Atomic bool dying;      /* ends at its next way out of the kernel */
    bool releases;           /* wait_object is to be let go of when it runs again */
    struct object *wait_object; /* BLOCKED on this (referenced until the thread runs again, but for ports) */
    uint64_t wait_sequence;     /* counts waits, so that a late time-out misses */
    struct list wait_link;      /* the object's waiters; the object's lock */
    uint64_t quantum_left;      /* ns */
    struct utcb *utcb;          /* kernel address of page 0; page 1 is utcb_message */
    uint64_t budget, period;    /* real-time task: ns; else 0 */
    struct list queue_link;     /* run queue; its lock */

    void *utcb_message;
    uint64_t deadline;         /* of level 0: ns, by which its budget is used; see realtime.c */
    struct space *guest_space; /* attached; referenced */
    uint64_t affinity;         /* bit per CPU */
    struct thread *caller;     /* whose call this thread serves; the lock of serves.port */
    struct thread *server;     /* serves this thread's call; the lock of calls.port */
    uint64_t hand_over;        /* CPUs that may go straight on as this thread: see ipc.S */
    uint64_t run_time;         /* TSC ticks */
    void *fpu;                 /* XSAVE area */
    uint64_t fs_base, gs_base;

    struct frame native; /* outside guest mode, or at guest_enter */
    struct frame guest;  /* interrupted in guest mode */
    uint64_t unified_root, guest_root;
    struct utcb
        *guest_utcb; /* utcb once the attached space has been entered; NULL sends guest_enter through C */
    struct utcb *resume_guest; /* interrupted in guest mode: guest_utcb, else NULL … */
    uint64_t resume_root;      /* … and the root it ran on */
    struct vmo *utcb_vmo;      /* keeps the pages */

    struct port_use calls, serves;
    struct alarm alarm;    /* time-out */
    uint32_t share;        /* of a CPU, that is, in 1/REALTIME_SHARE_ONE, … */
    uint64_t own_affinity; /* while it is one: what it had before, and gets back */
    uint32_t share_cpu;    /* … and of which */
    uint64_t burst;        /* TSC ticks it usually runs before it leaves the CPU, averaged */

    uint64_t progress;         /* of a call that is restarted: bytes done */
    struct object *unfinished; /* what a call that is restarted makes; referenced */
    struct list process_link;  /* struct process.threads; process lock */
    bool doomed;               /* was told to end with its process; process lock */
    bool limited;              /* a job above it has a share of CPU time: share.h */
    uint64_t charged;          /* of run_time plus what it runs now, to its jobs' shares */
    uint64_t utcb_address;
    uint64_t exit_flag;     /* thread_exit: user address to store 1 at */
    _Atomic bool suspended; /* parks at its next way out of the kernel */
};

_Static_assert(offsetof(struct thread, gs_base) == THREAD_GS_BASE, "entry.S");
_Static_assert(offsetof(struct thread, native) == THREAD_NATIVE, "entry.S");
_Static_assert(THREAD_NATIVE % 16 == 0, "the processor aligns the stack");
_Static_assert(offsetof(struct thread, guest) == THREAD_NATIVE_END, "entry.S");
_Static_assert(offsetof(struct thread, guest) + sizeof(struct frame) == THREAD_GUEST_END, "entry.S");
_Static_assert(offsetof(struct thread, unified_root) == THREAD_UNIFIED_ROOT, "entry.S");
_Static_assert(offsetof(struct thread, guest_root) == THREAD_GUEST_ROOT, "entry.S");
_Static_assert(offsetof(struct thread, guest_utcb) == THREAD_GUEST_UTCB, "entry.S");
_Static_assert(offsetof(struct thread, kick) == THREAD_KICK, "entry.S");

/* Creates a thread of the process, ready to run at entry. The UTCB is mapped at utcb_address (page-aligned).
 * One reference is the caller's. 0 or -EINVAL, -ENOMEM, -ESRCH (the process is dead). */
int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                  uint64_t utcb_address, struct thread **made);
void thread_start(struct thread *thread);
void thread_destroy(struct thread *thread);

/* Keeps hand_over right after a change: a thread with a guest or a budget is switched to and
 * from with more care. */
void thread_hand_over_set(struct thread *thread);

/* Latches a kick: ends thread_wait or guest mode. */
void thread_kick(struct thread *thread);
/* Stops it, wherever it is, or lets it go on. */
void thread_suspend(struct thread *thread, bool suspended);
/* On the way out: the current thread waits until it may go on. */
void thread_park_suspended(void);
/* Makes the thread end at its next way out of the kernel, waking it if it waits. */
void thread_kill(struct thread *thread);
/* Ends the current thread; it is gone once the CPU has switched away. */
void thread_end_current(void);

/* ---- waiting (kernel/wait.c) ---- */

/* What a call returns whose thread now waits: its result is stored in its frame by whoever wakes it, maybe
 * already. */
#define WAITING INT64_MIN
/* … or that did a bounded part of its work: the thread executes the call again. */
#define RESTART (INT64_MIN + 1)

/* Blocks the current thread on an object (a reference is taken) whose lock the caller holds: it enters the
 * list, and its alarm is set. The result is WAITING; a time-out gives -ETIMEDOUT, a kill -ECANCELED. */
int64_t wait_begin(struct object *object, struct list *waiters, uint64_t deadline);
/* Wakes a thread out of an object's list with a result; the object's lock is held. */
void wait_end(struct thread *thread, int64_t result);
/* Takes a thread out of whatever it waits for, if it still waits in that sequence (0: any). No lock held. */
void wait_cancel(struct thread *thread, uint64_t sequence, int64_t result);
/* The current thread has used its budget, or its job the share of CPU time: it waits until then. */
void thread_postpone(struct thread *thread, uint64_t until);
/* Ends such a wait of a thread that is locked, if it is for its job's share. */
void thread_hurry(struct thread *thread);
/* thread_wait: 0 or -ETIMEDOUT at once, or blocks the current thread. */
int64_t thread_park(uint64_t deadline);
