/*
 * The machine's IOMMUs (VT-d, by the ACPI table DMAR): a PCI function reaches by DMA what its driver was
 * given and nothing else, whatever the driver tells it. All units read the same tables. On a machine without
 * them, or with iommu=off on the command line, these functions do nothing, and DMA reaches all of memory.
 *
 * Messages that interrupt are not looked at: they go through a range of addresses that is never translated.
 */
#pragma once

#include <stdint.h>

#include "abi/rights.h"

/* Finds and switches on what there is, so that no function reaches anything. Before any driver starts. */
void iommu_start(void);

/* Lets the function at a DEVICES_ADDRESS reach a DMA memory object. 0, or -ENOMEM, -EINVAL, -EIO a unit does
 * not answer. */
int64_t iommu_allow(uint32_t address, handle_t memory);
/* It reaches nothing any more; its memory may be freed. When a unit does not answer, the log says so. */
void iommu_forbid(uint32_t address);

/* Says in the log which accesses were refused since the last time: one of them, at most. */
void iommu_report(void);
