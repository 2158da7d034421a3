/* The longest time with interrupts off: kernel/variant/debug/stretch.c. */
#pragma once

#include "abi/debug.h"

/* What a check has taken since a TSC value is not counted. */
void debug_stretch_skip(uint64_t since);

/* Of all CPUs since the last reset. */
struct debug_stretch debug_stretch_longest(void);
/* Forgets them, and the stretch that the calling CPU is in. */
void debug_stretch_reset(void);
