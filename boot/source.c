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

struct word {
    const char *text;
    size_t length;
};

/* The word that begins at an offset into the command line; adds its length and that of a blank. */
static struct word word_next(const struct boot_source *source, size_t *at) {
    struct word word = {source->command_line + *at, 0};

    while (*at + word.length < source->command_line_length && word.text[word.length] != ' ')
        word.length++;
    *at += word.length + 1;
    return word;
}

bool source_has_word(const struct boot_source *source, const char *text) {
    size_t length = strlen(text);

    for (size_t at = 0; at < source->command_line_length;) {
        struct word word = word_next(source, &at);
        if (word.length == length && !memcmp(word.text, text, length))
            return true;
    }
    return false;
}

const char *source_value(const struct boot_source *source, const char *text, size_t *length) {
    size_t prefix = strlen(text);
    const char *value = NULL;

    for (size_t at = 0; at < source->command_line_length;) {
        struct word word = word_next(source, &at);
        if (word.length < prefix || memcmp(word.text, text, prefix) != 0)
            continue;
        value = word.text + prefix;
        *length = word.length - prefix;
    }
    return value;
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
