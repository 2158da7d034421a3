/*
 * Finding PCI functions: buses behind bridges, with bounds for whatever the machine shows; the sizes of BARs,
 * but only when somebody asks, because a function has to be cut off from memory to tell them; what lspci
 * wants to know. Works on any way into configuration space (struct pci_access), so that tests have their own.
 */
#pragma once

#include "abi/devices.h"
#include "lib/pci/config.h"

enum { PCI_FUNCTIONS_MOST = 256, PCI_BUSES = 256, PCI_BARS = 6, PCI_BAR_ROM = 6 };

/* Configuration space by DEVICES_ADDRESS; width 1, 2 or 4 bytes. What is not there reads as all ones. */
struct pci_access {
    uint32_t (*read)(void *context, uint32_t address, uint32_t offset, unsigned width);
    void (*write)(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value);
    void *context;
    uint16_t config_length; /* 256 or 4096 */
};

struct pci_tree {
    const struct pci_access *access;
    struct devices_pci functions[PCI_FUNCTIONS_MOST]; /* in the order of their addresses */
    unsigned count;
    uint32_t found; /* so far */
    bool full;      /* there are more, which are not used */
    uint8_t visited[PCI_BUSES / 8];
};

/* Adds the functions on a root bus and all behind it. */
void pci_scan(struct pci_tree *tree, const struct pci_access *access, uint16_t segment, uint8_t bus);

/* Fills in the function's BARs of these kinds (PCI_COMMAND_IO, PCI_COMMAND_MEMORY), unless that was done, and
 * its ROM. The function decodes none of them for a moment: no driver may run. */
void pci_measure(const struct pci_access *access, struct devices_pci *function, uint32_t kinds);

/* Where the BAR at an index lies as it is set now; 0 when it is none for memory, or the upper half of one. */
uint64_t pci_bar_memory(const struct pci_access *access, const struct devices_pci *function, unsigned index);

/* Forgets the functions on a range of buses: those behind a port whose card has gone. */
void pci_forget(struct pci_tree *tree, uint16_t segment, uint8_t first, uint8_t last);

/* The function at an address, NULL: none. */
struct devices_pci *pci_find(struct pci_tree *tree, uint32_t address);

/* Copies configuration space: [0, length). */
void pci_config_copy(const struct pci_access *access, uint32_t address, uint8_t *to, uint32_t length);
