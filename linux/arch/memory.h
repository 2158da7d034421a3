/* Committing the personality's own memory, for the heap. */
#pragma once

#include <stdint.h>

/* Makes sure that touching these pages cannot fail: 0 or -ENOMEM. */
int memory_commit(void *address, uint64_t length);
