/*
 * A driver's manifest, drivers/NAME/manifest: which devices it serves and what it needs for that, beside the
 * device's own BARs. Plain text, one statement a line; blank lines and lines that begin with # say nothing.
 *
 *   match pci VENDOR:DEVICE     four hexadecimal digits each
 *   match class CCSSPP          class, subclass, interface; CCSS.. leaves the interface open
 *   match acpi NAME             what a table of ACPI describes; HPET: the event timer, its registers as BAR 0
 *   match always                a device of the machine that no bus shows: started once
 *   offers CLASS NAME SIZE [optional]
 *                               a link (abi/devices.h): CLASS block, net, char, framebuffer, input
 *                               or console; NAME with %a for letters or %d for a number, by which
 *                               devices are told apart (with more text behind it, the number is the
 *                               device's, and the text says which part of it this is); SIZE bytes of
 *                               area, rounded up to a power of two; optional: there is something only
 *                               while the driver says so (driver_offer_present)
 *   dma SIZE                    memory for the device
 *   vectors N                   interrupts asked for, at most (MSI-X, the event timer); 1 when not given
 *   ioport BASE LENGTH          match always only: I/O ports,
 *   mmio BASE LENGTH            and memory, as BARs 0, 1, ... in their order,
 *   irq LINE                    and interrupt lines
 *   memory SIZE                 limit of the driver's job; 2M when not given
 *   page BAR                    of the device's BARs only the first page of this one, for memory
 *   shows BAR                   clients of the first link may map the page of this one, and only read there
 *
 * Sizes are bytes with an optional K or M. The parser is pure: text in, structure or an exact message out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/devices.h"

enum {
    MANIFEST_MATCHES = 24,
    MANIFEST_LINKS = 8,
    MANIFEST_RANGES = 6,
    MANIFEST_VECTORS = 8,
    MANIFEST_IRQS = 4,
    MANIFEST_ERROR = 120,
    MANIFEST_DMA_MOST = 16 << 20,
};

enum match_kind { MATCH_ALWAYS, MATCH_PCI, MATCH_CLASS, MATCH_HPET };

struct manifest_match {
    enum match_kind kind;
    uint16_t vendor, device;
    uint32_t class_code, class_mask;
};

struct manifest_link {
    uint32_t device_class; /* enum devices_class */
    char name[DEVICES_NAME];
    uint32_t size; /* power of two */
    bool optional;
};

struct manifest_range {
    bool ports;
    uint64_t base, length;
};

struct manifest {
    char name[DEVICES_NAME]; /* the folder's; not in the text */
    struct manifest_match matches[MANIFEST_MATCHES];
    struct manifest_link links[MANIFEST_LINKS];
    struct manifest_range ranges[MANIFEST_RANGES];
    unsigned match_count, link_count, range_count;
    uint32_t dma, memory, vectors;
    uint32_t irqs[MANIFEST_IRQS];
    unsigned irq_count;
    bool has_page;
    uint32_t page_bar;
    bool has_shown;
    uint32_t shown_bar;
    char error[MANIFEST_ERROR]; /* "NAME:LINE: …" after a failure */
};

/* Parses text[0, length). True when the whole of it is valid. */
bool manifest_parse(struct manifest *manifest, const char *name, const char *text, size_t length);

/* Whether one of its matches is of a kind that names no function. */
bool manifest_matches(const struct manifest *manifest, enum match_kind kind);

/* How well a driver fits a function: 0 not at all, 1 by class, 2 by name. */
unsigned manifest_fits(const struct manifest *manifest, const struct devices_pci *function);
