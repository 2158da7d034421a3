/* See config.h. */
#include "lib/pci/config.h"

#include "abi/errors.h"

enum { CAPABILITIES_FIRST = 0x40, MSIX_SIZE = 12, BARS = 6 };

void pci_capabilities_begin(struct pci_capabilities *walk, const struct pci_config *config) {
    bool has =
        config->length >= PCI_CONFIG_SIZE && (pci_read16(config, PCI_STATUS) & PCI_STATUS_CAPABILITIES);
    *walk = (struct pci_capabilities){
        .config = config,
        .next = has ? pci_read8(config, PCI_CAPABILITIES) & 0xfc : 0,
    };
}

int pci_capability_next(struct pci_capabilities *walk, uint8_t *id, uint8_t *offset) {
    if (walk->next == 0)
        return 0;
    uint64_t bit = 1ULL << walk->next / 4;
    if (walk->next < CAPABILITIES_FIRST || (walk->seen & bit))
        return -EPROTO;
    walk->seen |= bit;
    *offset = walk->next;
    *id = pci_read8(walk->config, walk->next);
    walk->next = pci_read8(walk->config, walk->next + 1U) & 0xfc;
    return *id == UINT8_MAX ? -EPROTO : 1;
}

uint8_t pci_capability_find(const struct pci_config *config, uint8_t id) {
    struct pci_capabilities walk;
    uint8_t found, offset;
    pci_capabilities_begin(&walk, config);
    while (pci_capability_next(&walk, &found, &offset) == 1)
        if (found == id)
            return offset;
    return 0;
}

int pci_msix_find(const struct pci_config *config, struct pci_msix *msix) {
    uint8_t at = pci_capability_find(config, PCI_CAP_MSIX);
    if (at == 0)
        return -ENOENT;
    uint32_t place = pci_read32(config, at + 4U);
    *msix = (struct pci_msix){
        .capability = at,
        .bar = place & 7,
        .count = (uint16_t)((pci_read16(config, at + 2U) & 0x7ff) + 1),
        .offset = place & ~7U,
    };
    return at > PCI_CONFIG_SIZE - MSIX_SIZE || msix->bar >= BARS ? -EPROTO : 0;
}
