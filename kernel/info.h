/* The counters that a RESOURCE_INFO capability reads, summed over all CPUs. */
#pragma once

#include "abi/objects.h"

void system_info(struct system_info *info);
