/* See accelerator.h. Classes: PCI Code and ID Assignment Specification. */
#include "lib/pci/accelerator.h"

#include <stddef.h>

enum { CLASS_DISPLAY = 0x03, CLASS_COPROCESSOR = 0x0b40, CLASS_ACCELERATOR = 0x1200 };
enum {
    INTEL = 0x8086,
    NVIDIA = 0x10de,
    AMD_GRAPHICS = 0x1002, /* once ATI */
    AMD = 0x1022,
    GOOGLE = 0x1ae0,
    APEX = 0x1ac1, /* Global Unichip, which makes Google's Edge TPU */
    HABANA = 0x1da3,
    QEMU_STD = 0x1234,
    REDHAT = 0x1b36,
    VIRTIO = 0x1af4,
    CIRRUS = 0x1013,
    VMWARE = 0x15ad,
};

static const struct {
    uint16_t vendor;
    const char *name;
} makers[] = {
    {INTEL, "Intel"},    {NVIDIA, "NVIDIA"}, {AMD_GRAPHICS, "AMD"}, {AMD, "AMD"},
    {GOOGLE, "Google"},  {APEX, "Google"},   {HABANA, "Habana"},    {QEMU_STD, "QEMU"},
    {REDHAT, "Red Hat"}, {VIRTIO, "virtio"}, {CIRRUS, "Cirrus"},    {VMWARE, "VMware"},
};

/* Devices whose class does not tell what they are. */
static const struct {
    uint16_t vendor, device;
    enum accelerator_kind kind;
    const char *family;
} devices[] = {
    {INTEL, 0x7d1d, ACCELERATOR_NPU, "Meteor Lake NPU"}, {INTEL, 0xad1d, ACCELERATOR_NPU, "Arrow Lake NPU"},
    {INTEL, 0x643e, ACCELERATOR_NPU, "Lunar Lake NPU"},  {AMD, 0x1502, ACCELERATOR_NPU, "XDNA NPU"},
    {AMD, 0x17f0, ACCELERATOR_NPU, "XDNA NPU"},          {APEX, 0x089a, ACCELERATOR_TPU, "Edge TPU"},
    {HABANA, 0x0001, ACCELERATOR_NPU, "Goya"},           {HABANA, 0x1000, ACCELERATOR_NPU, "Gaudi"},
    {HABANA, 0x1020, ACCELERATOR_NPU, "Gaudi 2"},        {VIRTIO, 0x1050, ACCELERATOR_GPU, "virtio-gpu"},
};

static enum accelerator_kind kind_of_class(uint16_t vendor, uint32_t class_code) {
    uint32_t subclass = class_code >> 8;
    if (subclass >> 8 == CLASS_DISPLAY)
        return ACCELERATOR_GPU;
    if (subclass == CLASS_ACCELERATOR && vendor == GOOGLE)
        return ACCELERATOR_TPU;
    return subclass == CLASS_ACCELERATOR || subclass == CLASS_COPROCESSOR ? ACCELERATOR_OTHER
                                                                          : ACCELERATOR_NONE;
}

struct accelerator_identity accelerator_identify(uint16_t vendor, uint16_t device, uint32_t class_code) {
    struct accelerator_identity identity = {.kind = kind_of_class(vendor, class_code)};
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (devices[i].vendor == vendor && devices[i].device == device) {
            identity.kind = devices[i].kind;
            identity.family = devices[i].family;
        }
    for (size_t i = 0; identity.kind && i < sizeof(makers) / sizeof(makers[0]); i++)
        if (makers[i].vendor == vendor)
            identity.maker = makers[i].name;
    return identity;
}

const char *accelerator_kind_name(enum accelerator_kind kind) {
    switch (kind) {
    case ACCELERATOR_CPU:
        return "cpu";
    case ACCELERATOR_GPU:
        return "gpu";
    case ACCELERATOR_NPU:
        return "npu";
    case ACCELERATOR_TPU:
        return "tpu";
    case ACCELERATOR_OTHER:
        return "accelerator";
    case ACCELERATOR_NONE:
        break;
    }
    return "none";
}
