/* sources: lib/pci/config.c */
/* Any configuration space: the walk ends, and every capability lies in it and is seen once. */
#include "lib/pci/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* so that a read beyond the end is seen */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    struct pci_config config = {copy, (uint32_t)size};
    struct pci_capabilities walk;
    struct pci_msix msix;
    uint8_t id, offset, seen[PCI_CONFIG_SIZE] = {0};
    pci_capabilities_begin(&walk, &config);
    while (pci_capability_next(&walk, &id, &offset) == 1)
        if (offset < 0x40 || seen[offset]++)
            abort();
    if (pci_msix_find(&config, &msix) == 0 && (msix.bar > 5 || msix.count == 0 || msix.count > 2048))
        abort();
    free(copy);
    return 0;
}
