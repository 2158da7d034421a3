/* sources: drivers/accel/work.c drivers/accel/kernels.c */
/* Any request is refused, or stays inside the memory, and comes to its end. */
#include "drivers/accel/work.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 8192, STEPS_MOST = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct accel_request request;
    struct accel_work work;
    uint8_t *memory = malloc(MEMORY); /* so that a byte beyond is seen */
    if (!memory || size < sizeof request) {
        free(memory);
        return 0;
    }
    memcpy(&request, data, sizeof request);
    size -= sizeof request;
    memset(memory, 0x3e, MEMORY);
    memcpy(memory, data + sizeof request, size < MEMORY ? size : MEMORY);
    /* Most values of whole registers are refused at once. */
    request.operation %= 8;
    request.kind %= 5;
    request.flags &= 1;
    request.reserved = 0;
    if (accel_begin(&work, &request, memory, MEMORY, accel_wide() && size % 2) == 0)
        for (unsigned i = 0; !accel_step(&work, 100) && i < STEPS_MOST; i++)
            continue;
    free(memory);
    return 0;
}
