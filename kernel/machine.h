/*
 * What the kernel has to know about the machine all the time. The boot path fills it in before the kernel
 * starts (boot/handover.c), in pages that the kernel itself cannot write.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/boot_info.h"
#include "abi/objects.h"
#include "abi/utcb.h"

struct cpu;
struct page;

enum { LEVELS = 7, BURST_SHORT_NS = 50000 };

struct machine {
    bool has_smap, has_xsaveopt;
    bool isolated;         /* page tables: kernel/arch/x86_64/isolation.inc */
    bool idle_mwait;       /* idle CPUs wait by MWAIT, … */
    uint8_t idle_hint;     /* … in the state that this is the hint for; else by HLT */
    char panic_ending;     /* the letter after panic= on the command line, or 0 */
    uint8_t tag_bits;      /* of CR3, where translations are tagged (kernel/tag.h), or 0; … */
    bool has_invpcid;      /* … always so where page tables are isolated, too */
    uint32_t sched_policy; /* SCHED_ flags: what follows sched= there */
    uint32_t cpu_count;
    uint32_t fpu_size;       /* bytes of a thread's vector state */
    uint64_t root;           /* the kernel's own PML4, whose upper half is final */
    struct utcb_clock clock; /* what the TSC counts … */
    uint64_t timer_scale;    /* … and the local APIC timer: ticks per ns, 32 fractional bits, below 4 GHz */
    uint64_t burst_short;    /* TSC ticks of BURST_SHORT_NS */
    uint64_t quanta[LEVELS]; /* what a thread of each level may run at a stretch, ns */
    struct page *page_array; /* by page number … */
    uint64_t page_limit;     /* … below this one */
    uint64_t pages_total;    /* that the allocator has … */
    uint32_t zones_used;     /* … in these zones */
    volatile uint32_t *lapic, *ioapic;
    struct cpu *cpus[BOOT_MAX_CPUS];
    uint32_t lines[IRQ_MESSAGE_END]; /* struct boot_info.lines; 0 for messages */
};
_Static_assert((int)BOOT_LINES == (int)IRQ_MESSAGE_FIRST, "boot/handover.c");

extern struct machine machine;
