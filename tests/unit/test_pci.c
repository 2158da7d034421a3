/* sources: lib/pci/config.c */
/* Configuration spaces as a broken or hostile device would show them. */
#include "lib/pci/config.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static uint8_t space[PCI_CONFIG_SIZE];
static const struct pci_config config = {space, sizeof space};

static void capability_put(uint8_t at, uint8_t id, uint8_t next) {
    space[at] = id;
    space[at + 1] = next;
}

static void list_begin(uint8_t first) {
    memset(space, 0, sizeof space);
    space[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    space[PCI_CAPABILITIES] = first;
}

/* Walks to the end; the count of capabilities, or the error. */
static int walk(void) {
    struct pci_capabilities list;
    uint8_t id, offset;
    int result, count = 0;
    pci_capabilities_begin(&list, &config);
    while ((result = pci_capability_next(&list, &id, &offset)) == 1)
        count++;
    return result < 0 ? result : count;
}

TEST(list_in_order) {
    list_begin(0x40);
    capability_put(0x40, PCI_CAP_POWER, 0x80);
    capability_put(0x80, PCI_CAP_MSI, 0x60);
    capability_put(0x60, PCI_CAP_MSIX, 0);
    CHECK_EQ(walk(), 3);
    CHECK_EQ(pci_capability_find(&config, PCI_CAP_MSI), 0x80);
    CHECK_EQ(pci_capability_find(&config, PCI_CAP_VENDOR), 0);
}

TEST(no_list) {
    list_begin(0x40);
    capability_put(0x40, PCI_CAP_POWER, 0);
    space[PCI_STATUS] = 0;
    CHECK_EQ(walk(), 0);
    const struct pci_config shorter = {space, 64};
    space[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    CHECK_EQ(pci_capability_find(&shorter, PCI_CAP_POWER), 0);
}

TEST(loop_is_refused) {
    list_begin(0x40);
    capability_put(0x40, PCI_CAP_POWER, 0x50);
    capability_put(0x50, PCI_CAP_MSI, 0x40);
    CHECK_EQ(walk(), -EPROTO);
    capability_put(0x50, PCI_CAP_MSI, 0x50);
    CHECK_EQ(walk(), -EPROTO);
}

TEST(pointer_into_the_header_is_refused) {
    list_begin(0x10);
    CHECK_EQ(walk(), -EPROTO);
}

TEST(absent_device_is_refused) {
    list_begin(0x40);
    memset(space + 0x40, 0xff, sizeof space - 0x40);
    CHECK_EQ(walk(), -EPROTO);
}

TEST(low_bits_of_pointers_do_not_count) {
    list_begin(0x43);
    capability_put(0x40, PCI_CAP_POWER, 0x51);
    capability_put(0x50, PCI_CAP_MSI, 3);
    CHECK_EQ(walk(), 2);
}

TEST(msix_table) {
    struct pci_msix msix;
    list_begin(0x40);
    CHECK_EQ(pci_msix_find(&config, &msix), -ENOENT);
    capability_put(0x40, PCI_CAP_MSIX, 0);
    space[0x42] = 3;
    space[0x44] = 4;
    space[0x45] = 0x20;
    CHECK_EQ(pci_msix_find(&config, &msix), 0);
    CHECK_EQ(msix.count, 4);
    CHECK_EQ(msix.bar, 4);
    CHECK_EQ(msix.offset, 0x2000);
    space[0x44] = 6;
    CHECK_EQ(pci_msix_find(&config, &msix), -EPROTO);
    list_begin(0xfc);
    capability_put(0xfc, PCI_CAP_MSIX, 0);
    CHECK_EQ(pci_msix_find(&config, &msix), -EPROTO);
}

TEST_MAIN();
