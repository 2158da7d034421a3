/*
 * What of a thread lives in the CPU's own registers, moved from one thread to the next. Inline: this is the
 * greater part of a context switch.
 */
#pragma once

#include <stdatomic.h>

#include "kernel/arch_cpu.h"
#include "kernel/space.h"

/* Every component that XCR0 enables. */
static inline __attribute__((always_inline)) void fpu_save(void *area) {
    if (machine.has_xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

static inline __attribute__((always_inline)) void fpu_restore(const void *area) {
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

static inline uint64_t fs_base_read(void) {
    uint64_t base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static inline void fs_base_write(uint64_t base) {
    __asm__ volatile("wrfsbase %0" : : "r"(base));
}
