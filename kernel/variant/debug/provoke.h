/* Mistakes made on purpose: kernel/variant/debug/provoke.c. */
#pragma once

#include <stdint.h>

/* Makes the mistake; the kernel panics. -EINVAL when there is none of that number (enum debug_what). */
int64_t debug_provoke(uint64_t what);
