/* Guest memory on the host: every access goes through the mappings of the attached space. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "linux/arch/host/host.h"
#include "linux/arch/host/thread.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

void *host_guest_memory(void) {
    static void *region;
    host_lock();
    if (!region)
        region = mmap((void *)HOST_GUEST_BASE, HOST_GUEST_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
    host_unlock();
    if (region == MAP_FAILED)
        abort();
    return region;
}

static bool guest_range(uint64_t address, uint64_t length) {
    return length <= GUEST_END && address <= GUEST_END - length;
}

/* As on x86_64, a copy that failed is tried once more (linux/task/lazy.c), then page by page
 * (linux/task/paged.c). */

static size_t page_rest(uint64_t address, size_t length) {
    size_t rest = PAGE_SIZE - address % PAGE_SIZE;
    return length < rest ? length : rest;
}

bool guest_present(uint64_t address) {
    uint8_t *byte;
    host_lock();
    bool present = !host_user_byte(address, MAP_READ, &byte);
    host_unlock();
    return present;
}

static bool copy_in(void *to, uint64_t from, size_t length) {
    host_lock();
    size_t done = length ? host_user_read(to, from, length) : 0;
    host_unlock();
    return done == length;
}

int guest_copy_in(void *to, uint64_t from, size_t length) {
    host_preempt();
    if (!guest_range(from, length))
        return -EFAULT;
    if (copy_in(to, from, length) || (mm_ready(from, length) && copy_in(to, from, length)))
        return 0;
    for (size_t part; length; length -= part, from += part, to = (char *)to + part) {
        part = page_rest(from, length);
        while (!copy_in(to, from, part))
            if (!mm_page_in(from, false))
                return -EFAULT;
    }
    return 0;
}

static bool copy_out(uint64_t to, const void *from, size_t length) {
    host_lock();
    size_t done = length ? host_user_write(to, from, length) : 0;
    host_unlock();
    return done == length;
}

int guest_copy_out(uint64_t to, const void *from, size_t length) {
    host_preempt();
    if (!guest_range(to, length))
        return -EFAULT;
    if (copy_out(to, from, length) || (mm_ready(to, length) && copy_out(to, from, length)))
        return 0;
    for (size_t part; length; length -= part, to += part, from = (const char *)from + part) {
        part = page_rest(to, length);
        while (!copy_out(to, from, part))
            if (!mm_page_in(to, true))
                return -EFAULT;
    }
    return 0;
}

int guest_clear(uint64_t to, size_t length) {
    static const char zeros[PAGE_SIZE];
    if (!guest_range(to, length))
        return -EFAULT;
    while (length) {
        size_t count = length < PAGE_SIZE ? length : PAGE_SIZE;
        if (guest_copy_out(to, zeros, count))
            return -EFAULT;
        to += count;
        length -= count;
    }
    return 0;
}

int64_t guest_string_in(char *to, uint64_t from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (guest_copy_in(to + i, from + i, 1))
            return -EFAULT;
        if (!to[i])
            return (int64_t)i;
    }
    return -ENAMETOOLONG;
}

/* The host's lock is held. */
static int byte_at(uint64_t address, unsigned access, uint8_t **byte) {
    if (address % 4)
        return -EINVAL;
    if (!guest_range(address, 4))
        return -EFAULT;
    if (!host_user_byte(address, access, byte))
        return 0;
    host_unlock();
    bool ready = mm_ready(address, 4);
    host_lock();
    while (ready && host_user_byte(address, access, byte)) {
        host_unlock();
        ready = mm_page_in(address, access == MAP_WRITE);
        host_lock();
    }
    return ready ? 0 : -EFAULT;
}

int guest_load32(uint64_t address, uint32_t *found) {
    uint8_t *byte;
    host_lock();
    int error = byte_at(address, MAP_READ, &byte);
    if (!error)
        *found = __atomic_load_n((uint32_t *)(void *)byte, __ATOMIC_SEQ_CST);
    host_unlock();
    return error;
}

int guest_exchange32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *found) {
    uint8_t *byte;
    host_lock();
    int error = byte_at(address, MAP_WRITE, &byte);
    if (!error) {
        *found = expected;
        __atomic_compare_exchange_n((uint32_t *)(void *)byte, found, desired, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    }
    host_unlock();
    return error;
}

/* ---- the personality's own view of a Vmo ---- */

void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, unsigned flags) {
    struct host_object *object;
    void *address = NULL;
    uint32_t rights = RIGHT_READ | (flags & MAP_WRITE ? (uint32_t)RIGHT_WRITE : 0);
    host_lock();
    if (!host_handle_find(vmo, OBJECT_VMO, rights, &object))
        address = host_vmo_expose((struct host_vmo *)object, offset, length);
    host_unlock();
    return address;
}

void memory_unmap(void *address, uint64_t length) {
    host_lock();
    host_vmo_conceal(address, length);
    host_unlock();
}
