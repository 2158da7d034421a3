/*
 * The guest's vector state. It lives in the CPU while the personality (general registers only) runs; fork,
 * signal frames and exec reach it here through XSAVE's standard format.
 */
#include "linux/arch/x86_64/vector.h"

#include <stdint.h>

#include "lib/base/string.h"
#include "linux/platform.h"
#include "linux/task/process.h"

enum {
    LEGACY_SIZE = 512,
    HEADER_SIZE = 64,
    MXCSR_OFFSET = 24,
    MXCSR_MASK_OFFSET = 28,
    CONTROL_WORD_INITIAL = 0x37f,
    MXCSR_INITIAL = 0x1f80,
    MXCSR_MASK_DEFAULT = 0xffbf,
};

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) {
    __asm__("cpuid"
            : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
            : "a"(leaf), "c"(subleaf));
}

size_t guest_vector_size(void) {
    static size_t size; /* the same for every thread that computes it */
    if (!size) {
        uint32_t registers[4];
        cpuid(13, 0, registers);
        size = registers[1];
    }
    return size;
}

uint64_t guest_vector_features(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void guest_vector_save(void *image) {
    memset((char *)image + LEGACY_SIZE, 0, HEADER_SIZE);
    __asm__ volatile("xsave64 (%0)" : : "r"(image), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}

static uint32_t mxcsr_mask(void) {
    static uint32_t mask;
    if (!mask) {
        _Alignas(16) uint8_t image[LEGACY_SIZE];
        uint32_t found;
        memset(image, 0, sizeof(image));
        __asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
        memcpy(&found, image + MXCSR_MASK_OFFSET, sizeof(found));
        mask = found ? found : MXCSR_MASK_DEFAULT;
    }
    return mask;
}

/* What XRSTOR would fault on. */
static bool image_valid(const uint8_t *image) {
    uint64_t header[HEADER_SIZE / sizeof(uint64_t)];
    uint32_t mxcsr;
    memcpy(header, image + LEGACY_SIZE, sizeof(header));
    memcpy(&mxcsr, image + MXCSR_OFFSET, sizeof(mxcsr));
    if (header[0] & ~guest_vector_features() || mxcsr & ~mxcsr_mask())
        return false;
    for (unsigned i = 1; i < HEADER_SIZE / sizeof(uint64_t); i++)
        if (header[i])
            return false;
    return true;
}

int guest_vector_load(void *image) {
    if (!image_valid(image))
        return -EINVAL;
    __asm__ volatile("xrstor64 (%0)" : : "r"(image), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
    return 0;
}

void guest_vector_initial(void *image) {
    uint16_t control = CONTROL_WORD_INITIAL;
    uint32_t mxcsr = MXCSR_INITIAL;
    memset(image, 0, guest_vector_size());
    memcpy(image, &control, sizeof(control));
    memcpy((char *)image + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

/* XSTATE_BV of 0 puts every component into its initial state; MXCSR is loaded all the same. */
void guest_vector_reset(void) {
    _Alignas(64) uint8_t image[LEGACY_SIZE + HEADER_SIZE];
    uint32_t mxcsr = MXCSR_INITIAL;
    memset(image, 0, sizeof(image));
    memcpy(image + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    __asm__ volatile("xrstor64 (%0)" : : "r"(image), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}
