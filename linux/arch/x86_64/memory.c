/* Guest memory access: the one range check, then the copies of memory.S. See linux/platform.h. */
#include "lib/keel/call.h"
#include "linux/arch/memory.h"
#include "linux/arch/x86_64/thread.h"
#include "linux/platform.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"

static bool guest_range(uint64_t address, uint64_t length) {
    return length <= GUEST_END && address <= GUEST_END - length;
}

static uint64_t *fixup_own(void) {
    return &native_thread_self()->utcb->fixup_rip;
}

bool guest_present(uint64_t address) {
    uint32_t found;
    return !memory_load32(&found, (const uint32_t *)(address & ~3ULL), fixup_own());
}

/* A copy that failed is tried once more: the program may have mapped the memory without touching it so far.
 * Pages of a disk come and go: then page by page, each as often as it takes. */

static size_t page_rest(uint64_t address, size_t length) {
    size_t rest = PAGE_SIZE - address % PAGE_SIZE;
    return length < rest ? length : rest;
}

static __attribute__((noinline, cold)) int copy_again(void *to, const void *from, size_t length,
                                                      uint64_t guest, bool write) {
    if (!mm_ready(guest, length))
        return -EFAULT;
    if (!memory_copy(to, from, length, fixup_own()))
        return 0;
    while (length) {
        size_t part = page_rest(guest, length);
        while (memory_copy(to, from, part, fixup_own()))
            if (!mm_page_in(guest, write))
                return -EFAULT;
        to = (char *)to + part;
        from = (const char *)from + part;
        guest += part;
        length -= part;
    }
    return 0;
}

static __attribute__((noinline, cold)) int clear_again(uint64_t to, size_t length) {
    if (!mm_ready(to, length))
        return -EFAULT;
    while (length) {
        size_t part = page_rest(to, length);
        while (memory_fill((void *)to, part, fixup_own()))
            if (!mm_page_in(to, true))
                return -EFAULT;
        to += part;
        length -= part;
    }
    return 0;
}

int guest_copy_in(void *to, uint64_t from, size_t length) {
    if (!guest_range(from, length))
        return -EFAULT;
    return memory_copy(to, (const void *)from, length, fixup_own())
               ? copy_again(to, (const void *)from, length, from, false)
               : 0;
}

int guest_copy_out(uint64_t to, const void *from, size_t length) {
    if (!guest_range(to, length))
        return -EFAULT;
    return memory_copy((void *)to, from, length, fixup_own()) ? copy_again((void *)to, from, length, to, true)
                                                              : 0;
}

int guest_clear(uint64_t to, size_t length) {
    if (!guest_range(to, length))
        return -EFAULT;
    return memory_fill((void *)to, length, fixup_own()) ? clear_again(to, length) : 0;
}

int64_t guest_string_in(char *to, uint64_t from, size_t size) {
    if (from >= GUEST_END)
        return -EFAULT;
    size_t limit = size < GUEST_END - from ? size : GUEST_END - from;
    int64_t length = memory_string(to, (const char *)from, limit, fixup_own());
    if (length < 0 && mm_ready(from, limit))
        length = memory_string(to, (const char *)from, limit, fixup_own());
    for (uint64_t at = from; length < 0 && at < from + limit && mm_page_in(at, false);
         at += page_rest(at, PAGE_SIZE))
        length = memory_string(to, (const char *)from, limit, fixup_own());
    if (length < 0)
        return -EFAULT;
    if ((size_t)length < limit)
        return length;
    return limit == size ? -ENAMETOOLONG : -EFAULT;
}

int guest_load32(uint64_t address, uint32_t *found) {
    if (address % 4)
        return -EINVAL;
    if (!guest_range(address, 4))
        return -EFAULT;
    if (!memory_load32(found, (const uint32_t *)address, fixup_own()))
        return 0;
    bool ready = mm_ready(address, 4);
    while (ready && memory_load32(found, (const uint32_t *)address, fixup_own()))
        ready = mm_page_in(address, false);
    return ready ? 0 : -EFAULT;
}

int guest_exchange32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *found) {
    if (address % 4)
        return -EINVAL;
    if (!guest_range(address, 4))
        return -EFAULT;
    *found = expected;
    if (!memory_exchange32(found, (uint32_t *)address, desired, fixup_own()))
        return 0;
    bool ready = mm_ready(address, 4);
    while (ready && (*found = expected, memory_exchange32(found, (uint32_t *)address, desired, fixup_own())))
        ready = mm_page_in(address, true);
    return ready ? 0 : -EFAULT;
}

int memory_commit(void *address, uint64_t length) {
    return memory_probe(address, length / PAGE_SIZE, fixup_own()) ? -ENOMEM : 0;
}

/* AVX, and no AVX-512, whose state moves of 32 bytes would cut. */
bool memory_wide;

void memory_start(void) {
    enum { AVX_STATE = 4, AVX512_STATE = 0xe0 };
    uint64_t features = guest_vector_features();
    memory_wide = (features & AVX_STATE) && !(features & AVX512_STATE);
}

/* ---- the personality's own mappings ---- */

void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, unsigned flags) {
    static _Atomic uint64_t next = LAYOUT_MAPS;
    if (!length || length % PAGE_SIZE || length > LAYOUT_MAPS_END - LAYOUT_MAPS)
        return NULL;
    uint64_t address = atomic_fetch_add(&next, length);
    if (address > LAYOUT_MAPS_END - length || keel_space_map(0, address, vmo, offset, length, flags))
        return NULL;
    if (flags & MAP_WRITE && memory_commit((void *)address, length)) {
        keel_space_unmap(0, address, length);
        return NULL;
    }
    return (void *)address;
}

void memory_unmap(void *address, uint64_t length) {
    keel_space_unmap(0, keel_pointer(address), length);
}
