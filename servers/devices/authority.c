/* See authority.h. */
#include "servers/devices/authority.h"

#include <errno.h>

#include "lib/native/keel.h"

enum { KIND_SHIFT = 56 };

static const struct need {
    uint64_t pci_class, right; /* no right: everybody may */
} needs[] = {
    [DEVICES_BLOCK] = {DEVICES_PCI_STORAGE, RIGHT_FILE},
    [DEVICES_NET] = {DEVICES_PCI_NETWORK, RIGHT_NETWORK},
};

int64_t authority_check(handle_t sent, uint32_t device_class) {
    const struct need *need = &needs[device_class < sizeof needs / sizeof needs[0] ? device_class : 0];
    if (!need->right)
        return 0;
    int64_t resource =
        keel_handle_create(OBJECT_RESOURCE, sent, (uint64_t)RESOURCE_LINK << KIND_SHIFT | need->pci_class, 1);
    int64_t copy = resource < 0 ? resource : keel_handle_duplicate((uint64_t)resource, need->right);
    if (copy >= 0)
        (void)keel_handle_close((uint64_t)copy);
    if (resource >= 0)
        (void)keel_handle_close((uint64_t)resource);
    return copy >= 0 ? 0 : copy == -ENOMEM ? -ENOMEM : -EACCES;
}

int64_t authority_check_all(handle_t sent, const struct manifest *manifest) {
    int64_t error = 0;
    for (unsigned i = 0; i < manifest->link_count && !error; i++)
        error = authority_check(sent, manifest->links[i].device_class);
    return error;
}
