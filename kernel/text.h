/* The text of log lines and panics: as much of printf as those need. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Formats %s, and %u and %x, both also with l; nothing between. What does not fit into size bytes, more than
 * 0 and with the final 0, is left out. Returns the length without that. */
size_t text_format(char *to, size_t size, const char *format, va_list arguments);
