/* Allocations that fail on request. */
#include <stdatomic.h>

#include "variant.h"

static _Atomic uint64_t allocations, fail_at; /* counted since the last debug_fail_nth */

bool debug_allocation_fails(void) {
    uint64_t number = atomic_fetch_add(&allocations, 1) + 1;
    return number == fail_at;
}

int64_t debug_fail_nth(uint64_t n) {
    fail_at = 0;
    int64_t made = (int64_t)atomic_exchange(&allocations, 0);
    fail_at = n;
    return made;
}
