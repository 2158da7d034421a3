/*
 * The processor, as the rest of the kernel sees it. kernel/arch/host/arch.h offers the same names to unit
 * tests; the include path chooses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/boot_info.h"

enum { CACHE_LINE = 64, PAGE_SHIFT = 12, PAGE_SIZE = 4096 };

/* On functions with arrays whose length somebody else decides: the canary of entry.S lies between them and
 * the return address. */
#define STACK_GUARD __attribute__((stack_protect))

/* First address above user space (its last page stays unmapped, so that no return address is non-canonical),
 * and first of a personality's half (abi/utcb.h, guest mode). */
#define USER_LIMIT  0x00007ffffffff000ULL
#define GUEST_LIMIT 0x0000400000000000ULL
/* Lowest address user space may map. */
#define USER_BASE 0x10000ULL

/* Where physical memory is mapped: the loader's choice, in entry.S. */
extern const uint64_t direct_map_base;

static inline void *phys_to_virt(uint64_t physical) {
    return (void *)(uintptr_t)(direct_map_base + physical);
}
static inline uint64_t virt_to_phys(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer - direct_map_base;
}

/* Takes a spin lock by a function in entry.S that keeps all registers but rax: what its callers have there
 * need not be saved for the rare case that it waits. */
struct spinlock;
static inline __attribute__((always_inline)) void lock_take(struct spinlock *lock) {
    __asm__ volatile("call lock_take" : : "D"(lock) : "rax", "memory", "cc");
}

static inline void cpu_relax(void) {
    __asm__ volatile("pause");
}
static inline uint64_t tsc_read(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* a * b / 2^32, without overflow in between. */
static inline uint64_t scale_32(uint64_t a, uint64_t b) {
    uint64_t high;
    __asm__("mul %2\n\tshrd $32, %1, %0" : "+a"(a), "=&d"(high) : "r"(b) : "cc");
    return a;
}

/* Fill or copy whole pages, or parts of one, through the direct map. */
void page_clear(void *page);
static inline void words_clear(uint64_t *words, uint64_t count) {
    __asm__ volatile("rep stosq" : "+D"(words), "+c"(count) : "a"(0UL) : "memory");
}
static inline void page_copy(void *to, const void *from) {
    uint64_t count = PAGE_SIZE / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Loads a page-table root; without CR3_KEEP it flushes what its tag has, or where nothing is tagged all. */
static inline void root_load(uint64_t value) {
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}
/* Flushes a page of the loaded root's tag. */
static inline void tlb_flush_page(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Flushes a page of any tag, or with kind FLUSH_TAG all of it. */
enum { FLUSH_PAGE, FLUSH_TAG };
static inline void tag_flush(uint64_t kind, uint64_t tag, uint64_t address) {
    const uint64_t operand[2] = {tag, address};
    __asm__ volatile("invpcid %0, %1" : : "m"(operand), "r"(kind) : "memory");
}

/* Lets pending interrupts in, in the midst of long work. No lock is held. */
void cpu_interrupts_window(void);

/* Copies between the kernel and the current thread's user memory. The user range is checked (below
 * USER_LIMIT, no wrap); page faults on it are resolved as the user's own would be. Returns the bytes not
 * copied. No lock may be held. */
size_t user_copy_in(void *to, uint64_t from, size_t length);
size_t user_copy_out(uint64_t to, const void *from, size_t length);
