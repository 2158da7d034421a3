/* See interrupts.h. The PCI specification 3.0, section 6.8, and PCI Express 6.1.4. */
#include "servers/devices/interrupts.h"

#include <errno.h>
#include <stdio.h>

#include "abi/objects.h"
#include "lib/native/keel.h"
#include "servers/devices/hpet.h"
#include "servers/devices/machine.h"

enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_DATA_32 = 8, MSI_DATA_64 = 12 };
enum { MSI_ENABLE = 1, MSI_COUNT = 0x70, MSI_64 = 0x80, MSIX_ENABLE = 0x8000, MSIX_MASK_ALL = 0x4000 };
enum { MSIX_ENTRY = 16, MSIX_ADDRESS = 0, MSIX_DATA = 8, MSIX_CONTROL = 12, PAGE_BYTES = 4096 };
enum { LINE_NONE = 255, NAME_SIZE = 16 };

/* The next free message; an interrupt object, its address and data, or a negated error. */
static int64_t message_make(struct interrupt_info *info) {
    static uint32_t next = IRQ_MESSAGE_FIRST;
    int64_t made = -EBUSY;
    for (uint32_t tries = IRQ_MESSAGE_FIRST; tries < IRQ_MESSAGE_END && made < 0; tries++) {
        made = keel_handle_create(OBJECT_INTERRUPT, machine.irqs, next, 0);
        next = next + 1 < IRQ_MESSAGE_END ? next + 1 : IRQ_MESSAGE_FIRST;
    }
    if (made < 0)
        return made;
    int64_t error = keel_object_info((uint64_t)made, keel_pointer(info), sizeof *info);
    if (error >= 0)
        return made;
    (void)keel_handle_close((uint64_t)made);
    return error;
}

static void irq_grant(struct grants *grants, unsigned index, int64_t interrupt) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "irq%u", index);
    grant_made(grants, name, interrupt, RIGHT_RECV);
}

/* The function's copy of configuration space, as far as the capabilities reach. */
static struct pci_config config_of(const struct devices_pci *function, uint8_t bytes[PCI_CONFIG_SIZE]) {
    pci_config_copy(&machine.access, function->address, bytes, PCI_CONFIG_SIZE);
    return (struct pci_config){bytes, PCI_CONFIG_SIZE};
}

/* ---- MSI-X ---- */

/* Maps the table's entries; NULL when they do not lie in a BAR. */
static volatile uint32_t *table_map(const struct devices_pci *function, const struct pci_msix *msix,
                                    void **mapping, uint64_t *length) {
    const struct devices_bar *bar = &function->bars[msix->bar];
    uint64_t bytes = (uint64_t)msix->count * MSIX_ENTRY, start = bar->base + msix->offset;
    if (!(bar->flags & DEVICES_BAR_MEMORY) || msix->offset > bar->length ||
        bytes > bar->length - msix->offset)
        return NULL;
    uint64_t page = start & ~(uint64_t)(PAGE_BYTES - 1);
    *length = (start + bytes - page + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    int64_t vmo = machine_physical(page, *length);
    if (vmo < 0)
        return NULL;
    *mapping = memory_map((handle_t)vmo, 0, *length, MAP_READ | MAP_WRITE);
    (void)keel_handle_close((uint64_t)vmo);
    return *mapping ? (volatile uint32_t *)((uint8_t *)*mapping + (start - page)) : NULL;
}

static unsigned msix_fill(struct grants *grants, volatile uint32_t *table, unsigned count) {
    unsigned made = 0;
    for (; made < count; made++) {
        struct interrupt_info info = {0};
        int64_t interrupt = message_make(&info);
        if (interrupt < 0)
            break;
        volatile uint32_t *entry = table + made * (MSIX_ENTRY / 4);
        entry[MSIX_ADDRESS / 4] = (uint32_t)info.address;
        entry[MSIX_ADDRESS / 4 + 1] = (uint32_t)(info.address >> 32);
        entry[MSIX_DATA / 4] = (uint32_t)info.data;
        entry[MSIX_CONTROL / 4] = 0;
        irq_grant(grants, made, interrupt);
    }
    return made;
}

/* The table can be written only while the function decodes its memory. */
static bool msix_start(struct grants *grants, const struct devices_pci *function,
                       const struct pci_config *config, unsigned count) {
    struct pci_msix msix;
    void *mapping = NULL;
    uint64_t length = 0;
    if (pci_msix_find(config, &msix) < 0)
        return false;
    volatile uint32_t *table = table_map(function, &msix, &mapping, &length);
    if (!table)
        return false;
    uint32_t at = msix.capability + (uint32_t)MSI_CONTROL;
    uint32_t control = config_read(function->address, at, 2);
    config_write(function->address, at, 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
    unsigned made = msix_fill(grants, table, count < msix.count ? count : msix.count);
    control &= ~(uint32_t)(MSIX_ENABLE | MSIX_MASK_ALL);
    config_write(function->address, at, 2, made ? control | MSIX_ENABLE : control);
    memory_unmap(mapping, length);
    return made > 0;
}

/* ---- MSI ---- */

static bool msi_start(struct grants *grants, const struct devices_pci *function,
                      const struct pci_config *config) {
    uint8_t at = pci_capability_find(config, PCI_CAP_MSI);
    struct interrupt_info info = {0};
    if (!at || at > PCI_CONFIG_SIZE - 16)
        return false;
    int64_t interrupt = message_make(&info);
    if (interrupt < 0)
        return false;
    uint32_t address = function->address, control = config_read(address, at + (uint32_t)MSI_CONTROL, 2);
    config_write(address, at + (uint32_t)MSI_ADDRESS, 4, (uint32_t)info.address);
    if (control & MSI_64)
        config_write(address, at + (uint32_t)MSI_DATA_32, 4, (uint32_t)(info.address >> 32));
    config_write(address, at + (uint32_t)(control & MSI_64 ? MSI_DATA_64 : MSI_DATA_32), 2,
                 (uint32_t)info.data);
    config_write(address, at + (uint32_t)MSI_CONTROL, 2, (control & ~(uint32_t)MSI_COUNT) | MSI_ENABLE);
    irq_grant(grants, 0, interrupt);
    return true;
}

/* ---- all ---- */

static void intx_set(const struct devices_pci *function, bool on) {
    uint32_t command = config_read(function->address, PCI_COMMAND, 2);
    config_write(function->address, PCI_COMMAND, 2,
                 on ? command & ~(uint32_t)PCI_COMMAND_NO_INTX : command | PCI_COMMAND_NO_INTX);
}

static bool line_start(struct grants *grants, const struct devices_pci *function) {
    if (!function->irq_pin || function->irq_line == 0 || function->irq_line == LINE_NONE)
        return false;
    int64_t interrupt = keel_handle_create(OBJECT_INTERRUPT, machine.irqs, function->irq_line, 0);
    if (interrupt < 0) {
        log_line("interrupt line %u cannot be had for a driver: it is taken, or not there",
                 function->irq_line);
        return false;
    }
    intx_set(function, true);
    irq_grant(grants, 0, interrupt);
    return true;
}

void interrupts_grant(struct grants *grants, const struct devices_pci *function, unsigned count) {
    uint8_t bytes[PCI_CONFIG_SIZE];
    struct pci_config config = config_of(function, bytes);
    if (count == 0)
        return;
    intx_set(function, false);
    if (msix_start(grants, function, &config, count))
        grant_argument(grants, "--irq=msix");
    else if (msi_start(grants, function, &config))
        grant_argument(grants, "--irq=msi");
    else if (line_start(grants, function))
        grant_argument(grants, "--irq=line");
}

void interrupts_own(struct grants *grants, struct devices_pci *function) {
    uint8_t bytes[PCI_CONFIG_SIZE];
    struct pci_config config = config_of(function, bytes);
    struct pci_msix msix;
    if (pci_msix_find(&config, &msix) == 0 && msix.offset < PAGE_BYTES) {
        uint64_t base = pci_bar_memory(&machine.access, function, msix.bar);
        if (base && base % PAGE_BYTES == 0)
            function->bars[msix.bar] =
                (struct devices_bar){.base = base, .length = PAGE_BYTES, .flags = DEVICES_BAR_MEMORY};
    }
    if (!msix_start(grants, function, &config, 1))
        (void)msi_start(grants, function, &config);
}

/* ---- the event timer ---- */

struct hpet_grants {
    struct grants *grants;
    unsigned made;
};

static bool hpet_message(void *context, uint32_t *address, uint32_t *data) {
    struct hpet_grants *to = context;
    struct interrupt_info info = {0};
    int64_t interrupt = message_make(&info);
    if (interrupt < 0)
        return false;
    irq_grant(to->grants, to->made++, interrupt);
    *address = (uint32_t)info.address;
    *data = (uint32_t)info.data;
    return true;
}

static bool hpet_line(void *context, uint32_t input) {
    struct hpet_grants *to = context;
    int64_t interrupt = keel_handle_create(OBJECT_INTERRUPT, machine.irqs, input, 0);
    if (interrupt < 0) /* somebody else's, or not there */
        return false;
    irq_grant(to->grants, to->made++, interrupt);
    return true;
}

void interrupts_hpet(struct grants *grants, volatile uint32_t *registers, unsigned count) {
    struct hpet_grants to = {.grants = grants};
    const struct hpet_interrupts interrupts = {hpet_message, hpet_line, &to};
    hpet_quiet(registers);
    (void)hpet_connect(registers, &interrupts, count);
}

/* ---- the end ---- */

void interrupts_stop(const struct devices_pci *function) {
    uint8_t bytes[PCI_CONFIG_SIZE];
    struct pci_config config = config_of(function, bytes);
    uint8_t msi = pci_capability_find(&config, PCI_CAP_MSI),
            msix = pci_capability_find(&config, PCI_CAP_MSIX);
    if (msi)
        config_write(function->address, msi + (uint32_t)MSI_CONTROL, 2,
                     pci_read16(&config, msi + (uint32_t)MSI_CONTROL) & ~(uint32_t)MSI_ENABLE);
    if (msix) /* masked, not disabled: the device may still want to interrupt, and would take its line */
        config_write(function->address, msix + (uint32_t)MSI_CONTROL, 2,
                     pci_read16(&config, msix + (uint32_t)MSI_CONTROL) | MSIX_MASK_ALL);
    intx_set(function, false);
}
