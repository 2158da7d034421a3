/*
 * The processor as unit tests on the host see it: the names of kernel/arch/x86_64/arch.h over a block of
 * ordinary memory that stands for physical memory. kernel/arch/host/machine.c holds what is not inline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/boot_info.h"

enum { CACHE_LINE = 64, PAGE_SHIFT = 12, PAGE_SIZE = 4096 };

#define USER_LIMIT  0x00007ffffffff000ULL
#define GUEST_LIMIT 0x0000400000000000ULL
#define USER_BASE   0x10000ULL

/* Physical address 0, and the size of the block in bytes. */
extern unsigned char *host_memory;
extern uint64_t host_memory_size;

static inline void *phys_to_virt(uint64_t physical) {
    return host_memory + physical;
}
static inline uint64_t virt_to_phys(const void *pointer) {
    return (uint64_t)((const unsigned char *)pointer - host_memory);
}

#define STACK_GUARD

#define lock_take(lock) spin_lock_slowly(lock)
static inline void cpu_relax(void) {}
static inline void cpu_interrupts_window(void) {}
uint64_t tsc_read(void);

static inline uint64_t scale_32(uint64_t a, uint64_t b) {
    return (uint64_t)((unsigned __int128)a * b >> 32);
}

static inline void page_clear(void *page) {
    __builtin_memset(page, 0, PAGE_SIZE);
}
static inline void words_clear(uint64_t *words, uint64_t count) {
    __builtin_memset(words, 0, count * sizeof *words);
}
static inline void page_copy(void *to, const void *from) {
    __builtin_memcpy(to, from, PAGE_SIZE);
}

/* For tests that play the TLB. */
enum { FLUSH_PAGE, FLUSH_TAG };
void root_load(uint64_t value);
void tlb_flush_page(uint64_t address);
void tag_flush(uint64_t kind, uint64_t tag, uint64_t address);

/* User addresses are the host's own; [host_bad_user, host_bad_user + PAGE_SIZE) faults. */
extern uint64_t host_bad_user;
size_t user_copy_in(void *to, uint64_t from, size_t length);
size_t user_copy_out(uint64_t to, const void *from, size_t length);
