/* See text.h. The arguments are taken as the 64-bit words that the calling convention makes of them all. */
#include "kernel/text.h"

#include "lib/base/string.h"

/* The digits before end; returns the first. */
static char *digits_before(char *end, uint64_t value, unsigned base) {
    do {
        *--end = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    return end;
}

size_t text_format(char *to, size_t size, const char *format, va_list arguments) {
    size_t length = 0;
    for (; *format; format++) {
        char digits[20]; /* of 2^64 - 1 */
        const char *text = format;
        size_t count = 1;
        if (*format == '%') {
            bool wide = *++format == 'l';
            format += wide;
            uint64_t value = va_arg(arguments, uint64_t);
            if (*format == 's') {
                text = (const char *)(uintptr_t)value;
                count = strlen(text);
            } else {
                char *end = digits + sizeof(digits);
                text = digits_before(end, wide ? value : (uint32_t)value, *format == 'x' ? 16 : 10);
                count = (size_t)(end - text);
            }
        }
        for (; count && length + 1 < size; count--)
            to[length++] = *text++;
    }
    to[length] = 0;
    return length;
}
