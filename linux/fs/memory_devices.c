/* The devices that are nothing but memory: /dev/null, zero, full, random, urandom; and kmsg, which writes to
 * the log. */
#include "linux/fs/memory_devices.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/fs/device.h"
#include "linux/platform.h"

enum { RANDOM_BLOCK = 256, LOG_LINE = 960 };
#define ZERO_SIZE (1ULL << 40)

static int64_t read_nothing(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)buffer, (void)offset;
    return 0;
}

static int64_t write_nowhere(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    return (int64_t)buffer->length;
}

static int64_t write_full(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    return buffer->length ? -ENOSPC : 0;
}

static int64_t read_zeros(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    int64_t total = 0;
    if (!buffer->kernel && !buffer->more) /* the usual case: one checked range of the guest */
        return guest_clear(buffer->guest, buffer->length) ? -EFAULT : (int64_t)buffer->length;
    while (buffer->length) {
        uint64_t address;
        size_t span = buffer_span(buffer, &address);
        bool own = buffer->kernel;
        if (own)
            memset(buffer->kernel, 0, span);
        if (!span || (!own && guest_clear(address, span)))
            return total ? total : -EFAULT;
        buffer_skip(buffer, span);
        total += (int64_t)span;
    }
    return total;
}

static int64_t read_random(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    unsigned char block[RANDOM_BLOCK];
    int64_t total = 0;
    while (buffer->length) {
        size_t length = buffer->length < sizeof(block) ? buffer->length : sizeof(block);
        random_bytes(block, length);
        if (buffer_put(buffer, block, length))
            return total ? total : -EFAULT;
        total += (int64_t)length;
    }
    return total;
}

/* What is written to the random devices would only add to the pool: it is read and dropped. */
static int64_t write_random(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    unsigned char block[RANDOM_BLOCK];
    int64_t total = 0;
    while (buffer->length) {
        size_t length = buffer->length < sizeof(block) ? buffer->length : sizeof(block);
        if (buffer_get(buffer, block, length))
            return total ? total : -EFAULT;
        total += (int64_t)length;
    }
    return total;
}

static int64_t write_log(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file, (void)offset;
    char line[LOG_LINE];
    size_t length = buffer->length, shown = length < sizeof(line) ? length : sizeof(line) - 1;
    if (buffer_get(buffer, line, shown))
        return -EFAULT;
    while (shown && line[shown - 1] == '\n')
        shown--;
    log_line("kmsg: %.*s", (int)shown, line);
    return (int64_t)length;
}

static int64_t seek_nowhere(struct file *file, int64_t offset, int whence) {
    (void)file, (void)offset, (void)whence;
    return 0;
}

/* Mapping /dev/zero gives zero memory: one object per open file, kept in file->data. */
static int map_zeros(struct file *file, handle_t *vmo) {
    int64_t made = 0;
    mutex_lock(&file->lock);
    if (!file->data) {
        made = keel_vmo_create(ZERO_SIZE, 0);
        if (made > 0)
            file->data = (void *)(uintptr_t)made;
    }
    *vmo = (handle_t)(uintptr_t)file->data;
    mutex_unlock(&file->lock);
    return made < 0 ? (int)made : 0;
}

static void close_zeros(struct file *file) {
    if (file->data)
        keel_handle_close((uintptr_t)file->data);
}

static const struct file_operations null_operations = {
    .read = read_nothing, .write = write_nowhere, .seek = seek_nowhere, .no_position = true};
static const struct file_operations zero_operations = {.read = read_zeros,
                                                       .write = write_nowhere,
                                                       .seek = seek_nowhere,
                                                       .no_position = true,
                                                       .map = map_zeros,
                                                       .release = close_zeros};
static const struct file_operations full_operations = {
    .read = read_zeros, .write = write_full, .seek = seek_nowhere, .no_position = true};
static const struct file_operations random_operations = {
    .read = read_random, .write = write_random, .seek = seek_nowhere, .no_position = true};
static const struct file_operations log_operations = {.read = read_nothing, .write = write_log};

static const struct device memory_devices[] = {
    {.name = "null",
     .family = "mem",
     .major = 1,
     .minor = 3,
     .minor_count = 1,
     .mode = 0666,
     .operations = &null_operations},
    {.name = "zero", .major = 1, .minor = 5, .minor_count = 1, .mode = 0666, .operations = &zero_operations},
    {.name = "full", .major = 1, .minor = 7, .minor_count = 1, .mode = 0666, .operations = &full_operations},
    {.name = "random",
     .major = 1,
     .minor = 8,
     .minor_count = 1,
     .mode = 0666,
     .operations = &random_operations},
    {.name = "urandom",
     .major = 1,
     .minor = 9,
     .minor_count = 1,
     .mode = 0666,
     .operations = &random_operations},
    {.name = "kmsg", .major = 1, .minor = 11, .minor_count = 1, .mode = 0644, .operations = &log_operations},
};

void memory_devices_register(void) {
    for (unsigned i = 0; i < sizeof(memory_devices) / sizeof(memory_devices[0]); i++)
        device_register(&memory_devices[i]);
}
