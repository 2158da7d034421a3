/* The counters that a RESOURCE_INFO capability reads, summed over all CPUs. */
#pragma once

#include "abi/objects.h"

struct system_info system_info(void);
/* Set once by the boot code. */
extern uint64_t boot_tsc;
