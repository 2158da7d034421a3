/* Calls on resources: I/O ports, interrupts, the kernel log, fault injection. */
#include "kernel/arch_cpu.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/syscall.h"

enum { LOG_CHUNK = 256, LOG_MOST = 1024, MEASURE_MOST = 64 };

int64_t call_interrupt_ack(struct interrupt *interrupt) {
    interrupt_ack(interrupt);
    return 0;
}

static int io_check(const struct resource *resource, uint64_t port, uint64_t width) {
    if (port > UINT16_MAX || (width != 1 && width != 2 && width != 4))
        return -EINVAL;
    return resource_covers(resource, RESOURCE_IOPORT, port, width) ? 0 : -EACCES;
}

int64_t call_io_read(struct resource *resource, uint64_t port, uint64_t width) {
    int error = io_check(resource, port, width);
    return error ? error : (int64_t)port_in((uint16_t)port, (unsigned)width);
}

int64_t call_io_write(struct resource *resource, uint64_t port, uint64_t width, uint64_t value) {
    int error = io_check(resource, port, width);
    if (!error)
        port_out((uint16_t)port, (unsigned)width, value);
    return error;
}

STACK_GUARD int64_t call_log_write(struct resource *resource, uint64_t text, uint64_t length) {
    char line[LOG_MOST];
    if (!resource_is(resource, RESOURCE_LOG))
        return -EACCES;
    if (length > LOG_MOST)
        return -EINVAL;
    if (user_copy_in(line, text, length))
        return -EFAULT;
    log_bytes(line, length);
    return (int64_t)length;
}

STACK_GUARD int64_t call_log_read(struct resource *resource, uint64_t position, uint64_t buffer,
                                  uint64_t length) {
    char chunk[LOG_CHUNK];
    if (!resource_is(resource, RESOURCE_LOG))
        return -EACCES;
    size_t copied = log_copy(&position, chunk, length < LOG_CHUNK ? length : LOG_CHUNK);
    return user_copy_out(buffer, chunk, copied) ? -EFAULT : (int64_t)copied;
}

int64_t call_debug_control(struct resource *resource, uint64_t what, uint64_t argument) {
    return resource_is(resource, RESOURCE_DEBUG) ? debug_control(what, argument) : -EACCES;
}

int64_t call_debug_fail(struct resource *resource, uint64_t n) {
    return resource_is(resource, RESOURCE_DEBUG) ? debug_fail_nth(n) : -EACCES;
}

/* For the benchmark: user space cannot see the page allocator alone. */
int64_t call_debug_measure(struct resource *resource, uint64_t count) {
    if (!resource_is(resource, RESOURCE_DEBUG) || count > MEASURE_MOST)
        return -EACCES;
    uint64_t start = tsc_read();
    for (uint64_t page; count && (page = page_alloc(0)); count--)
        page_free(page, 0);
    return count ? -ENOMEM : (int64_t)(tsc_read() - start);
}
