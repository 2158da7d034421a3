/* Instructions the compiler only offers as built-ins when the whole file is compiled for a newer CPU. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sets this thread's fs base. The kernel enables FSGSBASE where present; requirement of native programs. */
static inline void fs_base_set(uint64_t base) {
    __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
}

/* One word from the CPU's random generator; false when it has none ready. */
static inline bool random_word_read(uint64_t *word) {
    bool ready;
    __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ready));
    return ready;
}
