/*
 * Tagged translations (PCIDs). Where the processor has them, every page-table root has a tag, one of TAGS,
 * which a CPU notes with each translation that it caches: so a change of roots need not flush. Roots with the
 * same tag take turns: there are more roots than tags.
 *
 * Every state of a space has a stamp, which no other state of any space ever has: each shoot-down gives the
 * space a new one. A CPU notes for each tag the stamp of the space whose translations it caches under it (for
 * a unified root also the native space's). Only while that is the space's stamp are they good; else the tag
 * is flushed when a root that has it is loaded. So a space's shoot-down needs to reach only those CPUs that
 * run it (active_cpus), and its end none: its stamps mean nothing to those who come after.
 *
 * A CPU sets its bit in active_cpus, then reads the stamp; a shoot-down stores the stamp, then reads
 * active_cpus: one sees the other. What a CPU has loaded it flushes in answer to the request, and notes the
 * new stamp if it had the one before; what it notes, but has not loaded, is found stale when it is.
 *
 * With isolated page tables (kernel/arch/x86_64/isolation.inc) user mode has a second tag for each, TAG_USER
 * apart, which is flushed whenever the first one is.
 */
#pragma once

#include "kernel/cpu.h"
#include "kernel/space.h"

#define CR3_KEEP (1ULL << CR3_KEEP_BIT)
#define TAG_USER (1ULL << TAG_USER_BIT)

/* A root's place in struct cpu.stamps and native_stamps. */
static inline unsigned tag_index(uint64_t root) {
    return root & (TAGS - 1);
}

/* What the tag of a root is for INVPCID. */
static inline uint64_t tag_number(uint64_t root) {
    return (uint8_t)root;
}

/* Notes that the CPU is about to load a tagged root of these spaces, whose active_cpus have its bit, and
 * returns the value for CR3. guest may be NULL; interrupts are off until it is loaded. */
static inline uint64_t tag_enter(struct cpu *cpu, uint64_t root, const struct space *native,
                                 const struct space *guest) {
    uint64_t stamp = atomic_load(guest ? &guest->stamp : &native->stamp);
    uint64_t native_stamp = root & 1 ? atomic_load(&native->stamp) : 0;
    unsigned tag = tag_index(root);

    if (cpu->stamps[tag] == stamp && cpu->native_stamps[tag] == native_stamp)
        return root | CR3_KEEP;
    cpu->stamps[tag] = stamp;
    cpu->native_stamps[tag] = native_stamp;
    if (machine.isolated)
        tag_flush(FLUSH_TAG, TAG_USER | tag_number(root), 0);
    return root;
}
