/* sources: servers/init/framebuffer.c */
/* What a firmware may say about its framebuffer, and what is refused. */
#include "servers/init/framebuffer.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct boot_framebuffer good = {
    .address = 0xfd000000,
    .width = 1280,
    .height = 800,
    .pitch = 5120,
    .bits = 32,
    .red = {16, 8},
    .green = {8, 8},
    .blue = {0, 8},
};

static const struct boot_range ranges[] = {
    {.base = 0x1000, .length = 0x9e000, .kind = BOOT_RANGE_FREE},
    {.base = 0x100000, .length = 0x7ff00000, .kind = BOOT_RANGE_FREE},
    {.base = 0x80000000, .length = 0x10000000, .kind = BOOT_RANGE_FIRMWARE},
    {.base = 0x100000000, .length = 0x100000000, .kind = BOOT_RANGE_ARCHIVE},
};

static void problem_is(const struct boot_framebuffer *framebuffer, const char *problem) {
    const char *got = framebuffer_check(framebuffer, ranges, sizeof ranges / sizeof ranges[0]);
    if ((got == NULL) != (problem == NULL) || (got && strcmp(got, problem) != 0)) {
        fprintf(stderr, "\"%s\", not \"%s\"\n", got ? got : "good", problem ? problem : "good");
        exit(1);
    }
}

#define CHANGED(field, value)                                                                                \
    (&(struct boot_framebuffer){.address = good.address,                                                     \
                                .width = good.width,                                                         \
                                .height = good.height,                                                       \
                                .pitch = good.pitch,                                                         \
                                .bits = good.bits,                                                           \
                                .red = good.red,                                                             \
                                .green = good.green,                                                         \
                                .blue = good.blue,                                                           \
                                .field = value})

#pragma GCC diagnostic ignored "-Woverride-init"

TEST(accepted) {
    static const struct boot_framebuffer small = {.address = 0xe0000800,
                                                  .width = 640,
                                                  .height = 480,
                                                  .pitch = 1280,
                                                  .bits = 16,
                                                  .red = {11, 5},
                                                  .green = {5, 6},
                                                  .blue = {0, 5}};
    struct framebuffer_pages pages;
    problem_is(&good, NULL);
    problem_is(&small, NULL);
    problem_is(CHANGED(address, 0x80001000), NULL); /* in memory that the firmware set aside */
    framebuffer_describe(&small, &pages);
    CHECK_EQ(pages.base, 0xe0000000);
    CHECK_EQ(pages.length, 0x97000);
    CHECK_EQ(strcmp(pages.argument, "--framebuffer=2048,640,480,1280,16,11:5,5:6,0:5"), 0);
}

TEST(refused) {
    problem_is(CHANGED(address, 0), "there is none");
    problem_is(CHANGED(width, 0), "its size is not possible");
    problem_is(CHANGED(width, 0xffffffff), "its size is not possible");
    problem_is(CHANGED(height, 16385), "its size is not possible");
    problem_is(CHANGED(bits, 8), "its pixels have neither 16 nor 24 nor 32 bits");
    problem_is(CHANGED(bits, 0x80000020), "its pixels have neither 16 nor 24 nor 32 bits");
    problem_is(CHANGED(pitch, 5119), "its lines are too short or too long");
    problem_is(CHANGED(pitch, 0xfffffff0), "its lines are too short or too long");
    problem_is(CHANGED(red.shift, 25), "its colours overlap or do not fit a pixel");
    problem_is(CHANGED(red.shift, 255), "its colours overlap or do not fit a pixel");
    problem_is(CHANGED(red.shift, 12), "its colours overlap or do not fit a pixel");
    problem_is(CHANGED(blue.bits, 0), "its colours overlap or do not fit a pixel");
    problem_is(CHANGED(blue.bits, 200), "its colours overlap or do not fit a pixel");
    problem_is(CHANGED(address, 1ULL << 52), "it does not lie in physical memory");
    problem_is(CHANGED(address, UINT64_MAX - 4095), "it does not lie in physical memory");
    problem_is(CHANGED(address, (1ULL << 52) - 4096), "it does not lie in physical memory");
    problem_is(CHANGED(address, 0x200000), "it lies in memory that is in use");
    problem_is(CHANGED(address, 0x7ffff000), "it lies in memory that is in use");
    problem_is(CHANGED(address, 0xfffff000), "it lies in memory that is in use");
    problem_is(CHANGED(address, 0x1ffff0000), "it lies in memory that is in use");
}

TEST_MAIN();
