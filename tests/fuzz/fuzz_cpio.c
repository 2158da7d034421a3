/* sources: lib/base/cpio.c */
/* Feeds arbitrary bytes to the cpio reader, follows archives behind archives and reads every byte they offer.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cpio cpio;
    struct cpio_entry entry;
    size_t offset = 0;
    int result;

    do {
        cpio_open(&cpio, data, size, offset);
        while ((result = cpio_next(&cpio, &entry)) == 1) {
            for (size_t i = 0; i <= entry.name_length; i++)
                sink += (unsigned char)entry.name[i];
            for (size_t i = 0; i < entry.size; i++)
                sink += entry.data[i];
            if (cpio.offset <= entry.offset)
                abort();
        }
        if (result < 0 && (!cpio.error || cpio.error_offset > size))
            abort();
        offset = cpio_skip_padding(&cpio);
    } while (result == 0 && offset < size);
    return 0;
}
