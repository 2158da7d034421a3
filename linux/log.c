/* The personality's lines in the system log, and its own end when it finds itself inconsistent. See
 * linux/platform.h. */
#include <stdarg.h>

#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/platform.h"
#include "linux/system.h"

enum { LINE_SIZE = 512, FATAL_STATUS = 125 };

static void line_write(const char *format, va_list arguments) {
    static const char prefix[] = "linux: ";
    char line[LINE_SIZE];
    size_t length = sizeof(prefix) - 1;

    memcpy(line, prefix, length);
    length += format_text_va(line + length, sizeof(line) - 1 - length, format, arguments);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length++] = '\n';
    if (system_handles.log)
        keel_log_write(system_handles.log, keel_pointer(line), length);
}

void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line_write(format, arguments);
    va_end(arguments);
}

_Noreturn void fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line_write(format, arguments);
    va_end(arguments);
    keel_process_exit(FATAL_STATUS);
    __builtin_unreachable();
}
