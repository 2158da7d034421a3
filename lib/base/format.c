/* See format.h. */
#include "lib/base/format.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/string.h"

struct sink {
    char *buffer;
    size_t size, length;
};

struct conversion {
    bool left, zero, has_precision;
    int width, precision, longs;
};

static void sink_put(struct sink *sink, char c) {
    if (sink->length + 1 < sink->size)
        sink->buffer[sink->length] = c;
    sink->length++;
}

static void sink_pad(struct sink *sink, char c, int count) {
    while (count-- > 0)
        sink_put(sink, c);
}

static void sink_text(struct sink *sink, const struct conversion *how, const char *text, size_t length) {
    int padding = how->width - (int)length;
    if (!how->left)
        sink_pad(sink, ' ', padding);
    for (size_t i = 0; i < length; i++)
        sink_put(sink, text[i]);
    if (how->left)
        sink_pad(sink, ' ', padding);
}

static void sink_number(struct sink *sink, const struct conversion *how, uint64_t value, bool negative,
                        unsigned base) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);

    int zeros = how->has_precision ? how->precision - count : 0;
    if (how->zero && !how->left && !how->has_precision)
        zeros = how->width - count - negative;
    if (zeros < 0)
        zeros = 0;
    int padding = how->width - count - zeros - negative;

    if (!how->left)
        sink_pad(sink, ' ', padding);
    if (negative)
        sink_put(sink, '-');
    sink_pad(sink, '0', zeros);
    while (count > 0)
        sink_put(sink, digits[--count]);
    if (how->left)
        sink_pad(sink, ' ', padding);
}

static int parse_number(const char **format, va_list *arguments) {
    int value = 0;
    if (**format == '*') {
        (*format)++;
        return va_arg(*arguments, int);
    }
    while (**format >= '0' && **format <= '9')
        value = value * 10 + *(*format)++ - '0';
    return value;
}

static struct conversion parse_conversion(const char **format, va_list *arguments) {
    struct conversion how = {0};
    for (;; (*format)++) {
        if (**format == '-')
            how.left = true;
        else if (**format == '0')
            how.zero = true;
        else
            break;
    }
    how.width = parse_number(format, arguments);
    if (**format == '.') {
        (*format)++;
        how.has_precision = true;
        how.precision = parse_number(format, arguments);
    }
    for (;; (*format)++) {
        if (**format == 'l' || **format == 'z')
            how.longs++;
        else if (**format != 'h')
            break;
    }
    return how;
}

static void convert_number(struct sink *sink, const struct conversion *how, char type, va_list *arguments) {
    if (type == 'd' || type == 'i') {
        int64_t value = how->longs ? va_arg(*arguments, long) : va_arg(*arguments, int);
        sink_number(sink, how, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10);
        return;
    }
    uint64_t value = how->longs ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned int);
    sink_number(sink, how, value, false, type == 'u' ? 10 : type == 'o' ? 8 : 16);
}

static void convert(struct sink *sink, const struct conversion *how, char type, va_list *arguments) {
    switch (type) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'o':
        convert_number(sink, how, type, arguments);
        return;
    case 'p':
        sink_put(sink, '0');
        sink_put(sink, 'x');
        sink_number(sink, how, (uint64_t)(uintptr_t)va_arg(*arguments, void *), false, 16);
        return;
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        sink_text(sink, how, &c, 1);
        return;
    }
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        if (!text)
            text = "(null)";
        sink_text(sink, how, text, strnlen(text, how->has_precision ? (size_t)how->precision : SIZE_MAX));
        return;
    }
    default:
        sink_put(sink, type);
    }
}

size_t format_text_va(char *buffer, size_t size, const char *format, va_list arguments) {
    struct sink sink = {.buffer = buffer, .size = size};
    va_list copy;

    va_copy(copy, arguments);
    while (*format) {
        char c = *format++;
        if (c != '%') {
            sink_put(&sink, c);
            continue;
        }
        struct conversion how = parse_conversion(&format, &copy);
        if (!*format)
            break;
        convert(&sink, &how, *format++, &copy);
    }
    va_end(copy);
    if (size)
        buffer[sink.length < size ? sink.length : size - 1] = 0;
    return sink.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_va(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
