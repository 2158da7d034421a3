/* sources: lib/pci/accelerator.c */
/* What is recognised as a graphics card or an accelerator, by identities of real devices, which QEMU does not
 * have. */
#include "lib/pci/accelerator.h"

#include <string.h>

#include "tests/unit/check.h"

static void expect(uint16_t vendor, uint16_t device, uint32_t class_code, enum accelerator_kind kind,
                   const char *maker, const char *family) {
    struct accelerator_identity found = accelerator_identify(vendor, device, class_code);
    CHECK_EQ(found.kind, kind);
    CHECK(maker ? found.maker && !strcmp(found.maker, maker) : !found.maker);
    CHECK(family ? found.family && !strcmp(found.family, family) : !found.family);
}

TEST(graphics) {
    expect(0x8086, 0x46a6, 0x030000, ACCELERATOR_GPU, "Intel", NULL);
    expect(0x10de, 0x2204, 0x030000, ACCELERATOR_GPU, "NVIDIA", NULL);
    expect(0x10de, 0x20b0, 0x030200, ACCELERATOR_GPU, "NVIDIA", NULL); /* a 3D controller, without a screen */
    expect(0x1002, 0x5046, 0x030000, ACCELERATOR_GPU, "AMD", NULL);
    expect(0x1002, 0x740c, 0x038000, ACCELERATOR_GPU, "AMD", NULL);
    expect(0x1234, 0x1111, 0x030000, ACCELERATOR_GPU, "QEMU", NULL);
    expect(0x1af4, 0x1050, 0x038000, ACCELERATOR_GPU, "virtio", "virtio-gpu");
    expect(0xabcd, 0x0001, 0x030000, ACCELERATOR_GPU, NULL, NULL);
}

TEST(accelerators) {
    expect(0x8086, 0x7d1d, 0x120000, ACCELERATOR_NPU, "Intel", "Meteor Lake NPU");
    expect(0x1022, 0x1502, 0x118000, ACCELERATOR_NPU, "AMD",
           "XDNA NPU"); /* its class says signal processing */
    expect(0x1ac1, 0x089a, 0x088000, ACCELERATOR_TPU, "Google", "Edge TPU");
    expect(0x1ae0, 0x0027, 0x120000, ACCELERATOR_TPU, "Google", NULL);
    expect(0x1da3, 0x1000, 0x120000, ACCELERATOR_NPU, "Habana", "Gaudi");
    expect(0x8086, 0x0001, 0x120000, ACCELERATOR_OTHER, "Intel", NULL);
    expect(0x8086, 0x4940, 0x0b4000, ACCELERATOR_OTHER, "Intel", NULL);
}

TEST(others) {
    expect(0x8086, 0x10d3, 0x020000, ACCELERATOR_NONE, NULL, NULL);
    expect(0x10de, 0x10f0, 0x040300, ACCELERATOR_NONE, NULL, NULL); /* the sound of a graphics card */
    expect(0x1022, 0x1480, 0x060000, ACCELERATOR_NONE, NULL, NULL);
    expect(0x1af4, 0x1042, 0x010000, ACCELERATOR_NONE, NULL, NULL);
}

TEST_MAIN();
