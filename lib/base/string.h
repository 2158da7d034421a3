/* The part of <string.h> that freestanding code uses; the compiler may also call the mem functions itself. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
void *memset(void *destination, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);
void *memchr(const void *bytes, int value, size_t length);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t most);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t most);
char *strchr(const char *text, int value);
char *strrchr(const char *text, int value);
