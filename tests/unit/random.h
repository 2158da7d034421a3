/* Random numbers for tests of one thread: the same in every run. */
#pragma once

#include <stdlib.h>

/* From 0 up to, but without, the limit. */
static inline unsigned random_below(unsigned limit) {
    return (unsigned)rand() % limit;
}
