/* What a driver was given: handles by name, arguments with what a handle does not say. See driver.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/driver/internal.h"
#include "lib/native/keel.h"

/* The text after "--NAME=" or NULL. */
static const char *option_find(char **arguments, const char *name) {
    size_t length = strlen(name);
    for (; *arguments; arguments++)
        if (!strncmp(*arguments, "--", 2) && !strncmp(*arguments + 2, name, length) &&
            (*arguments)[length + 2] == '=')
            return *arguments + length + 3;
    return NULL;
}

static uint64_t option_number(char **arguments, const char *name, int base) {
    const char *text = option_find(arguments, name);
    return text ? strtoull(text, NULL, base) : 0;
}

static struct vmo_info vmo_info(handle_t vmo) {
    struct vmo_info info = {0};
    int64_t result = keel_object_info(vmo, keel_pointer(&info), sizeof info);
    if (result < 0)
        driver_fail("object_info", result);
    return info;
}

static void *vmo_map(handle_t vmo, uint64_t length, uint64_t flags) {
    void *at = memory_map(vmo, 0, length, flags);
    if (!at)
        driver_fail("mapping memory", -ENOMEM);
    return at;
}

static void bar_open(struct driver_bar *bar, unsigned index, char **arguments) {
    char name[START_NAME_SIZE];
    snprintf(name, sizeof name, "bar%u", index);
    const char *text = option_find(arguments, name);
    if (!text)
        return;
    bool ports = !strncmp(text, "io:", 3);
    char *end;
    uint64_t first = strtoull(text + (ports ? 3 : 0), &end, 16);
    bar->length = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    if (ports) {
        snprintf(name, sizeof name, "ioport.%x", (unsigned)first);
        bar->port = (uint16_t)first;
        bar->ports = handle_find(name);
        return;
    }
    handle_t vmo = handle_find(name);
    uint64_t length = vmo_info(vmo).size;
    if (first > length || bar->length > length - first)
        driver_fail(name, -EINVAL);
    bar->at = (volatile uint8_t *)vmo_map(vmo, length, MAP_READ | MAP_WRITE) + first;
}

static enum driver_irq_mode irq_mode(char **arguments) {
    static const char *const modes[] = {
        [DRIVER_IRQ_LINE] = "line", [DRIVER_IRQ_MSI] = "msi", [DRIVER_IRQ_MSIX] = "msix"};
    const char *text = option_find(arguments, "irq");
    for (unsigned i = DRIVER_IRQ_LINE; text && i <= DRIVER_IRQ_MSIX; i++)
        if (!strcmp(text, modes[i]))
            return (enum driver_irq_mode)i;
    return DRIVER_IRQ_NONE;
}

static void memory_open(struct driver_memory *memory, const char *name) {
    handle_t vmo = handle_find(name);
    if (vmo == HANDLE_NONE)
        return;
    struct vmo_info info = vmo_info(vmo);
    memory->length = info.size;
    memory->physical = info.address;
    memory->bytes = vmo_map(vmo, memory->length, MAP_READ | MAP_WRITE);
}

static void link_open(struct driver_link *link, unsigned index, uint64_t optional) {
    char name[START_NAME_SIZE] = "link", event[START_NAME_SIZE];
    if (index)
        snprintf(name, sizeof name, "link%u", index);
    link->index = index;
    link->optional = optional >> index & 1;
    memory_open(&link->area, name);
    snprintf(event, sizeof event, "%.16s.kick", name);
    link->kick = handle_find(event);
    snprintf(event, sizeof event, "%.16s.call", name);
    link->call = handle_find(event);
}

void device_open(struct driver_device *device, int argc, char **argv) {
    char name[START_NAME_SIZE];
    uint64_t optional = option_number(argv, "optional", 16);
    (void)argc;
    device->generation = (uint32_t)option_number(argv, "generation", 10);
    device->address = (uint32_t)option_number(argv, "device", 16);
    device->ping = handle_find("ping");
    device->alive = handle_find("alive");
    for (unsigned i = 0; i < DRIVER_BARS; i++)
        bar_open(&device->bars[i], i, argv);
    for (; device->irq_count < DRIVER_IRQS; device->irq_count++) {
        snprintf(name, sizeof name, "irq%u", device->irq_count);
        if ((device->irqs[device->irq_count] = handle_find(name)) == HANDLE_NONE)
            break;
    }
    device->irq_mode = irq_mode(argv);
    memory_open(&device->dma, "dma");
    for (; device->link_count < DRIVER_LINKS; device->link_count++) {
        link_open(&device->links[device->link_count], device->link_count, optional);
        if (!device->links[device->link_count].area.bytes)
            break;
    }
    handle_t config = handle_find("config");
    if (config != HANDLE_NONE) {
        device->config_length = vmo_info(config).size;
        device->config = vmo_map(config, device->config_length, MAP_READ);
    }
}
