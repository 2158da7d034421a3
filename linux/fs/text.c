/* Texts that grow on the heap, for /proc. */
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/fs/proc.h"
#include "linux/heap.h"

enum { FIRST_CAPACITY = 256 };

/* Room for length more bytes; false when there is none. */
static bool reserve(struct text *text, size_t length) {
    size_t capacity = text->capacity ? text->capacity : FIRST_CAPACITY;
    if (text->failed)
        return false;
    while (capacity - text->length < length)
        capacity *= 2;
    if (capacity == text->capacity)
        return true;
    char *bytes = heap_alloc(capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    if (text->length)
        memcpy(bytes, text->bytes, text->length);
    heap_free(text->bytes);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_bytes(struct text *text, const void *bytes, size_t length) {
    if (!length || !reserve(text, length))
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void text_add(struct text *text, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_va(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < sizeof(line)) {
        text_bytes(text, line, length);
    } else if (reserve(text, length + 1)) {
        va_start(arguments, format);
        text->length += format_text_va(text->bytes + text->length, length + 1, format, arguments);
        va_end(arguments);
    }
}

void text_capitals(struct text *text, const char *name, uint32_t value, unsigned least) {
    char digits[9];
    unsigned count = 8;
    for (unsigned i = 0; i < 8; i++)
        digits[i] = "0123456789ABCDEF"[value >> (28 - 4 * i) & 15];
    digits[8] = 0;
    while (count > least && digits[8 - count] == '0')
        count--;
    text_add(text, "%s%s", name, digits + 8 - count);
}

void text_escaped(struct text *text, const char *string, const char *escape) {
    for (; *string; string++) {
        if (strchr(escape, *string))
            text_add(text, "\\%03o", (unsigned char)*string);
        else
            text_bytes(text, string, 1);
    }
}

void text_free(struct text *text) {
    heap_free(text->bytes);
    *text = (struct text){0};
}
