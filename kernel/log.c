/* See log.h. */
#include "kernel/log.h"

#include <stdarg.h>

#include "kernel/arch_cpu.h"
#include "kernel/text.h"

enum { LOG_SIZE = 16384, LOG_LINE = 256, DEBUG_PORT = 0xe9 };

static struct {
    struct spinlock lock; /* guards end and ring */
    uint64_t end;         /* bytes ever written */
} logbook = {.lock = SPINLOCK(LOCK_RANK_LOG)};

static char ring[LOG_SIZE];

void log_bytes(const char *text, size_t length) {
    spin_lock(&logbook.lock);
    for (size_t i = 0; i < length; i++) {
        ring[logbook.end++ % LOG_SIZE] = text[i];
        port_out(DEBUG_PORT, 1, (uint8_t)text[i]);
    }
    spin_unlock(&logbook.lock);
}

void log_line(const char *format, ...) {
    char line[LOG_LINE];
    va_list arguments;

    va_start(arguments, format);
    size_t length = text_format(line, sizeof(line), format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    log_bytes(line, length);
}

size_t log_copy(uint64_t *position, char *to, size_t length) {
    size_t copied = 0;
    spin_lock(&logbook.lock);
    if (*position > logbook.end)
        *position = logbook.end;
    if (logbook.end - *position > LOG_SIZE)
        *position = logbook.end - LOG_SIZE;
    while (copied < length && *position < logbook.end)
        to[copied++] = ring[(*position)++ % LOG_SIZE];
    spin_unlock(&logbook.lock);
    return copied;
}
