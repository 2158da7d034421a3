/* The log on standard error, for tests without linux/log.c, whose functions take the place of these. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "linux/arch/host/host.h"
#include "linux/platform.h"

bool host_quiet;

static void print(const char *format, va_list arguments) {
    fputs("linux: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

__attribute__((weak)) void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!host_quiet)
        print(format, arguments);
    va_end(arguments);
}

__attribute__((weak)) void fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
    abort();
}
