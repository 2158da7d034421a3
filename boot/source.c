/* See source.h. */
#include "boot/source.h"

#include "lib/base/string.h"

bool source_add_memory(struct boot_source *source, uint64_t base, uint64_t length, bool usable) {
    if (source->memory_count) {
        struct source_memory *last = &source->memory[source->memory_count - 1];
        if (last->usable == usable && last->base + last->length == base && length <= UINT64_MAX - base) {
            last->length += length;
            return true;
        }
    }
    if (source->memory_count == SOURCE_MAX_MEMORY)
        return false;
    source->memory[source->memory_count++] = (struct source_memory){base, length, usable, 0};
    return true;
}

bool source_set_command_line(struct boot_source *source, const char *text, uint64_t length) {
    bool fits = length <= SOURCE_COMMAND_LINE;

    source->command_line_length = fits ? length : SOURCE_COMMAND_LINE;
    memcpy(source->command_line, text, source->command_line_length);
    return fits;
}

bool source_has_word(const struct boot_source *source, const char *word) {
    const char *at = source->command_line, *end = at + source->command_line_length;
    size_t length = strlen(word);

    while (at < end) {
        const char *from = at;
        while (at < end && *at != ' ')
            at++;
        if ((size_t)(at - from) == length && !memcmp(from, word, length))
            return true;
        at++;
    }
    return false;
}

char source_option(const struct boot_source *source, const char *text, uint32_t *letters) {
    size_t length = strlen(text);
    char last = 0;

    *letters = 0;
    for (size_t i = 0; i + length < source->command_line_length; i++)
        if (!memcmp(source->command_line + i, text, length)) {
            last = source->command_line[i + length];
            *letters |= 1u << last % 32;
        }
    return last;
}
