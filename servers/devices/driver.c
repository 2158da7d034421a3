/* See driver.h. */
#include "servers/devices/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"
#include "servers/devices/grants.h"
#include "servers/devices/hpet.h"
#include "servers/devices/interrupts.h"
#include "servers/devices/iommu.h"

enum { PAGE_BYTES = 4096, OBJECTS_MOST = 256, THREADS_MOST = 4, STATUS_SIGNAL = 128 };
enum { GENERATION_MOST = (1 << LINK_GENERATION_BITS) - 1 };
#define DELAY_FIRST 100000000ULL /* ns */
#define DELAY_READY 1000000000ULL
#define DELAY_MOST  10000000000ULL
#define DMA_BELOW   (1ULL << 32) /* where every device reaches */

/* ---- what outlives the process ---- */

static int64_t dma_make(uint64_t length, handle_t *vmo) {
    int64_t made = keel_dma_create(machine.dma, length, DMA_BELOW);
    if (made >= 0)
        *vmo = (handle_t)made;
    return made < 0 ? made : 0;
}

static int64_t event_make(handle_t *event) {
    int64_t made = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    if (made >= 0)
        *event = (handle_t)made;
    return made < 0 ? made : 0;
}

static int64_t link_make(struct device_link *link, const struct manifest_link *spec) {
    int64_t error = dma_make(spec->size, &link->area);
    link->length = spec->size;
    if (!error)
        error = event_make(&link->kick);
    if (!error)
        error = event_make(&link->call);
    if (!error)
        link->header = memory_map(link->area, 0, PAGE_BYTES, MAP_READ | MAP_WRITE);
    if (!error && !link->header)
        return -ENOMEM;
    if (!error)
        link->header->presence = link->presence = spec->optional;
    return error;
}

static void handle_drop(handle_t *handle) {
    if (*handle != HANDLE_NONE)
        (void)keel_handle_close(*handle);
    *handle = HANDLE_NONE;
}

/* What the device may reach from now on. */
static int64_t dma_allow(const struct driver_run *run) {
    int64_t error = iommu_allow(run->address, run->dma);
    for (unsigned i = 0; i < run->kind->manifest.link_count && !error; i++)
        error = iommu_allow(run->address, run->links[i].area);
    return error;
}

/* What is there of it; also after a preparation that failed half-way. */
static void unprepare(struct driver_run *run) {
    iommu_forbid(run->address);
    for (unsigned i = 0; i < MANIFEST_LINKS; i++) {
        struct device_link *link = &run->links[i];
        if (link->header)
            memory_unmap(link->header, PAGE_BYTES);
        link->header = NULL;
        handle_drop(&link->area);
        handle_drop(&link->kick);
        handle_drop(&link->call);
    }
    handle_drop(&run->ping);
    handle_drop(&run->alive);
    handle_drop(&run->dma);
    run->prepared = false;
}

static int64_t prepare(struct driver_run *run) {
    const struct manifest *manifest = &run->kind->manifest;
    int64_t error = event_make(&run->ping);
    if (!error)
        error = event_make(&run->alive);
    if (!error)
        error = keel_object_bind(run->alive, machine.port, run->key);
    if (!error && manifest->dma)
        error = dma_make(manifest->dma, &run->dma);
    for (unsigned i = 0; i < manifest->link_count && !error; i++)
        error = link_make(&run->links[i], &manifest->links[i]);
    if (!error)
        error = dma_allow(run);
    if (error)
        unprepare(run);
    run->prepared = !error;
    return error;
}

void driver_release(struct driver_run *run) {
    unprepare(run);
    *run = (struct driver_run){0};
}

/* ---- the grants of one start ---- */

static void memory_grant(struct grants *grants, unsigned index, uint64_t base, uint64_t length) {
    char name[START_NAME_SIZE];
    uint64_t page = base & ~(uint64_t)(PAGE_BYTES - 1);
    uint64_t end = (base + length + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    snprintf(name, sizeof name, "bar%u", index);
    grant_made(grants, name, machine_physical(page, end - page), RIGHT_READ | RIGHT_WRITE);
    grant_argument(grants, "--bar%u=%llx,%llx", index, (unsigned long long)(base - page),
                   (unsigned long long)length);
}

static void ports_grant(struct grants *grants, unsigned index, uint64_t base, uint64_t length) {
    char name[START_NAME_SIZE];
    snprintf(name, sizeof name, "ioport.%llx", (unsigned long long)base);
    grant_made(
        grants, name,
        keel_handle_create(OBJECT_RESOURCE, machine.ports, (uint64_t)RESOURCE_IOPORT << 56 | base, length),
        RIGHT_DEVICE);
    grant_argument(grants, "--bar%u=io:%llx,%llx", index, (unsigned long long)base,
                   (unsigned long long)length);
}

/* A BAR that the firmware gave no place is left out. */
static void bars_grant(struct grants *grants, const struct devices_pci *function) {
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct devices_bar *bar = &function->bars[i];
        if (bar->length == 0 || bar->base == 0)
            continue;
        if (bar->flags & DEVICES_BAR_IO)
            ports_grant(grants, i, bar->base, bar->length);
        else
            memory_grant(grants, i, bar->base, bar->length);
    }
}

static void ranges_grant(struct grants *grants, const struct manifest *manifest) {
    for (unsigned i = 0; i < manifest->range_count; i++) {
        const struct manifest_range *range = &manifest->ranges[i];
        if (range->ports)
            ports_grant(grants, i, range->base, range->length);
        else
            memory_grant(grants, i, range->base, range->length);
    }
    for (unsigned i = 0; i < manifest->irq_count; i++) {
        char name[START_NAME_SIZE];
        snprintf(name, sizeof name, "irq%u", i);
        grant_made(grants, name, keel_handle_create(OBJECT_INTERRUPT, machine.irqs, manifest->irqs[i], 0),
                   RIGHT_RECV);
    }
    if (manifest->irq_count)
        grant_argument(grants, "--irq=line");
}

/* The page with the event timer's registers. */
static volatile uint32_t *hpet_map(void **page) {
    uint64_t base = machine.acpi.hpet.base, inset = base % PAGE_BYTES;
    *page = machine_map(base - inset, PAGE_BYTES, MAP_READ | MAP_WRITE);
    return *page ? (volatile uint32_t *)((uint8_t *)*page + inset) : NULL;
}

static void hpet_grant(struct grants *grants, const struct manifest *manifest) {
    void *page;
    volatile uint32_t *registers = hpet_map(&page);
    memory_grant(grants, 0, machine.acpi.hpet.base, ACPI_HPET_SIZE);
    if (registers) {
        interrupts_hpet(grants, registers, manifest->vectors);
        memory_unmap(page, PAGE_BYTES);
    }
}

/* A copy of configuration space, which the driver can only read. */
static void config_grant(struct grants *grants, const struct devices_pci *function) {
    static uint8_t bytes[PCI_CONFIG_SIZE_EXPRESS];
    int64_t vmo = keel_vmo_create(PAGE_BYTES, 0);
    pci_config_copy(&machine.access, function->address, bytes, function->config_length);
    if (vmo >= 0)
        (void)keel_vmo_write((uint64_t)vmo, 0, keel_pointer(bytes), function->config_length);
    grant_made(grants, "config", vmo, RIGHT_READ);
    grant_argument(grants, "--device=%x", function->address);
}

static void links_grant(struct grants *grants, const struct driver_run *run) {
    char name[START_NAME_SIZE], event[START_NAME_SIZE];
    unsigned optional = 0;
    for (unsigned i = 0; i < run->kind->manifest.link_count; i++) {
        const struct device_link *link = &run->links[i];
        optional |= (unsigned)run->kind->manifest.links[i].optional << i;
        snprintf(name, sizeof name, i ? "link%u" : "link", i);
        grant_copy(grants, name, link->area, RIGHT_READ | RIGHT_WRITE);
        snprintf(event, sizeof event, "%.12s.kick", name);
        grant_copy(grants, event, link->kick, RIGHT_RECV);
        snprintf(event, sizeof event, "%.12s.call", name);
        grant_copy(grants, event, link->call, RIGHT_SEND);
    }
    grant_argument(grants, "--optional=%x", optional);
}

/* The one page that the manifest asks for needs no size: nothing smaller can be mapped. */
static bool page_grant(struct grants *grants, const struct manifest *manifest, struct devices_pci *function) {
    uint64_t base = manifest->has_page ? pci_bar_memory(&machine.access, function, manifest->page_bar) : 0;
    if (base == 0 || base % PAGE_BYTES)
        return false;
    function->bars[manifest->page_bar] =
        (struct devices_bar){.base = base, .length = PAGE_BYTES, .flags = DEVICES_BAR_MEMORY};
    memory_grant(grants, manifest->page_bar, base, PAGE_BYTES);
    return true;
}

static void function_grant(struct grants *grants, const struct driver_run *run,
                           struct devices_pci *function) {
    uint32_t command = config_read(function->address, PCI_COMMAND, 2);
    config_write(function->address, PCI_COMMAND, 2, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    pci_measure(&machine.access, function, PCI_COMMAND_IO);
    if (!page_grant(grants, &run->kind->manifest, function)) {
        pci_measure(&machine.access, function, PCI_COMMAND_MEMORY);
        bars_grant(grants, function);
    }
    interrupts_grant(grants, function, run->kind->manifest.vectors);
    config_grant(grants, function);
}

static void grants_collect(struct grants *grants, const struct driver_run *run,
                           struct devices_pci *function) {
    *grants = (struct grants){0};
    grant_argument(grants, "%s", run->kind->manifest.name);
    grant_argument(grants, "--generation=%u", run->generation);
    grant_copy(grants, "log", machine.log, RIGHT_WRITE);
    grant_copy(grants, "ping", run->ping, RIGHT_RECV);
    grant_copy(grants, "alive", run->alive, RIGHT_SEND);
    if (run->dma != HANDLE_NONE)
        grant_copy(grants, "dma", run->dma, RIGHT_READ | RIGHT_WRITE);
    links_grant(grants, run);
    if (function)
        function_grant(grants, run, function);
    else if (manifest_matches(&run->kind->manifest, MATCH_HPET))
        hpet_grant(grants, &run->kind->manifest);
    else
        ranges_grant(grants, &run->kind->manifest);
}

/* ---- the function ---- */

/* Stops interrupts and DMA. What it decodes stays: the next driver resets the device, by its own registers.
 */
static void function_stop(const struct devices_pci *function) {
    interrupts_stop(function);
    config_write(function->address, PCI_COMMAND, 2,
                 config_read(function->address, PCI_COMMAND, 2) & ~(uint32_t)PCI_COMMAND_MASTER);
}

static void hpet_stop(void) {
    void *page;
    volatile uint32_t *registers = hpet_map(&page);
    if (!registers)
        return;
    hpet_quiet(registers);
    memory_unmap(page, PAGE_BYTES);
}

static void master_enable(const struct devices_pci *function) {
    config_write(function->address, PCI_COMMAND, 2,
                 config_read(function->address, PCI_COMMAND, 2) | PCI_COMMAND_MASTER);
}

/* ---- the process ---- */

static int64_t job_open(struct driver_run *run) {
    int64_t job = keel_handle_create(OBJECT_JOB, machine.job, 0, 0);
    if (job < 0)
        return job;
    run->job = (handle_t)job;
    return keel_job_limit((uint64_t)job, run->kind->manifest.memory / PAGE_BYTES, OBJECTS_MOST, THREADS_MOST,
                          0);
}

static void job_end(struct driver_run *run) {
    if (run->job == HANDLE_NONE)
        return;
    (void)keel_task_kill(run->job, 0);
    (void)keel_handle_close(run->job);
    run->job = HANDLE_NONE;
}

static int64_t process_start(struct driver_run *run, struct devices_pci *function) {
    static const char *const environment[] = {NULL};
    static struct grants grants;
    bool moved = false;
    grants_collect(&grants, run, function);
    struct spawn_request request = {
        .job = run->job,
        .image = run->kind->program.bytes,
        .image_length = run->kind->program.length,
        .arguments = grants.arguments,
        .environment = environment,
        .handles = grants.handles,
        .handle_count = grants.count,
        .port = machine.port,
        .key = run->key + 1,
        .memory = &run->memory,
    };
    if (function)
        master_enable(function);
    int64_t error = grants.error ? grants.error : process_spawn(&request, &run->process, &moved);
    if (!moved)
        grants_close(&grants);
    return error;
}

/* A driver whose init fails is tried again less and less often; one that worked waits as long as it lived, at
 * the most DELAY_READY: half of the time it is there, however often it is killed. */
static void back_off(struct driver_run *run) {
    uint64_t now = clock_now(), lived = now - run->started;
    uint64_t delay = !run->ready ? run->delay * 2 : lived < DELAY_READY ? lived : DELAY_FIRST;
    run->delay = delay < DELAY_FIRST ? DELAY_FIRST : delay > DELAY_MOST ? DELAY_MOST : delay;
    run->next_start = now + run->delay;
}

static void stopped(struct driver_run *run, struct devices_pci *function) {
    job_end(run);
    spawn_memory_close(&run->memory);
    for (unsigned i = 0; i < run->kind->manifest.link_count; i++)
        if (run->links[i].header)
            ring_store(run->links[i].header->generation, 0);
    if (function) {
        function_stop(function);
        memset(function->driver, 0, sizeof function->driver);
    } else if (manifest_matches(&run->kind->manifest, MATCH_HPET)) {
        hpet_stop();
    }
    back_off(run);
    run->ready = false;
}

/* For a new driver: the last one may have spoilt it, and has not answered its client. */
static void link_reset(struct device_link *link) {
    ring_store(link->header->presence, link->presence);
    link->asked = 0;
}

uint64_t driver_shown(const struct driver_run *run, const struct devices_pci *function) {
    const struct manifest *manifest = &run->kind->manifest;
    uint64_t base = 0;
    if (!manifest->has_shown)
        return 0;
    if (manifest_matches(manifest, MATCH_HPET))
        base = manifest->shown_bar == 0 ? machine.acpi.hpet.base : 0;
    else if (function && function->bars[manifest->shown_bar].flags & DEVICES_BAR_MEMORY)
        base = function->bars[manifest->shown_bar].base;
    return base % PAGE_BYTES ? 0 : base;
}

int64_t driver_start(struct driver_run *run, struct devices_pci *function) {
    int64_t error = run->prepared ? 0 : prepare(run);
    run->missed = 0;
    run->started = clock_now();
    run->generation = run->generation % GENERATION_MOST + 1;
    for (unsigned i = 0; i < run->kind->manifest.link_count && !error; i++)
        link_reset(&run->links[i]);
    if (!error)
        error = job_open(run);
    if (!error)
        error = process_start(run, function);
    if (error) {
        log_line("driver %s does not start: %s", run->kind->manifest.name, strerror((int)-error));
        stopped(run, function);
        return error;
    }
    run->next_start = DEADLINE_NEVER;
    if (function)
        memcpy(function->driver, run->kind->manifest.name, sizeof function->driver);
    return 0;
}

static void end_count(struct driver_run *run, int64_t status) {
    if (status >= STATUS_SIGNAL)
        run->ends.crashed++;
    else if (status != DRIVER_KILLED && status != DRIVER_HUNG)
        run->ends.gave_up++;
    else if (status == DRIVER_HUNG)
        run->ends.hung++;
    else
        run->ends.killed++;
}

void driver_ended(struct driver_run *run, struct devices_pci *function, int64_t status) {
    (void)keel_handle_close(run->process);
    run->process = HANDLE_NONE;
    end_count(run, status);
    stopped(run, function);
    if (run->leaving)
        return;
    log_line("driver %s (generation %u) ended with status %lld; it starts again in %llu ms",
             run->kind->manifest.name, run->generation, (long long)status,
             (unsigned long long)(run->delay / 1000000));
}

void driver_kill(struct driver_run *run, enum driver_status status) {
    if (run->process != HANDLE_NONE)
        (void)keel_task_kill(run->process, (uint64_t)(int64_t)status);
}
