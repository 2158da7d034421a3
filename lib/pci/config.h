/*
 * Reading a PCI function's configuration space from a copy of it, 256 or 4096 bytes: pure functions, shared
 * by `devices` and by drivers. The device is not trusted: capability lists may loop or lead anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    PCI_CONFIG_SIZE = 256,
    PCI_CONFIG_SIZE_EXPRESS = 4096,
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08, /* and the class code in the three bytes behind */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_BUS_SECONDARY = 0x19,
    PCI_BUS_SUBORDINATE = 0x1a,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_ROM = 0x30,
    PCI_CAPABILITIES = 0x34,
    PCI_BRIDGE_ROM = 0x38,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};

enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_NO_INTX = 0x400 };
enum { PCI_STATUS_CAPABILITIES = 0x10 };
enum { PCI_HEADER_MASK = 0x7f, PCI_HEADER_MULTIPLE = 0x80, PCI_HEADER_DEVICE = 0, PCI_HEADER_BRIDGE = 1 };

enum pci_capability_id {
    PCI_CAP_POWER = 0x01,
    PCI_CAP_MSI = 0x05,
    PCI_CAP_VENDOR = 0x09,
    PCI_CAP_SUBSYSTEM = 0x0d,
    PCI_CAP_EXPRESS = 0x10,
    PCI_CAP_MSIX = 0x11,
};

/* A copy of a configuration space. Reads beyond its end give all ones, as the bus does. */
struct pci_config {
    const uint8_t *bytes;
    uint32_t length;
};

static inline uint8_t pci_read8(const struct pci_config *config, uint32_t offset) {
    return offset < config->length ? config->bytes[offset] : UINT8_MAX;
}
static inline uint16_t pci_read16(const struct pci_config *config, uint32_t offset) {
    return (uint16_t)(pci_read8(config, offset) | pci_read8(config, offset + 1) << 8);
}
static inline uint32_t pci_read32(const struct pci_config *config, uint32_t offset) {
    return pci_read16(config, offset) | (uint32_t)pci_read16(config, offset + 2) << 16;
}

/* A walk over the capability list. */
struct pci_capabilities {
    const struct pci_config *config;
    uint8_t next;
    uint64_t seen; /* a bit for each place where a capability can stand */
};

void pci_capabilities_begin(struct pci_capabilities *walk, const struct pci_config *config);
/* Steps to the next capability: 1 with its id and offset, 0 at the end, -EPROTO when the list loops, points
 * into the header, or its entry leaves the first 256 bytes. */
int pci_capability_next(struct pci_capabilities *walk, uint8_t *id, uint8_t *offset);
/* The first capability of an id: its offset, 0 when there is none or the list is damaged before it. */
uint8_t pci_capability_find(const struct pci_config *config, uint8_t id);

/* Where an MSI-X table lies. */
struct pci_msix {
    uint8_t capability; /* offset in the configuration space */
    uint8_t bar;        /* 0-5 */
    uint16_t count;     /* entries, 1-2048 */
    uint32_t offset;    /* bytes into the BAR */
};
/* 0, -ENOENT no such capability, -EPROTO a BAR that does not exist. */
int pci_msix_find(const struct pci_config *config, struct pci_msix *msix);
