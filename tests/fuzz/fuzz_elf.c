/* sources: lib/base/elf.c */
/* Feeds arbitrary bytes to the ELF validator and checks what it promises about those it accepts. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint64_t limit = 0x800000000000;
    struct elf_image image;
    struct elf_segment load;
    uint64_t end = 0;
    uint32_t index = 0;

    if (elf_read_header(&image, data, size, size))
        return 0;
    const uint8_t *segments = data + image.segments_offset;
    if (elf_read_segments(&image, segments, 4096, limit))
        return 0;
    while (elf_next_segment(&image, segments, ELF_LOAD, &index, &load)) {
        if (load.address < 4096 || load.address < end || load.address + load.memory_size > limit)
            abort();
        if (load.file_size > load.memory_size)
            abort();
        if (load.file_size > 0 &&
            (load.offset + load.file_size > size || load.offset + load.file_size < load.offset))
            abort();
        end = load.address + load.memory_size;
        if (load.address < image.low || end > image.high)
            abort();
    }
    return 0;
}
