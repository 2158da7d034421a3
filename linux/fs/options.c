/* Mount options: the comma-separated text of mount(2)'s data. */
#include "linux/fs/options.h"

#include <stddef.h>

#include "lib/base/string.h"

/* The text behind NAME=, or NULL. */
static const char *find(const char *options, const char *name) {
    size_t length = strlen(name);
    while (options && *options) {
        if (!strncmp(options, name, length) && options[length] == '=')
            return options + length + 1;
        options = strchr(options, ',');
        if (options)
            options++;
    }
    return NULL;
}

/* Reads digits; too large a number saturates. *end is where they end. */
static uint64_t number(const char *text, unsigned base, const char **end) {
    uint64_t value = 0;
    for (; *text >= '0' && *text < '0' + (int)base; text++)
        value = value > UINT64_MAX / base - 1 ? UINT64_MAX / base : value * base + (uint64_t)(*text - '0');
    *end = text;
    return value;
}

bool option_number(const char *options, const char *name, unsigned base, uint64_t *value) {
    const char *text = find(options, name), *end;
    if (!text)
        return false;
    *value = number(text, base, &end);
    return true;
}

bool option_size(const char *options, const char *name, uint64_t whole, uint64_t *value) {
    const char *text = find(options, name), *end;
    if (!text)
        return false;
    uint64_t size = number(text, 10, &end);
    unsigned shift = *end == 'k' || *end == 'K'   ? 10
                     : *end == 'm' || *end == 'M' ? 20
                     : *end == 'g' || *end == 'G' ? 30
                                                  : 0;
    if (*end == '%')
        *value = whole / 100 * (size > 100 ? 100 : size);
    else
        *value = size > UINT64_MAX >> 31 ? UINT64_MAX >> 1 : size << shift;
    return true;
}
