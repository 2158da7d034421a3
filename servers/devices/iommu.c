/* See iommu.h; registers by the VT-d specification, chapter 11. */
#include "servers/devices/iommu.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/devices.h"
#include "lib/native/keel.h"
#include "servers/devices/iommu_tables.h"
#include "servers/devices/machine.h"

enum registers {
    CAPABILITY = 0x08,
    EXTENDED = 0x10,
    COMMAND = 0x18,
    STATUS = 0x1c,
    ROOT = 0x20,
    CONTEXT_COMMAND = 0x28,
    FAULT_STATUS = 0x34,
};
enum { PAGE_BYTES = 4096, TABLES_BYTES = 1 << 20, STEPS = 1000, RECORD_BYTES = 16 };
enum {
    CAP_39_BITS = 1 << 9,
    CAP_48_BITS = 1 << 10,
    CAP_WRITE_BUFFER = 1 << 4,
    CAP_DOMAINS = 7,
    DOMAINS_16_BITS = 6
};
enum { ENABLE = 31, SET_ROOT = 30, FLUSH_WRITES = 27, QUEUE = 26 }; /* bits of COMMAND and STATUS */
enum { PENDING = 1 << 1, OVERFLOW = 1 << 0 };                       /* of FAULT_STATUS */
#define CAP_LARGE       (1ULL << 34)
#define COMMAND_LASTING 0x96ffffffU /* of STATUS: what a write to COMMAND must repeat */
#define CONTEXT_GLOBAL  (1ULL << 63 | 1ULL << 61)
#define ENTRIES_GLOBAL  (1ULL << 63 | 1ULL << 60)
#define INVALIDATING    (1ULL << 63)
#define RECORD_VALID    (1ULL << 63)
#define DMA_BELOW       (1ULL << 32)
#define STEP_NS         100000ULL

static struct unit {
    volatile uint8_t *at;
    uint64_t capability;
    uint32_t entries; /* where the register is that forgets translations */
    uint32_t records, record_count;
    bool gone; /* its registers read as all ones */
} units[ACPI_IOMMUS];
static unsigned unit_count; /* that are on */
static struct iommu_tables tables;

static uint32_t get32(const struct unit *unit, uint32_t offset) {
    return *(volatile uint32_t *)(unit->at + offset);
}
static uint64_t get64(const struct unit *unit, uint32_t offset) {
    return *(volatile uint64_t *)(unit->at + offset);
}
static void set64(const struct unit *unit, uint32_t offset, uint64_t value) {
    *(volatile uint64_t *)(unit->at + offset) = value;
}

static bool status_wait(const struct unit *unit, unsigned bit, bool on) {
    for (unsigned step = 0; step < STEPS; step++) {
        if ((get32(unit, STATUS) >> bit & 1) == on)
            return true;
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    return false;
}

/* Sets or clears one bit that lasts, or triggers a command, and waits until STATUS says so. */
static bool command(const struct unit *unit, unsigned bit, bool on) {
    uint32_t lasting = get32(unit, STATUS) & COMMAND_LASTING & ~(1U << bit);
    *(volatile uint32_t *)(unit->at + COMMAND) = lasting | (on ? 1U << bit : 0);
    return status_wait(unit, bit, on);
}

/* Writes a command to a register and waits until the unit has cleared INVALIDATING in it. */
static bool invalidate(const struct unit *unit, uint32_t offset, uint64_t value) {
    set64(unit, offset, value);
    for (unsigned step = 0; step < STEPS; step++) {
        if (!(get64(unit, offset) & INVALIDATING))
            return true;
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    return false;
}

/* What a unit remembers of the tables is forgotten; false: it does not answer. */
static bool unit_flush(const struct unit *unit) {
    if (unit->capability & CAP_WRITE_BUFFER) {
        *(volatile uint32_t *)(unit->at + COMMAND) =
            (get32(unit, STATUS) & COMMAND_LASTING) | 1U << FLUSH_WRITES;
        if (!status_wait(unit, FLUSH_WRITES, false))
            return false;
    }
    return invalidate(unit, CONTEXT_COMMAND, CONTEXT_GLOBAL) &&
           invalidate(unit, unit->entries, ENTRIES_GLOBAL);
}

static bool flush(void) {
    bool done = true;
    __sync_synchronize();
    for (unsigned i = 0; i < unit_count; i++)
        done = unit_flush(&units[i]) && done;
    if (!done)
        log_line("an IOMMU does not forget what it was told");
    return done;
}

/* ---- start ---- */

/* Maps a unit's registers and reads what it can. */
static bool unit_open(struct unit *unit, uint64_t base) {
    int64_t vmo = machine_physical(base, PAGE_BYTES);
    if (vmo < 0)
        return false;
    unit->at = memory_map((handle_t)vmo, 0, PAGE_BYTES, MAP_READ | MAP_WRITE);
    (void)keel_handle_close((uint64_t)vmo);
    if (!unit->at)
        return false;
    unit->capability = get64(unit, CAPABILITY);
    unit->entries = (uint32_t)(get64(unit, EXTENDED) >> 8 & 0x3ff) * RECORD_BYTES + 8;
    unit->records = (uint32_t)(unit->capability >> 24 & 0x3ff) * RECORD_BYTES;
    unit->record_count = (uint32_t)(unit->capability >> 40 & 0xff) + 1;
    return unit->entries <= PAGE_BYTES - 8 &&
           unit->records + unit->record_count * RECORD_BYTES <= PAGE_BYTES &&
           (unit->capability & CAP_DOMAINS) >= DOMAINS_16_BITS;
}

/* Page tables that all units read. */
static bool tables_make(void) {
    uint64_t all = UINT64_MAX;
    struct vmo_info info = {0};
    for (unsigned i = 0; i < machine.acpi.iommu_count; i++) {
        if (!unit_open(&units[i], machine.acpi.iommus[i]))
            return false;
        all &= units[i].capability;
    }
    unsigned levels = all & CAP_39_BITS ? 3 : all & CAP_48_BITS ? 4 : 0;
    int64_t vmo = levels ? keel_dma_create(machine.dma, TABLES_BYTES, DMA_BELOW) : -ENOTSUP;
    if (vmo < 0)
        return false;
    uint8_t *bytes = memory_map((handle_t)vmo, 0, TABLES_BYTES, MAP_READ | MAP_WRITE);
    return bytes && keel_object_info((handle_t)vmo, keel_pointer(&info), sizeof info) >= 0 &&
           iommu_tables_init(&tables, bytes, info.address, TABLES_BYTES, levels, all & CAP_LARGE);
}

static bool unit_start(const struct unit *unit) {
    uint32_t status = get32(unit, STATUS);
    if ((status >> ENABLE & 1 && !command(unit, ENABLE, false)) ||
        (status >> QUEUE & 1 && !command(unit, QUEUE, false)))
        return false;
    set64(unit, ROOT, tables.physical);
    if (!command(unit, SET_ROOT, true))
        return false;
    return unit_flush(unit) && command(unit, ENABLE, true);
}

void iommu_start(void) {
    const char *line = getenv("KEEL_CMDLINE");
    unsigned count = machine.acpi.iommu_count;
    if (count == 0 || (line && strstr(line, "iommu=off")))
        return;
    if (machine.acpi.iommu_reserved) {
        log_line("the firmware wants memory reached by devices: the IOMMU stays off");
        return;
    }
    bool started = tables_make();
    for (unsigned i = 0; started && i < count; i++)
        started = unit_start(&units[i]);
    if (started) {
        unit_count = count;
        log_line("%u IOMMU: devices reach their drivers' memory only", count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        if (units[i].at)
            (void)command(&units[i], ENABLE, false);
    log_line("the IOMMU cannot be used");
}

/* ---- functions ---- */

int64_t iommu_allow(uint32_t address, handle_t memory) {
    struct vmo_info info = {0};
    if (unit_count == 0 || address == DEVICES_NO_ADDRESS || memory == HANDLE_NONE)
        return 0;
    if (address > UINT16_MAX)
        return -EINVAL;
    int64_t error = keel_object_info(memory, keel_pointer(&info), sizeof info);
    if (error >= 0)
        error = iommu_tables_allow(&tables, (uint16_t)address, info.address, info.size);
    bool flushed = flush();
    return error < 0 ? error : flushed ? 0 : -EIO;
}

void iommu_forbid(uint32_t address) {
    if (unit_count == 0 || address > UINT16_MAX)
        return;
    uint64_t top = iommu_tables_forbid(&tables, (uint16_t)address);
    if (flush()) /* else the unit may still read them: they are not used again */
        iommu_tables_free(&tables, top);
}

static void records_take(const struct unit *unit) {
    bool said = false;
    for (unsigned k = 0; k < unit->record_count; k++) {
        uint32_t record = unit->records + k * RECORD_BYTES;
        uint64_t high = get64(unit, record + 8);
        if (!(high & RECORD_VALID))
            continue;
        if (!said)
            log_line("device %02x:%02x.%x was refused memory at 0x%llx", (unsigned)(high >> 8 & 0xff),
                     (unsigned)(high >> 3 & 0x1f), (unsigned)(high & 7),
                     (unsigned long long)(get64(unit, record) & ~0xfffULL));
        said = true;
        set64(unit, record + 8, RECORD_VALID);
    }
    *(volatile uint32_t *)(unit->at + FAULT_STATUS) = OVERFLOW;
}

void iommu_report(void) {
    for (unsigned i = 0; i < unit_count; i++) {
        struct unit *unit = &units[i];
        uint32_t status = unit->gone ? 0 : get32(unit, FAULT_STATUS);
        unit->gone = unit->gone || status == UINT32_MAX;
        if (status == UINT32_MAX)
            log_line("an IOMMU answers no more");
        else if (status & (PENDING | OVERFLOW))
            records_take(unit);
    }
}
