/*
 * Formatted text into a bounded buffer, without allocation. Conversions: %d %i %u %x %o %c %s %p %%, length
 * modifiers l, ll, z, h, hh, flags 0 and -, width and precision as numbers or *. A conversion outside this
 * set is copied as it stands.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size - 1 bytes and a 0 (nothing when size is 0). Returns the length of the whole text. */
size_t format_text(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t format_text_va(char *buffer, size_t size, const char *format, va_list arguments);
