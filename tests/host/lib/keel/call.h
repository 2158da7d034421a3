/*
 * The class 1 calls as ordinary functions, for running the personality on a POSIX host: the same names and
 * words as the real lib/keel/call.h, in whose place this header stands (-Itests/host comes first on the
 * include path). The objects behind them are in tests/host: memory objects and spaces over malloc, threads
 * over POSIX threads or fibers.
 */
#pragma once

#include <stdint.h>

static inline uint64_t keel_pointer(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer;
}

#define KEEL_PARAMETERS_0 void
#define KEEL_PARAMETERS_1 uint64_t
#define KEEL_PARAMETERS_2 KEEL_PARAMETERS_1, uint64_t
#define KEEL_PARAMETERS_3 KEEL_PARAMETERS_2, uint64_t
#define KEEL_PARAMETERS_4 KEEL_PARAMETERS_3, uint64_t
#define KEEL_PARAMETERS_5 KEEL_PARAMETERS_4, uint64_t
#define KEEL_PARAMETERS_6 KEEL_PARAMETERS_5, uint64_t

enum keel_call_number {
#define CALL(index, name, arguments, self, right, text) KEEL_CALL_##name = 0x1000 | index,
#include "abi/syscalls.def"
#undef CALL
};

#define CALL(index, name, arguments, self, right, text) int64_t keel_##name(KEEL_PARAMETERS_##arguments);
#include "abi/syscalls.def"
#undef CALL
