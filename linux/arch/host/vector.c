/* The guest's vector state on the host: a memory image per thread, in XSAVE's standard format with x87 and
 * SSE. */
#include <string.h>

#include "linux/arch/host/thread.h"
#include "linux/platform.h"
#include "linux/task/process.h"

enum {
    LEGACY_SIZE = 512,
    MXCSR_OFFSET = 24,
    FEATURES = 3,
    CONTROL_WORD_INITIAL = 0x37f,
    MXCSR_INITIAL = 0x1f80,
    MXCSR_MASK = 0xffff,
};

size_t guest_vector_size(void) {
    return sizeof(host_thread_self()->vector_image);
}
uint64_t guest_vector_features(void) {
    return FEATURES;
}

void guest_vector_save(void *image) {
    memcpy(image, host_thread_self()->vector_image, guest_vector_size());
}

int guest_vector_load(void *image) {
    uint64_t header[8];
    uint32_t mxcsr;
    memcpy(header, (char *)image + LEGACY_SIZE, sizeof(header));
    memcpy(&mxcsr, (char *)image + MXCSR_OFFSET, sizeof(mxcsr));
    if (header[0] & ~(uint64_t)FEATURES || mxcsr & ~(uint32_t)MXCSR_MASK)
        return -EINVAL;
    for (unsigned i = 1; i < 8; i++)
        if (header[i])
            return -EINVAL;
    memcpy(host_thread_self()->vector_image, image, guest_vector_size());
    return 0;
}

void guest_vector_reset(void) {
    uint8_t *image = host_thread_self()->vector_image;
    uint16_t control = CONTROL_WORD_INITIAL;
    uint32_t mxcsr = MXCSR_INITIAL;
    memset(image, 0, guest_vector_size());
    memcpy(image, &control, sizeof(control));
    memcpy(image + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}
