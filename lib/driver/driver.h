/*
 * What every driver that `devices` starts is made of (requirement D1). A driver is a folder with a manifest
 * (servers/devices/manifest.h) and a program whose main hands a struct driver to driver_main:
 *
 *     static const struct driver example = {.name = "example", .init = example_init, .interrupt = …};
 *     int main(int argc, char **argv) { return driver_main(&example, argc, argv); }
 *
 * driver_main maps what the process was given, calls init, then sleeps at one port for interrupts, for the
 * kicks of its clients, for its own deadline and for the question of `devices` whether it still lives, which
 * it answers: a driver that does not come back from a call is restarted. A driver that cannot go on calls
 * driver_fail and is restarted too.
 *
 * What it was given, by `devices`; all of it optional:
 *
 *   - "bar0" … "bar5": memory of the device; --bar0=INSET,LENGTH says that it begins INSET bytes into the Vmo
 *   - "ioport.BASE": its I/O ports (all numbers hexadecimal); then --bar0=io:BASE,LENGTH
 *   - "irq0" … "irq7": interrupts; MSI-X or MSI vectors, or irq0 the line (INTx, or the manifest's irq)
 *     --irq=line|msi|msix says which of them
 *   - "dma": memory for the device (object_info tells its physical address)
 *   - "link", "link1" …: the areas of the links offered, likewise
 *   - "link.kick" (RECV), "link.call" (SEND), "link1.kick" …: their events
 *   - "config": the device's configuration space as it was when the driver was started, READ
 *   - "ping" (RECV), "alive" (SEND): the heartbeat
 *   - "log"
 *   - --generation=N: abi/devices.h
 *   - --optional=MASK: links that are offered only while the driver says that something is there
 *   - --device=ADDRESS: of the PCI function (DEVICES_ADDRESS)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/devices.h"
#include "abi/rights.h"

enum { DRIVER_BARS = 6, DRIVER_IRQS = 8, DRIVER_LINKS = 8 };

struct driver;

struct driver_bar {
    volatile uint8_t *at; /* memory; NULL: I/O ports, or no such BAR (length 0) */
    uint64_t length;      /* bytes */
    handle_t ports;
    uint16_t port; /* the first one */
};

/* Physically contiguous memory that the device may read and write. */
struct driver_memory {
    uint8_t *bytes; /* NULL: none */
    uint64_t length, physical;
};

struct driver_link {
    struct driver_memory area;
    handle_t kick, call;
    uint32_t session; /* the one served; 0: none */
    uint32_t index;
    uint32_t presence; /* as in the header; odd: nothing is offered now */
    bool optional;     /* offered when driver_offer_present says so */
    bool announced;    /* of this generation */
    bool again;        /* driver_kick_again */
    void *state;       /* the driver's */
};

/* How the device interrupts. */
enum driver_irq_mode { DRIVER_IRQ_NONE, DRIVER_IRQ_LINE, DRIVER_IRQ_MSI, DRIVER_IRQ_MSIX };

struct driver_device {
    const struct driver *driver;
    uint32_t address; /* DEVICES_ADDRESS */
    uint32_t generation;
    struct driver_bar bars[DRIVER_BARS];
    handle_t irqs[DRIVER_IRQS];
    unsigned irq_count;
    enum driver_irq_mode irq_mode;
    struct driver_memory dma;
    struct driver_link links[DRIVER_LINKS];
    unsigned link_count;
    const uint8_t *config;
    uint64_t config_length;
    uint64_t deadline; /* when to call timer, ns; DEADLINE_NEVER: not. The driver sets it */
    void *state;       /* the driver's */
    handle_t port, ping, alive;
    bool started; /* init has succeeded */
};

/* A request to a character device: read, write or ioctl. The bytes are in the client's area: a device may
 * transfer them (physical), and the client may change them at any time. */
struct driver_request {
    struct driver_link *link;
    uint32_t kind;      /* enum char_kind (lib/virtqueue/char_ring.h) */
    uint32_t control;   /* of ioctl: Linux's request number */
    uint8_t *bytes;     /* the client's data: to fill (read), to take (write), both (ioctl) */
    uint32_t length;    /* of bytes */
    uint64_t physical;  /* of bytes */
    uint64_t offset;    /* position in the device */
    uint16_t head;      /* of the chain */
    int64_t *result_at; /* where the result goes */
};

enum { DRIVER_LATER = 1 << 30 }; /* the request is completed by driver_complete */

/* All calls are made by one thread. Only init is required. What returns int64_t returns 0 or a negated
 * error. */
struct driver {
    const char *name;
    /* Brings up the device. An error ends the process; it is restarted with back-off. */
    int64_t (*init)(struct driver_device *device);
    /* Interrupt `index` came in. A level-triggered line is unmasked after the return: the cause must be gone.
     */
    void (*interrupt)(struct driver_device *device, unsigned index);
    /* A client laid its rings (link->session is new), or left (0): forget the old ones. */
    void (*session)(struct driver_device *device, struct driver_link *link);
    /* The client has kicked: there may be new chains in its rings. */
    void (*kick)(struct driver_device *device, struct driver_link *link);
    /* The deadline has passed. */
    void (*timer)(struct driver_device *device);
    /* A character device instead of kick: the result (bytes, or a negated error), or DRIVER_LATER. The
     * request stays valid until it is completed or a new session begins. */
    int64_t (*read)(struct driver_device *device, struct driver_request *request);
    int64_t (*write)(struct driver_device *device, struct driver_request *request);
    int64_t (*ioctl)(struct driver_device *device, struct driver_request *request);
    /* Nobody has the device open any more (CHAR_CLOSES). */
    void (*closed)(struct driver_device *device, struct driver_link *link);
};

/* The driver's life; returns only when it could not start, with an exit status. */
int driver_main(const struct driver *driver, int argc, char **argv);

/* Ends the driver with a line in the log. */
_Noreturn void driver_fail(const char *what, int64_t error);

/* Tells the link's client that there are used chains. */
void driver_call(struct driver_link *link);

/* There is more to do for the link's client than one call should: its kick comes again once everything else
 * that waits, the heartbeat's question too, was served. */
static inline void driver_kick_again(struct driver_link *link) {
    link->again = true;
}

/* Tells `devices` whether something is there at an optional link (the manifest's `offers … optional`): its
 * node appears, or goes with EIO for whoever uses it. Each time that something is there after a time without
 * is a new offer, with a new session; the requests of the old one are forgotten by then. A driver that was
 * started again says it anew for each such link: the offer has lasted when something is still there (and must
 * be the same). */
void driver_offer_present(struct driver_device *device, unsigned link, bool present);

/* Completes a request that its function left for later. */
void driver_complete(struct driver_request *request, int64_t result);

/* A character device's features (enum char_feature, lib/virtqueue/char_ring.h), told in init; and what it is
 * ready for (enum char_ready), whenever that changes. */
void driver_char_features(struct driver_link *link, uint32_t features);
void driver_char_ready(struct driver_link *link, uint32_t ready);

/* I/O ports and memory of a BAR alike. An offset that does not lie wholly inside ends the driver. */
uint32_t bar_read(const struct driver_bar *bar, uint64_t offset, unsigned width);
void bar_write(const struct driver_bar *bar, uint64_t offset, unsigned width, uint32_t value);
