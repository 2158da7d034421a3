/*
 * Mistakes made on purpose, one for each thing that the kernel or the debug kernel detects: a test asks for
 * it and expects the panic (tests/harness/panics.py).
 */
#include "provoke.h"

#include "abi/debug.h"
#include "abi/errors.h"
#include "kernel/log.h"

int64_t debug_provoke(uint64_t what) {
    switch (what) {
    case DEBUG_PANIC:
        panic("asked for by debug_control(%lu)", what);
    case DEBUG_FAULT:
        *(volatile uint64_t *)8 = what;
        return 0;
    default:
        return -EINVAL;
    }
}
