/*
 * The protocol between `devices` and its clients (the personality), and between `devices` and the drivers it
 * starts.
 *
 * A client holds a port with SEND under the name "devices" and calls it (abi/ipc.h; the label's low 32 bits
 * are an enum devices_call, word 0 of the reply is 0 or a negated error). It lists devices, takes the link of
 * each that it wants to use, and is told by an event when the list changes.
 *
 * Who uses a disk (DEVICES_BLOCK) or a network card (DEVICES_NET) sends its authority with the request: a
 * handle to a RESOURCE_LINK that covers the base class DEVICES_PCI_STORAGE and has FILE, or that covers
 * DEVICES_PCI_NETWORK and has NETWORK. One handle may be both; the class is the one that the device is used
 * as, so a USB stick is storage. Devices of other classes need none. "A right to" a device means this below;
 * without it the answer is -EACCES. A driver's insides are for those with a right to all that it may ever
 * offer. `devices` closes what it was sent. A link that was taken stays its client's, whatever happens to the
 * right.
 *
 * A link is a shared area and two events. The area is DMA memory, physically contiguous, made by `devices`
 * and kept over restarts of the driver. Virtqueue descriptors in it hold byte offsets into the area; the
 * driver adds the area's physical address, so that data moves between the device and the client's buffers
 * without being copied. What follows the header is laid out by class: DEVICES_BLOCK
 * lib/virtqueue/block_ring.h, DEVICES_NET abi/net.h, DEVICES_CHAR lib/virtqueue/char_ring.h.
 *
 * Sessions: the client writes session 0, lays empty rings, copies the generation it sees to
 * session_generation, then writes a session number other than 0 and other than the last, and signals kick. A
 * driver serves only a session of its own generation. Each start of the driver makes a new generation: it
 * writes it to the header and signals call; the device has been reset before. The client then starts a new
 * session and offers again what was not completed. A generation of 0 says that there is no driver now.
 *
 * Offers come and go while a driver lives (a stick at a USB controller): it counts in header.presence, odd
 * while nothing is there. Every count makes another offer of the link, with an id of its own. The generation
 * of a link is link_generation of both; a client, which has read header.presence when it took the link, takes
 * a generation of another count for 0. So no request meant for one device reaches its successor.
 */
#pragma once

#include <stdint.h>

enum devices_call {
    DEVICES_NEXT =
        1,               /* word 0: id, 0 for the first. The device with the next larger id as bytes of the
                            reply, struct devices_device; -ENOENT after the last. Word 1 of the reply: how often the
                            list has changed; a walk in which that differs is of no list that there ever was */
    DEVICES_LINK = 2,    /* word 0: id. Handles of the reply: area (READ WRITE), kick (SEND), call (RECV);
                            word 1: bytes of the area. A fourth handle (READ): a page of
                            the device's registers that programs may look at. With a right to it. -ENOENT: no
                            such device any more; -EACCES; -ENOMEM */
    DEVICES_WATCH = 3,   /* one handle, an event with SEND: signalled whenever the list changes. -ENOSPC when
                            DEVICES_WATCHERS others have one */
    DEVICES_PCI = 4,     /* word 0: 0, or one more than an address. The PCI function with the next address as
                            bytes of the reply, struct devices_pci; -ENOENT after the last. BARs are measured for
                            it, unless word 1 is DEVICES_PCI_AS_IS. Word 1 of the reply: as DEVICES_NEXT */
    DEVICES_CONFIG = 5,  /* words 0-2: address, offset, length. Bytes of the function's configuration space as
                            they are now; fewer than length at its end */
    DEVICES_RESET = 6,   /* word 0: address; DEVICES_NO_ADDRESS: words 1 and 2 are the driver's name. Ends the
                            driver as if it had crashed: the function is reset, and the driver started again.
                            With a right to all it offers. -ENODEV: none runs; -EACCES; -ENOMEM */
    DEVICES_INSPECT = 7, /* word 0: index, from 0; two handles: the right to all that the driver offers,
                            and a RESOURCE_DEBUG with DEBUG. Without either -EACCES. The driver's state as
                            bytes of the reply, struct devices_inspect, and handles (READ WRITE) to its
                            memory; -ENOENT after the last; -ENOMEM */
    DEVICES_LEFT = 8,    /* word 0: id. The caller, who has its link, has finished with a device that is to be
                            removed (DEVICES_DEPARTING). With a right to it. -ENOENT: no such device any more;
                            -EACCES; -ENOMEM */
};

enum { DEVICES_PCI_AS_IS = 1 };
/* Base classes of PCI, which a RESOURCE_LINK is a range of. */
enum { DEVICES_PCI_STORAGE = 0x01, DEVICES_PCI_NETWORK = 0x02, DEVICES_PCI_CLASSES = 256 };
enum { DEVICES_WATCHERS = 8, DEVICES_NAME = 16, DEVICES_CONFIG_MOST = 256 };

enum devices_class {
    DEVICES_NONE = 0,
    DEVICES_BLOCK = 1,
    DEVICES_NET = 2,
    DEVICES_CHAR = 3, /* read, write and control; the name tells the node in /dev */
    DEVICES_FRAMEBUFFER = 4,
    DEVICES_INPUT = 5,
    DEVICES_CONSOLE = 6,
    DEVICES_USB = 7, /* the devices behind a host controller: abi/usb.h */
};

/* A device that a driver serves. */
struct devices_device {
    uint32_t id;               /* never used again for another device */
    uint32_t device_class;     /* enum devices_class */
    uint32_t generation;       /* of the driver, counted from 1; 0: it does not run now */
    uint32_t address;          /* DEVICES_ADDRESS of the PCI function; DEVICES_NO_ADDRESS: another bus */
    char name[DEVICES_NAME];   /* "vda", "hwrng"; 0-terminated */
    char driver[DEVICES_NAME]; /* the driver's folder */
    uint64_t area_length;      /* bytes of the link's area; 0: no link */
    uint32_t flags;            /* DEVICES_DEPARTING */
    uint32_t reserved;
};

/* Somebody wants to take the device out: its client finishes and says so (DEVICES_LEFT). It works until then,
 * or until the client has taken too long. */
enum { DEVICES_DEPARTING = 1 };

/* segment (16 bits), bus (8), device (5), function (3) */
#define DEVICES_ADDRESS(segment, bus, device, function)                                                      \
    ((uint32_t)(segment) << 16 | (uint32_t)(bus) << 8 | (uint32_t)(device) << 3 | (uint32_t)(function))
#define DEVICES_NO_ADDRESS UINT32_MAX

/* How often a driver ended, and how: by an exception, by itself (it met what it could not go on from),
 * because it did not answer, and because somebody asked (DEVICES_RESET). */
struct devices_ends {
    uint32_t crashed, gave_up, hung, killed;
};

enum { DEVICES_MEMORIES = 8 };

/* What DEVICES_INSPECT tells. */
struct devices_inspect {
    uint32_t address;
    uint32_t generation; /* of the last start */
    uint32_t ready;      /* 1: it runs, and its init has succeeded */
    uint32_t memory_count;
    struct devices_ends ends;
    char driver[DEVICES_NAME];
    struct { /* in the order of the reply's handles */
        uint64_t address, length;
        uint32_t protection; /* MAP_; what the process may do there. 0: DMA memory, which outlives it */
        uint32_t reserved;
    } memories[DEVICES_MEMORIES];
};

enum { DEVICES_BAR_IO = 1, DEVICES_BAR_MEMORY = 2, DEVICES_BAR_64 = 4, DEVICES_BAR_PREFETCH = 8 };

struct devices_bar {
    uint64_t base, length; /* length 0: not there */
    uint32_t flags;        /* DEVICES_BAR_ */
    uint32_t reserved;
};

/* A PCI function. */
struct devices_pci {
    uint32_t address;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* class, subclass, interface: 24 bits */
    uint8_t revision, header_type, irq_line, irq_pin;
    uint8_t bus_first, bus_last; /* behind a bridge */
    uint16_t config_length;      /* 256 or 4096 bytes */
    uint32_t measured;           /* which bars are filled in: 1 ports, 2 memory */
    uint32_t parent;             /* the bridge that it is behind; DEVICES_NO_ADDRESS: none */
    uint32_t serial;             /* another one at the same address has another */
    uint32_t reserved;
    struct devices_bar bars[7]; /* the seventh is the expansion ROM */
    char driver[DEVICES_NAME];  /* "" none runs */
};

/* At offset 0 of every link's area. */
struct link_header {
    uint32_t session;            /* client */
    uint32_t session_generation; /* client: which generation this session is for */
    uint32_t generation;         /* driver: link_generation */
    uint32_t presence;           /* driver: changes so far; odd: there is nothing at the link now */
    uint32_t awaited; /* client: a number for the request that it has waited for longest; 0: for none.
                       * `devices` ends a driver while which it stays the same for too long */
    uint32_t reserved;
};

enum { LINK_GENERATION_BITS = 20 };

/* The generation that a driver announces on a link: its own, 1 … 2^20 - 1, and which offer of the link it is.
 */
static inline uint32_t link_generation(uint32_t generation, uint32_t presence) {
    return presence << LINK_GENERATION_BITS | generation;
}

/* An announced generation as the client of one presence sees it: 0, no driver, when it is for another. */
static inline uint32_t link_generation_seen(uint32_t announced, uint32_t presence) {
    return (announced ^ presence << LINK_GENERATION_BITS) >> LINK_GENERATION_BITS ? 0 : announced;
}
