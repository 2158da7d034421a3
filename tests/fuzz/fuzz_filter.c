/* sources: linux/net/filter.c */
/*
 * Filters of packet sockets: whatever program passes the check ends and stays inside the frame, however
 * short. Input: a number of instructions, the instructions, the frame.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/net/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t count = size ? data[0] % 32U : 0;
    if (size < 1 + count * sizeof(struct sock_filter) + ETH_HLEN)
        return 0;
    size_t length = size - 1 - count * sizeof(struct sock_filter);
    struct filter *filter = malloc(sizeof *filter + count * sizeof(struct sock_filter));
    uint8_t *bytes = malloc(length); /* red zones stand around both */
    filter->length = count;
    memcpy(filter->instructions, data + 1, count * sizeof(struct sock_filter));
    memcpy(bytes, data + size - length, length);
    for (uint32_t i = 0; i < count; i++) /* so that more programs pass */
        filter->instructions[i].code &= 0xff;
    for (uint32_t skipped = 0; skipped <= ETH_HLEN; skipped += ETH_HLEN) {
        struct filter_frame frame = {.bytes = bytes + skipped,
                                     .length = (uint32_t)length - skipped,
                                     .link = bytes,
                                     .network = bytes + ETH_HLEN,
                                     .protocol = 0x0800};
        if (filter_check(filter->instructions, count) == 0)
            (void)filter_run(filter, &frame);
    }
    free(bytes);
    free(filter);
    return 0;
}
