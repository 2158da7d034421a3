/*
 * Per-CPU state. gs points at it inside the kernel; entry.S knows the first fields by offset. Everything here
 * belongs to its CPU alone, with interrupts off, except what is marked otherwise.
 */
#pragma once

#include "abi/trace.h"
#include "abi/utcb.h"
#include "kernel/lock.h"
#include "kernel/machine.h"
#include "kernel/memory_cpu.h"
#include "lib/base/list.h"
#include "lib/base/tree.h"
#include "vectors.h"

enum { MAX_CPUS = BOOT_MAX_CPUS, KERNEL_STACK_BYTES = 2 * PAGE_SIZE };

struct frame;
struct thread;
struct space;

/* Reasons not to return to user mode directly (struct cpu.work). */
enum {
    WORK_RESCHEDULE = 1, /* the current thread blocked, ended, used its slice, or a better one is ready */
    WORK_REAP = 2,       /* objects wait to be destroyed */
    WORK_TIMER = 4,      /* the timer must be programmed anew */
    WORK_TRACE = 8,      /* the return of a call is to be traced */
    WORK_WAKE = 16,      /* other CPUs are to be interrupted: wakes */
};

struct tss {
    uint32_t reserved0;
    uint64_t frame_top;   /* end of the frame that the next entry fills, whichever way it comes */
    uint64_t entry_stack; /* its end, when page tables are isolated: then the processor does not use this */
    uint64_t rsp2;
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

/* Ready threads of one CPU. Other CPUs enqueue and steal. */
struct run_queue {
    struct spinlock lock; /* rank RUN_QUEUE: guards all of this structure */
    uint32_t bitmap;      /* levels with ready threads, and always bit LEVELS */
    uint32_t aged_level;  /* which level was last served out of turn */
    uint64_t ages_at;     /* … and when the next one will be, ns */
    struct tree alarms;   /* struct alarm by deadline */
    struct list levels[LEVELS];
};

static inline void run_queue_init(struct run_queue *queue) {
    *queue = (struct run_queue){.lock = SPINLOCK(LOCK_RANK_RUN_QUEUE), .bitmap = 1u << LEVELS};
    for (unsigned i = 0; i < LEVELS; i++)
        list_init(&queue->levels[i]);
}

/* The best level with a ready thread, or LEVELS. */
static inline unsigned queue_best(const struct run_queue *queue) {
    return (unsigned)__builtin_ctz(queue->bitmap);
}
static inline bool queue_empty(const struct run_queue *queue) {
    return queue->bitmap == 1u << LEVELS;
}

struct tlb_request {
    struct space *space;
    uint64_t start, end;
    uint64_t before, after;   /* the space's stamps */
    _Atomic uint64_t waiting; /* CPUs that have not answered */
};

/* The fields that C uses most lie in the first 128 bytes, where an access is three bytes shorter. */
struct cpu {
    struct thread *thread; /* current; NULL: idle */
    uint32_t index;
    _Atomic uint32_t work; /* WORK_ flags; any CPU may set WORK_RESCHEDULE together with an interrupt */
    struct utcb *guest;    /* kernel address of the UTCB whose guest is running; NULL outside guest mode */
    uint64_t slice_end;    /* ns; when the current thread's quantum is used up */
    uint64_t switched_at;  /* TSC; accounting */
    uint64_t root;         /* page-table root in CR3 */
    struct object *reap_first, *reap_last;
    uint64_t timer_deadline;                  /* what the timer is programmed to, ns */
    struct trace_block *trace_block;          /* NULL until trace_open was called for this CPU; atomic */
    struct space *native_space, *guest_space; /* whose active_cpus bit is set for this CPU */
    struct run_queue queue;

    uint64_t bit;       /* 1 << index */
    uint64_t hand_over; /* bit; 0 while it is traced, and where there is no XSAVEOPT: ipc.S */
    uint64_t stack;     /* top of this CPU's kernel stack */
    uint64_t scratch;
    uint64_t alarms_from;    /* ns; no alarm fires before */
    uint64_t alarm_next;     /* ns; no alarm is due before */
    uint32_t realtime_share; /* promised to real-time tasks; kernel/realtime.c */
    struct tss tss __attribute__((aligned(4)));
    uint32_t trace; /* bit per trace_kind; any CPU may store it */
    uint32_t apic_id;
    struct tlb_request tlb;       /* this CPU's outgoing request; other CPUs clear bits of waiting */
    _Atomic uint64_t tlb_pending; /* CPUs whose request this one must answer */
    uint64_t traced_since;
    uint32_t traced;             /* whose time is taken: index into struct trace_block.times */
    const struct frame *stopped; /* in a panic: what it was doing */
    struct cpu_counters counters;
    uint32_t balanced;             /* counts the CPUs that this one compared its queue with */
    struct thread *next;           /* READY and in no queue: see sched_goes_next; or NULL */
    const struct thread *reap_for; /* which was running when the newest of the reaper's objects came */
    uint64_t reach; /* CPUs that may run what is queued here: for timers, not all that was queued counts */
    uint64_t wakes; /* CPUs to which the way out of the kernel sends VECTOR_RESCHEDULE */
    struct memory_cpu memory;
    uint64_t stamp;               /* the last one that this CPU drew: kernel/tag.h … */
    uint64_t stamps[TAGS];        /* … by tag, that of the space whose translations it caches … */
    uint64_t native_stamps[TAGS]; /* … and for a unified root the native space's */
    uint64_t user_tag[2];         /* operand of INVPCID */
    char fatal_stack[3072] __attribute__((aligned(16))); /* NMI, double fault, machine check */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct cpu, scratch) == CPU_SCRATCH, "entry.S");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "entry.S");
_Static_assert(offsetof(struct cpu, guest) == CPU_GUEST, "entry.S");
_Static_assert(offsetof(struct cpu, thread) == CPU_THREAD, "entry.S");
_Static_assert(offsetof(struct cpu, root) == CPU_ROOT, "entry.S");
_Static_assert(offsetof(struct cpu, work) == CPU_WORK, "entry.S");
_Static_assert(offsetof(struct cpu, counters.reflections) == CPU_REFLECTIONS, "entry.S");
_Static_assert(offsetof(struct cpu, counters.page_table_switches) == CPU_SWITCHES, "entry.S");
_Static_assert(offsetof(struct cpu, counters.other_entries) == CPU_ENTRIES, "entry.S");
_Static_assert(offsetof(struct cpu, counters.calls) == CPU_CALLS, "entry.S");
_Static_assert(offsetof(struct cpu, trace) == CPU_TRACE, "cpu_self.h");
_Static_assert(offsetof(struct cpu, tss) + 4 == CPU_FRAME_TOP, "entry.S");
_Static_assert(offsetof(struct cpu, tss.entry_stack) == CPU_ENTRY_STACK, "entry.S");

extern _Atomic uint64_t cpus_idle; /* bit per CPU that waits for work */

_Static_assert(offsetof(struct machine, has_smap) == 0, "entry.S");
_Static_assert(offsetof(struct machine, cpus) == MACHINE_CPUS, "entry.S");
_Static_assert(offsetof(struct machine, idle_mwait) == MACHINE_IDLE_MWAIT, "entry.S");
_Static_assert(offsetof(struct machine, idle_hint) == MACHINE_IDLE_HINT, "entry.S");
_Static_assert(offsetof(struct machine, quanta) == MACHINE_QUANTA, "switch.S");
_Static_assert(offsetof(struct machine, sched_policy) == MACHINE_POLICY, "switch.S");
_Static_assert(offsetof(struct machine, clock.tsc_base) == MACHINE_TSC_BASE, "switch.S");
_Static_assert(offsetof(struct machine, clock.mult) == MACHINE_CLOCK_MULT, "switch.S");
_Static_assert(sizeof(struct machine) <= MACHINE_BYTES, "entry.S");

#include "cpu_self.h"

static inline struct thread *thread_current(void) {
    return cpu_self()->thread;
}

static inline __attribute__((always_inline)) void cpu_work_add(struct cpu *cpu, uint32_t work) {
    atomic_fetch_or_explicit(&cpu->work, work, memory_order_relaxed);
}
