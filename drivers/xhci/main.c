/*
 * The driver of USB host controllers (xHCI 1.1) and of the devices behind them, in one process:
 *
 *     controller.c, ring.c      registers, rings, events
 *     port.c, device.c,         what is plugged in becomes a device with an address, endpoints and a class;
 *     enumerate.c               context.c and descriptors.c are the formats
 *     storage.c with scsi.c     disks
 *     hid.c with boot_report.c  keyboards and mice
 *     links.c                   which of them has which link
 *     listing.c                 what the client is told of all of them
 *
 * Everything is done by events and by the clock. Only the start waits: until what is plugged in is known, so
 * that disks of an earlier driver find their clients again before these hear of a new one.
 */
#include "drivers/xhci/classes.h"
#include "drivers/xhci/links.h"
#include "drivers/xhci/listing.h"
#include "lib/native/keel.h"

#include <errno.h>

#define START_NS 2500000000ULL
#define STEP_NS  100000ULL

const struct usb_class *const usb_classes[] = {&storage_class, &keyboard_class, &mouse_class, NULL};

/* Does what is due, and asks to be called for what comes next. */
static void run(struct driver_device *device) {
    uint64_t now = clock_now();
    if (controller_deadline() <= now)
        driver_fail("the controller does not answer", -ETIMEDOUT);
    devices_run(now);
    ports_run(now);
    listing_follow(device);
    uint64_t next = devices_deadline(), other = ports_deadline();
    next = other < next ? other : next;
    other = controller_deadline();
    device->deadline = other < next ? other : next;
}

static int64_t xhci_init(struct driver_device *device) {
    if (device->irq_count == 0)
        return -ENODEV;
    int64_t error = controller_open(device);
    if (error)
        return error;
    devices_open();
    links_open(device);
    ports_open();
    for (uint64_t end = clock_now() + START_NS; (ports_busy() || devices_busy()) && clock_now() < end;) {
        controller_events();
        run(device);
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    links_settle();
    device->deadline = clock_now(); /* the list is written when the start is over */
    return 0;
}

static void xhci_interrupt(struct driver_device *device, unsigned index) {
    (void)index;
    controller_events();
    run(device);
}

static void xhci_timer(struct driver_device *device) {
    run(device);
}

static void xhci_session(struct driver_device *device, struct driver_link *link) {
    (void)device; /* a kick follows, or whoever withdraws an offer goes on */
    if (link->index < LINKS_STORAGE_END)
        storage_session(link);
    else
        hid_session(link);
}

static void xhci_kick(struct driver_device *device, struct driver_link *link) {
    if (link->index < LINKS_STORAGE_END)
        storage_kick(link);
    else
        hid_kick(link);
    run(device);
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "xhci",
        .init = xhci_init,
        .interrupt = xhci_interrupt,
        .timer = xhci_timer,
        .session = xhci_session,
        .kick = xhci_kick,
    };
    return driver_main(&driver, argc, argv);
}
