/* Copies between the personality and the buffers of read and write calls: guest memory, a vector of it, or
 * own memory. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/fs.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

/* Steps over used-up segments, so that the front has bytes while length is not 0. */
static void settle(struct buffer *buffer) {
    while (buffer->more && !buffer->span && buffer->length) {
        buffer->guest = buffer->more->base;
        buffer->span = buffer->more->length;
        buffer->more++;
    }
}

static size_t front(struct buffer *buffer, size_t length) {
    settle(buffer);
    size_t span = buffer->more && buffer->span < buffer->length ? buffer->span : buffer->length;
    return span < length ? span : length;
}

size_t buffer_span(const struct buffer *buffer, uint64_t *address) {
    struct buffer copy = *buffer;
    size_t span = front(&copy, SIZE_MAX);
    *address = copy.kernel ? (uint64_t)(uintptr_t)copy.kernel : copy.guest;
    if (!copy.kernel && (copy.guest >= GUEST_END || span > GUEST_END - copy.guest))
        return 0;
    if (!copy.kernel)
        mm_ready(copy.guest, span);
    return span;
}

static void advance(struct buffer *buffer, size_t length) {
    if (buffer->kernel)
        buffer->kernel = (char *)buffer->kernel + length;
    else
        buffer->guest += length;
    if (buffer->more)
        buffer->span -= length;
    buffer->length -= length;
}

void buffer_skip(struct buffer *buffer, size_t length) {
    while (length && buffer->length) {
        size_t part = front(buffer, length);
        advance(buffer, part);
        length -= part;
    }
}

int buffer_segments(struct buffer *buffer, struct linux_iovec *segments, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct linux_iovec *segment = &segments[i];
        if ((int64_t)segment->length < 0)
            return -EINVAL;
        if (segment->base > GUEST_END || segment->length > GUEST_END - segment->base)
            return -EFAULT;
        if (segment->length > RW_MAX - total)
            segment->length = RW_MAX - total;
        total += segment->length;
    }
    *buffer = (struct buffer){.length = total, .more = segments};
    return 0;
}

int buffer_get(struct buffer *buffer, void *to, size_t length) {
    while (length) {
        size_t part = front(buffer, length);
        if (!part)
            return -EFAULT;
        if (buffer->kernel)
            memcpy(to, buffer->kernel, part);
        else if (guest_copy_in(to, buffer->guest, part))
            return -EFAULT;
        advance(buffer, part);
        to = (char *)to + part;
        length -= part;
    }
    return 0;
}

int buffer_put(struct buffer *buffer, const void *from, size_t length) {
    while (length) {
        size_t part = front(buffer, length);
        if (!part)
            return -EFAULT;
        if (buffer->kernel)
            memcpy(buffer->kernel, from, part);
        else if (guest_copy_out(buffer->guest, from, part))
            return -EFAULT;
        advance(buffer, part);
        from = (const char *)from + part;
        length -= part;
    }
    return 0;
}
