/* Object types, resource kinds, and the structures that class 1 calls read and write in user memory. */
#pragma once

#include <stdint.h>

enum object_type {
    OBJECT_NONE = 0,
#define OBJECT(name, number) OBJECT_##name = number,
#include "abi/objects.def"
#undef OBJECT
    OBJECT_TYPES
};

/* What a Resource capability gives access to; base and length bound it. */
enum resource_kind {
    RESOURCE_ROOT = 0,   /* everything below; only init starts with it */
    RESOURCE_IOPORT = 1, /* x86 I/O ports [base, base + length) */
    RESOURCE_MMIO = 2,   /* physical addresses, in bytes */
    RESOURCE_IRQ = 3, /* interrupt lines (ISA numbers below 16, else global system interrupts) and messages */
    RESOURCE_LOG = 4, /* the kernel log */
    RESOURCE_INFO = 5,     /* counters and system information */
    RESOURCE_DEBUG = 6,    /* fault injection (debug kernel) */
    RESOURCE_REALTIME = 7, /* processor time promised to real-time tasks */
    RESOURCE_DMA = 8,      /* memory that devices may be told the physical address of: dma_create */
    RESOURCE_LINK =
        9, /* devices of classes [base, base + length) of PCI, for the service that links programs to them */
};

/* Interrupts: numbers below are lines; these are messages (MSI, MSI-X), but for one that is never free (96).
 */
enum { IRQ_MESSAGE_FIRST = 48, IRQ_MESSAGE_END = 208 };
#define INTERRUPT_MESSAGES 0xfee00000ULL /* where they are written to: | APIC id << 12 */

/* thread state and others wait in absolute nanoseconds of clock_now(); this one never comes. */
#define DEADLINE_NEVER UINT64_MAX

/* vmo_create flags */
enum { VMO_PINNED = 1 }; /* pages are committed at creation and never move */

/* Protection and kind of a mapping: space_map and space_protect. */
enum {
    MAP_READ = 1,
    MAP_WRITE = 2,
    MAP_EXEC = 4,
    MAP_PROT_MASK = 7,
    MAP_COPY = 8, /* copy-on-write: writes stay private to the mapping, space_clone snapshots it */
};

/* A packet queued at a port by a bound object or by port_send. */
struct port_packet {
    uint64_t key;   /* as given to object_bind, or the sender's word 0 */
    uint64_t count; /* times signalled since last delivered; for a process its exit status */
    uint64_t words[2];
};

struct vmo_info {
    uint64_t size;      /* bytes */
    uint64_t committed; /* pages held by the tree, shared ones included */
    uint64_t address;   /* physical, of the first byte: dma_create, vmo_physical; else 0 */
};

struct space_info {
    uint64_t resident_pages;
    uint64_t table_pages;
    uint64_t mappings;
};

enum thread_state { THREAD_CREATED, THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

struct thread_info {
    uint64_t state;    /* enum thread_state */
    uint64_t cpu_time; /* ns */
    uint64_t level;    /* scheduler level 0-6 */
    uint64_t cpu;
};

struct process_info {
    uint64_t dead;  /* 1 when every thread has ended */
    int64_t status; /* as given to process_exit or task_kill */
    uint64_t threads;
};

/* What a device has to be told to send an interrupt that is a message: a 32-bit write of data to address. */
struct interrupt_info {
    uint64_t address; /* 0xfee00000 | APIC id of the first CPU << 12 */
    uint64_t data;    /* 32 + number: the vector */
};

/* Limits and use of a job; a limit of 0 leaves the parent's as the only one. */
struct job_info {
    uint64_t pages, pages_limit;
    uint64_t objects, objects_limit;
    uint64_t threads, threads_limit;
    uint64_t share; /* limit of CPU time, in 1/1024 of all CPUs */
};

/* The memory of a NUMA node under the buddy allocator; free does not count what CPUs keep at hand. */
enum { NODES_MOST = 8, BLOCK_ORDERS = 19 };
struct node_info {
    uint64_t pages, free;
    uint32_t blocks[BLOCK_ORDERS]; /* free blocks of 2^order pages */
    uint32_t reserved;
};

/* RESOURCE_INFO: sums over all CPUs since boot. */
struct system_info {
    uint64_t cpus;
    uint64_t pages_total, pages_free; /* 4 KB pages under the buddy allocator */
    uint64_t objects[16];             /* live, by enum object_type */
    uint64_t kernel_bytes;            /* slab memory in use, bytes */
    /* The first of struct cpu_counters, in its order; all entries are counted here. */
    uint64_t reflections; /* guest exits handed to a personality */
    uint64_t page_table_switches;
    uint64_t kernel_entries; /* system calls, faults and interrupts from user mode */
    uint64_t context_switches;
    uint64_t page_faults;
    uint64_t idle_time; /* ns */
    uint64_t interrupts;
    uint64_t first_user_tsc; /* TSC when the first guest instruction ran; 0 before */
    uint64_t boot_tsc;       /* TSC at kernel entry */
    struct node_info nodes[NODES_MOST];
};

/* One call of a batch: what the registers hold for it, by their names, in the order in which the kernel keeps
 * them. */
struct batch_entry {
    uint64_t r10, r9, r8;
    uint64_t rax; /* the number; then, when the call was made or refused, its result */
    uint64_t rcx; /* not used */
    uint64_t rdx, rsi, rdi;
};
enum { BATCH_MOST = 64 };
