/*
 * One typed stub per class 1 call, generated from abi/syscalls.def: keel_vmo_create(size, flags) and so on.
 * Every argument is a 64-bit word; pointers are cast with keel_pointer(). Host tests put another
 * lib/keel/call.h first on the include path.
 */
#pragma once

#include <stdint.h>

static inline uint64_t keel_pointer(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer;
}

static inline int64_t keel_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                uint64_t f) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define KEEL_PARAMETERS_0 void
#define KEEL_PARAMETERS_1 uint64_t a
#define KEEL_PARAMETERS_2 KEEL_PARAMETERS_1, uint64_t b
#define KEEL_PARAMETERS_3 KEEL_PARAMETERS_2, uint64_t c
#define KEEL_PARAMETERS_4 KEEL_PARAMETERS_3, uint64_t d
#define KEEL_PARAMETERS_5 KEEL_PARAMETERS_4, uint64_t e
#define KEEL_PARAMETERS_6 KEEL_PARAMETERS_5, uint64_t f
#define KEEL_ARGUMENTS_0  0, 0, 0, 0, 0, 0
#define KEEL_ARGUMENTS_1  a, 0, 0, 0, 0, 0
#define KEEL_ARGUMENTS_2  a, b, 0, 0, 0, 0
#define KEEL_ARGUMENTS_3  a, b, c, 0, 0, 0
#define KEEL_ARGUMENTS_4  a, b, c, d, 0, 0
#define KEEL_ARGUMENTS_5  a, b, c, d, e, 0
#define KEEL_ARGUMENTS_6  a, b, c, d, e, f

enum keel_call_number {
#define CALL(index, name, arguments, self, right, text) KEEL_CALL_##name = 0x1000 | index,
#include "abi/syscalls.def"
#undef CALL
};

#define CALL(index, name, arguments, self, right, text)                                                      \
    static inline int64_t keel_##name(KEEL_PARAMETERS_##arguments) {                                         \
        return keel_call(0x1000 | index, KEEL_ARGUMENTS_##arguments);                                        \
    }
#include "abi/syscalls.def"
#undef CALL
