/*
 * Address space of a native process: brk, anonymous mmap, and mappings of memory objects. Free addresses are
 * a sorted table of ranges; when it overflows, the smallest hole is forgotten, which costs addresses, never
 * memory.
 *
 * Layout: image at 4 MB, brk from 128 MB, mappings from 256 MB, the start stack and UTCB below 1 GB
 * (abi/start.h), more mappings above. Keeping it all low keeps the page tables few.
 */
#include "lib/native/posix.h"

#include <stdbool.h>

#include <errno.h>
#include <sys/mman.h>

#include "lib/native/keel.h"

enum { PAGE_BYTES = 4096, RANGES_MAX = 128 };

#define BRK_BASE  0x08000000ULL
#define BRK_END   0x10000000ULL
#define LOW_END   0x3fe00000ULL /* 2 MB below 1 GB hold start stack and UTCB */
#define HIGH_BASE 0x40000000ULL
#define HIGH_END  0x200000000000ULL

struct range {
    uint64_t base, end;
};

static struct posix_lock memory_lock;
static struct range holes[RANGES_MAX] = {{BRK_END, LOW_END}, {HIGH_BASE, HIGH_END}}; /* memory_lock */
static unsigned hole_count = 2;                                                      /* memory_lock */
static uint64_t brk_now = BRK_BASE, brk_mapped = BRK_BASE;                           /* memory_lock */

/* Page-rounded; 0 for lengths that do not fit. */
static uint64_t pages_round(uint64_t length) {
    return length > HIGH_END ? 0 : (length + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static void hole_delete(unsigned index) {
    hole_count--;
    for (unsigned i = index; i < hole_count; i++)
        holes[i] = holes[i + 1];
}

static void hole_forget_smallest(void) {
    unsigned smallest = 0;
    for (unsigned i = 1; i < hole_count; i++)
        if (holes[i].end - holes[i].base < holes[smallest].end - holes[smallest].base)
            smallest = i;
    hole_delete(smallest);
}

static void hole_insert(unsigned index, struct range hole) {
    for (unsigned i = hole_count; i > index; i--)
        holes[i] = holes[i - 1];
    holes[index] = hole;
    hole_count++;
}

/* Adds [base, end), of which nothing is in the table, and joins it with its neighbours. */
static void hole_add(uint64_t base, uint64_t end) {
    unsigned at = 0;
    while (at < hole_count && holes[at].base < base)
        at++;
    bool joins_before = at > 0 && holes[at - 1].end == base;
    bool joins_after = at < hole_count && holes[at].base == end;
    if (joins_before && joins_after) {
        holes[at - 1].end = holes[at].end;
        hole_delete(at);
    } else if (joins_before) {
        holes[at - 1].end = end;
    } else if (joins_after) {
        holes[at].base = base;
    } else if (hole_count < RANGES_MAX) {
        hole_insert(at, (struct range){base, end});
    } else {
        hole_forget_smallest();
        hole_add(base, end);
    }
}

/* Removes [base, end) from the holes, whatever part of it is there. */
static void holes_cut(uint64_t base, uint64_t end) {
    unsigned i = 0;
    while (i < hole_count) {
        struct range hole = holes[i];
        if (hole.end <= base || hole.base >= end) {
            i++;
            continue;
        }
        hole_delete(i);
        if (hole.end > end)
            hole_add(end, hole.end);
        if (hole.base < base)
            hole_add(hole.base, base);
    }
}

uint64_t addresses_take(uint64_t length) {
    uint64_t address = 0;
    posix_lock_take(&memory_lock);
    for (unsigned i = 0; i < hole_count && !address; i++) {
        if (holes[i].end - holes[i].base < length)
            continue;
        address = holes[i].base;
        holes[i].base += length;
        if (holes[i].base == holes[i].end)
            hole_delete(i);
    }
    posix_lock_release(&memory_lock);
    return address;
}

void addresses_give(uint64_t address, uint64_t length) {
    posix_lock_take(&memory_lock);
    holes_cut(address, address + length);
    hole_add(address, address + length);
    posix_lock_release(&memory_lock);
}

int64_t posix_brk(uint64_t end) {
    posix_lock_take(&memory_lock);
    if (end >= BRK_BASE && end <= BRK_END) {
        uint64_t mapped = pages_round(end);
        int64_t error = 0;
        if (mapped > brk_mapped)
            error = keel_space_map(0, brk_mapped, 0, 0, mapped - brk_mapped, MAP_READ | MAP_WRITE);
        else if (mapped < brk_mapped)
            error = keel_space_unmap(0, mapped, brk_mapped - mapped);
        if (error == 0) {
            brk_mapped = mapped;
            brk_now = end;
        }
    }
    int64_t result = (int64_t)brk_now;
    posix_lock_release(&memory_lock);
    return result;
}

static bool range_valid(uint64_t address, uint64_t length) {
    return address % PAGE_BYTES == 0 && length != 0 && length <= HIGH_END && address >= PAGE_BYTES &&
           address <= HIGH_END - length;
}

static int64_t mmap_fixed(uint64_t address, uint64_t length, uint64_t protection) {
    if (!range_valid(address, length))
        return -EINVAL;
    posix_lock_take(&memory_lock);
    holes_cut(address, address + length);
    posix_lock_release(&memory_lock);
    int64_t error = keel_space_map(0, address, 0, 0, length, protection);
    return error < 0 ? error : (int64_t)address;
}

int64_t posix_mmap(const uint64_t *arguments) {
    uint64_t length = pages_round(arguments[1]), protection = arguments[2], flags = arguments[3];
    if (length == 0 || protection & ~(uint64_t)MAP_PROT_MASK)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS))
        return -EBADF;
    if (flags & MAP_FIXED)
        return mmap_fixed(arguments[0], length, protection);
    uint64_t address = addresses_take(length);
    if (address == 0)
        return -ENOMEM;
    int64_t error = keel_space_map(0, address, 0, 0, length, protection);
    if (error < 0)
        addresses_give(address, length);
    return error < 0 ? error : (int64_t)address;
}

int64_t posix_munmap(uint64_t address, uint64_t length) {
    length = pages_round(length);
    if (!range_valid(address, length))
        return -EINVAL;
    int64_t error = keel_space_unmap(0, address, length);
    if (error == 0 && address >= BRK_END)
        addresses_give(address, length);
    return error;
}

int64_t posix_mprotect(uint64_t address, uint64_t length, uint64_t protection) {
    length = pages_round(length);
    if (!range_valid(address, length) || protection & ~(uint64_t)MAP_PROT_MASK)
        return -EINVAL;
    return keel_space_protect(0, address, length, protection);
}

void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, uint64_t flags) {
    uint64_t address = length % PAGE_BYTES ? 0 : addresses_take(length);
    if (address == 0)
        return NULL;
    if (keel_space_map(0, address, vmo, offset, length, flags) < 0) {
        addresses_give(address, length);
        return NULL;
    }
    return (void *)address;
}

void memory_unmap(void *address, uint64_t length) {
    (void)posix_munmap((uint64_t)(uintptr_t)address, length);
}
