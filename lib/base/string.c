/*
 * See string.h. Copies and fills run by quad words: under emulation, and on processors without ERMS, the byte
 * forms of the string instructions cost one step a byte.
 */
#include "lib/base/string.h"

#include <stdint.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t length) {
    void *result = destination;
    size_t words = length / 8;
    __asm__ volatile("rep movsq" : "+D"(destination), "+S"(source), "+c"(words) : : "memory");
    words = length % 8;
    __asm__ volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(words) : : "memory");
    return result;
}

void *memmove(void *destination, const void *source, size_t length) {
    unsigned char *to = destination;
    const unsigned char *from = source;

    if ((uintptr_t)to - (uintptr_t)from >= length)
        return memcpy(destination, source, length);
    while (length-- > 0)
        to[length] = from[length];
    return destination;
}

void *memset(void *destination, int value, size_t length) {
    void *at = destination;
    uint64_t pattern = 0x0101010101010101ULL * (unsigned char)value;
    size_t count = length / 8;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(pattern) : "memory");
    count = length % 8;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(pattern) : "memory");
    return destination;
}

int memcmp(const void *left, const void *right, size_t length) {
    const unsigned char *a = left, *b = right;
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

void *memchr(const void *bytes, int value, size_t length) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++)
        if (at[i] == (unsigned char)value)
            return (void *)(at + i);
    return NULL;
}

size_t strnlen(const char *text, size_t most) {
    size_t length = 0;
    while (length < most && text[length])
        length++;
    return length;
}

size_t strlen(const char *text) {
    return strnlen(text, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t most) {
    for (size_t i = 0; i < most; i++) {
        if (left[i] != right[i])
            return (unsigned char)left[i] - (unsigned char)right[i];
        if (!left[i])
            break;
    }
    return 0;
}

int strcmp(const char *left, const char *right) {
    return strncmp(left, right, SIZE_MAX);
}

char *strchr(const char *text, int value) {
    for (;; text++) {
        if (*text == (char)value)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

char *strrchr(const char *text, int value) {
    char *last = NULL;
    for (;; text++) {
        if (*text == (char)value)
            last = (char *)text;
        if (!*text)
            return last;
    }
}
