/* See place.h. The windows' registers: PCI-to-PCI Bridge Architecture Specification 3.2.5. */
#include "servers/devices/place.h"

enum {
    BRIDGE_IO = 0x1c,
    BRIDGE_IO_UPPER = 0x30,
    BRIDGE_MEMORY = 0x20,
    BRIDGE_PREFETCH = 0x24,
    BRIDGE_PREFETCH_UPPER = 0x28
};
enum { IO_WIDE = 1, PREFETCH_WIDE = 1, PAGE_BYTES = 4096, BARS_MOST = 8 * PCI_BARS };
#define LOW_END (1ULL << 32)

/* One BAR that wants a place. */
struct want {
    struct devices_pci *function;
    unsigned index;
    uint64_t size;
};

static struct place_window window(uint64_t base, uint64_t last) {
    return base != 0 && base <= last ? (struct place_window){base, last + 1} : (struct place_window){0, 0};
}

void place_windows_read(struct place_windows *windows, const struct pci_access *access, uint32_t port) {
    uint32_t io = access->read(access->context, port, BRIDGE_IO, 2);
    uint32_t io_upper = access->read(access->context, port, BRIDGE_IO_UPPER, 4);
    uint32_t memory = access->read(access->context, port, BRIDGE_MEMORY, 4);
    uint32_t prefetch = access->read(access->context, port, BRIDGE_PREFETCH, 4);
    uint64_t upper = access->read(access->context, port, BRIDGE_PREFETCH_UPPER, 4);
    uint64_t upper_last = access->read(access->context, port, BRIDGE_PREFETCH_UPPER + 4, 4);
    bool io_wide = (io & 0xf) == IO_WIDE, wide = (prefetch & 0xf) == PREFETCH_WIDE;
    windows->free[PLACE_PORTS] = window((io & 0xf0) << 8 | (io_wide ? io_upper << 16 : 0),
                                        (io & 0xf000) | 0xfff | (io_wide ? io_upper & 0xffff0000 : 0));
    windows->free[PLACE_MEMORY] = window((memory & 0xfff0) << 16, (memory & 0xfff00000) | 0xfffff);
    windows->free[PLACE_PREFETCH] = window((prefetch & 0xfff0) << 16 | (wide ? upper << 32 : 0),
                                           (prefetch & 0xfff00000) | 0xfffff | (wide ? upper_last << 32 : 0));
}

/* The first place of the window for a size, which is also the alignment; 0: there is none. */
static uint64_t take(struct place_window *window, uint64_t size, bool low) {
    uint64_t base = (window->base + size - 1) & ~(size - 1);
    uint64_t end = low && window->end > LOW_END ? LOW_END : window->end;
    if (window->base >= window->end || base < window->base || base >= end || size > end - base)
        return 0;
    window->base = base + size;
    return base;
}

static uint64_t place_find(struct place_windows *windows, const struct devices_bar *bar) {
    uint64_t size = bar->length < PAGE_BYTES ? PAGE_BYTES : bar->length, at = 0;
    bool low = !(bar->flags & DEVICES_BAR_64);
    if (bar->flags & DEVICES_BAR_IO)
        return take(&windows->free[PLACE_PORTS], bar->length, true);
    if (bar->flags & DEVICES_BAR_PREFETCH)
        at = take(&windows->free[PLACE_PREFETCH], size, low);
    return at ? at : take(&windows->free[PLACE_MEMORY], size, low);
}

static void place_write(const struct pci_access *access, const struct want *want, uint64_t at) {
    struct devices_bar *bar = &want->function->bars[want->index];
    uint32_t offset = PCI_BAR0 + 4 * want->index;
    access->write(access->context, want->function->address, offset, 4, (uint32_t)at);
    if (bar->flags & DEVICES_BAR_64)
        access->write(access->context, want->function->address, offset + 4, 4, (uint32_t)(at >> 32));
    bar->base = at;
}

/* Adds the function's BARs, the largest first: that leaves no holes. */
static unsigned wants_add(struct want *wants, unsigned count, struct devices_pci *function) {
    for (unsigned i = 0; i < PCI_BARS; i++) {
        uint64_t size = function->bars[i].length;
        if (size == 0 || count == BARS_MOST)
            continue;
        unsigned at = count++;
        for (; at > 0 && wants[at - 1].size < size; at--)
            wants[at] = wants[at - 1];
        wants[at] = (struct want){function, i, size};
    }
    return count;
}

unsigned place_functions(struct place_windows *windows, const struct pci_access *access,
                         struct devices_pci *functions[], unsigned count) {
    struct want wants[BARS_MOST];
    unsigned total = 0, missing = 0;
    for (unsigned i = 0; i < count; i++) {
        pci_measure(access, functions[i], PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
        if ((functions[i]->header_type & PCI_HEADER_MASK) == PCI_HEADER_DEVICE)
            total = wants_add(wants, total, functions[i]);
    }
    for (unsigned i = 0; i < total; i++) {
        const struct devices_bar *bar = &wants[i].function->bars[wants[i].index];
        uint64_t at = place_find(windows, bar);
        missing += !at && !(bar->flags & DEVICES_BAR_IO);
        place_write(access, &wants[i], at);
    }
    return missing;
}
