/* See machine.h. */
#include "servers/devices/machine.h"

#include <errno.h>
#include <string.h>

#include "abi/boot_info.h"
#include "lib/native/keel.h"

enum { PAGE_BYTES = 4096, BUS_BYTES = 1 << 20, CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum { PM1_SCI_ENABLE = 1, PM1_SLEEP_SHIFT = 10, PM1_SLEEP = 1 << 13, PM1_KEEP = 0x203 };
#define CONFIG_ENABLE  0x80000000U
#define ENABLE_STEP_NS 1000000ULL
#define POWER_WAIT_NS  200000000ULL

struct machine machine;

/* ---- physical memory ---- */

int64_t machine_physical(uint64_t base, uint64_t length) {
    return keel_vmo_physical(machine.memory, base, length);
}

void *machine_map(uint64_t base, uint64_t length, uint64_t flags) {
    int64_t vmo = machine_physical(base, length);
    if (vmo < 0)
        return NULL;
    void *at = memory_map((handle_t)vmo, 0, length, flags);
    (void)keel_handle_close((uint64_t)vmo);
    return at;
}

static bool physical_read(void *context, uint64_t address, void *to, uint32_t length) {
    uint64_t base = address & ~(uint64_t)(PAGE_BYTES - 1), inset = address - base;
    uint64_t pages = (inset + length + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    const uint8_t *at = machine_map(base, pages, MAP_READ);
    (void)context;
    if (!at)
        return false;
    memcpy(to, at + inset, length);
    memory_unmap((void *)(uintptr_t)at, pages);
    return true;
}

static void table_complain(void *context, const char *what, uint64_t address) {
    (void)context;
    log_line("ACPI: %s at 0x%llx is damaged and not used", what, (unsigned long long)address);
}

/* ---- configuration space ---- */

static struct ecam {
    struct acpi_segment place;
    volatile uint8_t *buses[PCI_BUSES]; /* mapped when they are first looked at */
} ecams[ACPI_SEGMENTS];

static volatile uint8_t *ecam_bus(uint32_t address) {
    uint8_t bus = (uint8_t)(address >> 8);
    for (unsigned i = 0; i < machine.acpi.segment_count; i++) {
        struct ecam *ecam = &ecams[i];
        if (ecam->place.segment != address >> 16 || bus < ecam->place.first || bus > ecam->place.last)
            continue;
        if (!ecam->buses[bus])
            ecam->buses[bus] =
                machine_map(ecam->place.base + (uint64_t)bus * BUS_BYTES, BUS_BYTES, MAP_READ | MAP_WRITE);
        return ecam->buses[bus];
    }
    return NULL;
}

static volatile uint8_t *ecam_register(uint32_t address, uint32_t offset, unsigned width) {
    volatile uint8_t *bus = ecam_bus(address);
    if (!bus || offset > PCI_CONFIG_SIZE_EXPRESS - width)
        return NULL;
    return bus + ((address & 0xff) << 12) + offset;
}

static uint32_t ecam_read(void *context, uint32_t address, uint32_t offset, unsigned width) {
    volatile uint8_t *at = ecam_register(address, offset, width);
    (void)context;
    if (!at)
        return UINT32_MAX >> (32 - 8 * width);
    return width == 1 ? *at : width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void ecam_write(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    volatile uint8_t *at = ecam_register(address, offset, width);
    (void)context;
    if (!at)
        return;
    if (width == 1)
        *at = (uint8_t)value;
    else if (width == 2)
        *(volatile uint16_t *)at = (uint16_t)value;
    else
        *(volatile uint32_t *)at = value;
}

static bool ports_select(uint32_t address, uint32_t offset, unsigned width) {
    if (address > UINT16_MAX || offset > PCI_CONFIG_SIZE - width)
        return false;
    return keel_io_write(machine.ports, CONFIG_ADDRESS, 4, CONFIG_ENABLE | address << 8 | (offset & 0xfc)) ==
           0;
}

static uint32_t ports_read(void *context, uint32_t address, uint32_t offset, unsigned width) {
    int64_t value = -EIO;
    (void)context;
    if (ports_select(address, offset, width))
        value = keel_io_read(machine.ports, CONFIG_DATA + (offset & 3), width);
    return value < 0 ? UINT32_MAX >> (32 - 8 * width) : (uint32_t)value;
}

static void ports_write(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    (void)context;
    if (ports_select(address, offset, width))
        (void)keel_io_write(machine.ports, CONFIG_DATA + (offset & 3), width, value);
}

/* Whether the ports of PCI are there: what is written to the address register stays. */
static bool ports_answer(void) {
    return keel_io_write(machine.ports, CONFIG_ADDRESS, 4, CONFIG_ENABLE) == 0 &&
           keel_io_read(machine.ports, CONFIG_ADDRESS, 4) == CONFIG_ENABLE;
}

static void access_choose(void) {
    for (unsigned i = 0; i < machine.acpi.segment_count; i++)
        ecams[i].place = machine.acpi.segments[i];
    if (machine.acpi.segment_count > 0)
        machine.access = (struct pci_access){ecam_read, ecam_write, NULL, PCI_CONFIG_SIZE_EXPRESS};
    else if (ports_answer())
        machine.access = (struct pci_access){ports_read, ports_write, NULL, PCI_CONFIG_SIZE};
}

uint32_t config_read(uint32_t address, uint32_t offset, unsigned width) {
    return machine.access.read(NULL, address, offset, width);
}

void config_write(uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    machine.access.write(NULL, address, offset, width, value);
}

/* ---- power ---- */

/* Before it is turned on, ACPI's registers may belong to the firmware. */
static void acpi_enable(const struct acpi_power *power) {
    if (!power->smi_port || !power->enable || (keel_io_read(machine.ports, power->pm1a, 2) & PM1_SCI_ENABLE))
        return;
    (void)keel_io_write(machine.ports, power->smi_port, 1, power->enable);
    for (unsigned i = 0; i < 100 && !(keel_io_read(machine.ports, power->pm1a, 2) & PM1_SCI_ENABLE); i++)
        (void)keel_thread_wait(clock_now() + ENABLE_STEP_NS);
}

static void sleep_enter(uint16_t port, uint8_t type) {
    int64_t value = port ? keel_io_read(machine.ports, port, 2) : -ENODEV;
    if (value >= 0)
        (void)keel_io_write(machine.ports, port, 2,
                            ((uint64_t)value & PM1_KEEP) | (uint64_t)type << PM1_SLEEP_SHIFT | PM1_SLEEP);
}

void machine_power_off(void) {
    const struct acpi_power *power = &machine.acpi.power;
    if (!power->known)
        return;
    acpi_enable(power);
    sleep_enter(power->pm1a, power->sleep_a);
    sleep_enter(power->pm1b, power->sleep_b);
    (void)keel_thread_wait(clock_now() + POWER_WAIT_NS);
}

void machine_reset(void) {
    const struct acpi_power *power = &machine.acpi.power;
    uint64_t base = power->reset & ~(uint64_t)(PAGE_BYTES - 1);
    if (!power->can_reset)
        return;
    if (power->reset_memory) {
        volatile uint8_t *at = machine_map(base, PAGE_BYTES, MAP_READ | MAP_WRITE);
        if (at)
            at[power->reset - base] = power->reset_value;
    } else {
        (void)keel_io_write(machine.ports, power->reset, 1, power->reset_value);
    }
    (void)keel_thread_wait(clock_now() + POWER_WAIT_NS);
}

/* ---- start ---- */

int64_t machine_open(void) {
    const struct acpi_memory memory = {physical_read, table_complain, NULL};
    uint64_t rsdp = 0;
    handle_t boot = handle_find("boot");
    machine.ports = handle_find("ioport.0");
    machine.memory = handle_find("mmio.0");
    machine.irqs = handle_find("interrupts");
    machine.dma = handle_find("dma");
    machine.job = handle_find("job");
    machine.log = handle_find("log");
    int64_t port = handle_find("devices.port");
    if (port == HANDLE_NONE)
        return -EBADF;
    machine.port = (handle_t)port;
    int64_t error = archive_open(&machine.archive, handle_find("archive"), boot);
    if (error < 0)
        return error;
    (void)keel_vmo_read(boot, offsetof(struct boot_info, rsdp), keel_pointer(&rsdp), sizeof rsdp);
    acpi_read(&machine.acpi, &memory, rsdp);
    access_choose();
    return 0;
}
