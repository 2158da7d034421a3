/*
 * The tables of an IOMMU of Intel's VT-d kind, which say what each PCI function may reach by DMA: a root
 * table with an entry per bus, a context table with one per function of the bus, and below that page tables
 * of the function's own. What is entered is reached at its physical address; everything else is refused.
 *
 * Pure: the tables lie in one piece of memory, whose physical address the caller knows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iommu_tables {
    uint8_t *bytes; /* zeroed, whole pages */
    uint64_t physical, length;
    uint64_t used, unused; /* bytes handed out so far; offset of the first one given back, 0: none */
    unsigned levels;       /* of page tables: 3 (39 bits) or 4 (48 bits) */
    bool large;            /* 2 MB pages */
};

/* Takes the root table from the memory, at its begin. False: there is too little. */
bool iommu_tables_init(struct iommu_tables *tables, uint8_t *bytes, uint64_t physical, uint64_t length,
                       unsigned levels, bool large);

/* Lets a function (bus << 8 | device << 3 | function) reach [base, base + length), whole pages. 0, -ENOMEM no
 * pages are left for tables, -EINVAL it does not fit the page tables; what was entered until then stays. */
int iommu_tables_allow(struct iommu_tables *tables, uint16_t function, uint64_t base, uint64_t length);

/* The function reaches nothing any more, and its tables are free: to be called when the IOMMU has forgotten
 * them is iommu_tables_free with what this returns. 0: it had none. */
uint64_t iommu_tables_forbid(struct iommu_tables *tables, uint16_t function);
void iommu_tables_free(struct iommu_tables *tables, uint64_t top);

/* Whether the function reaches an address, as the IOMMU reads the tables. */
bool iommu_tables_reach(const struct iommu_tables *tables, uint16_t function, uint64_t address);
