/* sources: boot/multiboot.c boot/source.c */
/* Feeds arbitrary bytes to the reader of Multiboot2 information, in a buffer of exactly their size, and looks
 * at what it believed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/console.h"
#include "boot/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void boot_note(const char *format, ...) {
    (void)format;
}
void boot_fail(const char *format, ...) {
    (void)format;
    abort();
}

static void check(const struct boot_source *source) {
    if (source->memory_count == 0 || source->memory_count > SOURCE_MAX_MEMORY ||
        source->piece_count > SOURCE_MAX_PIECES || source->command_line_length > SOURCE_COMMAND_LINE ||
        source->rsdp_copied > SOURCE_RSDP)
        abort();
    for (uint32_t i = 0; i < source->piece_count; i++)
        if (source->pieces[i].length == 0 || source->pieces[i].address + source->pieces[i].length > 1ULL
                                                                                                        << 32)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct boot_source *source = calloc(1, sizeof(*source));
    uint8_t *copy = malloc(size ? size : 1);

    if (!source || !copy)
        abort();
    memcpy(copy, data, size);
    if (!multiboot_parse(copy, (uint32_t)size, source))
        check(source);
    free(copy);
    free(source);
    return 0;
}
