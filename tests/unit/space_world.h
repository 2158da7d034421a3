/*
 * Address spaces as the processor sees them, for tests: accesses go through a TLB that keeps entries until
 * they are flushed, then through the page tables, then to the fault handler; so a flush that is forgotten
 * shows as a wrong value or right. With ISOLATED (test_space_isolated.c) each walk is made through the root
 * for user mode, too.
 */
#pragma once

#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/kmem.h"
#include "kernel/large.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

#ifndef ISOLATED
#define ISOLATED false
#endif

enum { TLB_ENTRIES = 8192 };
static struct {
    struct space *space;
    uint64_t address, entry;
} tlb[TLB_ENTRIES];

static inline unsigned tlb_slot(struct space *space, uint64_t address) {
    return (unsigned)((address >> 12) * 7 + ((uintptr_t)space >> 6) * 131) % TLB_ENTRIES;
}

static inline void tlb_flush(struct space *space, uint64_t start, uint64_t end) {
    CHECK(start < end || !end); /* 0, 0: only leave the space */
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        if (tlb[i].space == space && tlb[i].address >= start && tlb[i].address < end)
            tlb[i].space = NULL;
}

static inline bool entry_allows(uint64_t entry, unsigned access) {
    return entry & PTE_PRESENT && entry & PTE_USER && (access != MAP_WRITE || entry & PTE_WRITE) &&
           (access != MAP_EXEC || !(entry & PTE_NO_EXEC));
}

/* space_map of a Vmo that the test keeps a reference to. */
static inline int vmo_map(struct space *space, uint64_t address, struct vmo *vmo, uint64_t offset,
                          uint64_t length, unsigned flags) {
    if (vmo)
        object_get(&vmo->object);
    return space_map(space, address, vmo, offset, length, flags);
}

/* The last entry, without the ability to write unless every level gives it. */
static inline uint64_t table_walk_one(uint64_t root, uint64_t address) {
    uint64_t entry = root | PTE_PRESENT, missing = 0;
    for (int shift = 39; shift >= 12; shift -= 9) {
        if (!(entry & PTE_PRESENT))
            return 0;
        entry = ((uint64_t *)phys_to_virt(entry & PTE_ADDRESS))[address >> shift & 511];
        missing |= ~entry & PTE_WRITE;
        if (entry & PTE_LARGE) {
            entry += (address >> 12 & 511) * PAGE_SIZE - PTE_LARGE;
            break;
        }
    }
    return entry & ~missing;
}

static inline uint64_t table_walk(uint64_t root, uint64_t address) {
    uint64_t entry = table_walk_one(root, address);
    if (ISOLATED)
        CHECK_EQ(table_walk_one(root + PAGE_SIZE, address), entry);
    return entry;
}

static uint64_t faults;

/* The word at an address, or the error of the fault. */
static inline int word_access(struct space *space, uint64_t root, uint64_t address, unsigned access,
                              uint64_t **word) {
    uint64_t page = address & -4096ULL;
    unsigned slot = tlb_slot(space, page);
    for (unsigned tries = 0; tries < 4; tries++) {
        if (tlb[slot].space == space && tlb[slot].address == page && entry_allows(tlb[slot].entry, access)) {
            *word = phys_to_virt((tlb[slot].entry & PTE_ADDRESS) + address % PAGE_SIZE);
            return 0;
        }
        uint64_t entry = table_walk(root, page);
        if (entry_allows(entry, access)) {
            tlb[slot].space = space;
            tlb[slot].address = page;
            tlb[slot].entry = entry;
            continue;
        }
        if (tlb[slot].space == space && tlb[slot].address == page)
            tlb[slot].space = NULL; /* a fault drops the entry */
        faults++;
        if (table_ends(page) && access == MAP_WRITE && large_fault(space, page)) /* as trap.c does */
            continue;
        int result = space_fault(space, address, access);
        if (result)
            return result;
    }
    CHECK(!"the fault was resolved and comes back");
    return 0;
}

static struct space *native;
static struct job *job;

static inline uint64_t start(void) {
    if (!host_memory) {
        machine_init_simple(160 << 20);
        uint64_t kernel_root = page_alloc_clear(1);
        ((uint64_t *)phys_to_virt(kernel_root))[512 + 511] = 0x2222222;
        ((uint64_t *)phys_to_virt(kernel_root))[256] = 0x1234567;
        ((uint64_t *)phys_to_virt(kernel_root))[511] = 0x7654321;
        ((uint64_t *)phys_to_virt(kernel_root))[0] = 0x1111111;
        page_from_phys(kernel_root)->groups = 1ULL << 256 / 8 | 1ULL << 511 / 8 | 1;
        machine.root = kernel_root;
        machine.isolated = ISOLATED;
        host_flush = tlb_flush;
    }
    memset(tlb, 0, sizeof tlb);
    kmem_drain();
    return page_free_count();
}

static inline void check_nothing_left(uint64_t free_pages) {
    machine_reap();
    CHECK_EQ(job->used[JOB_PAGES], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
    object_put(&job->object);
    job = NULL;
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(objects_live[i], 0);
    CHECK_EQ(kmem_bytes(), 0);
    kmem_drain();
    CHECK_EQ(page_free_count(), free_pages);
}

static inline void put_word(struct space *space, uint64_t address, uint64_t value) {
    uint64_t *word;
    CHECK_EQ(word_access(space, space->root, address, MAP_WRITE, &word), 0);
    *word = value;
}

static inline uint64_t get_word(struct space *space, uint64_t root, uint64_t address) {
    uint64_t *word;
    CHECK_EQ(word_access(space, root, address, MAP_READ, &word), 0);
    return *word;
}
