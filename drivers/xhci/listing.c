/* See listing.h. The old list is compared with, not believed: a client can write the area. */
#include "drivers/xhci/listing.h"

#include <string.h>

#include "abi/usb.h"
#include "drivers/xhci/links.h"
#include "lib/virtqueue/ring.h"

_Static_assert((int)USB_LIST_DEVICES == USB_DEVICES && (int)USB_LIST_TEXT == USB_TEXT &&
                   (int)USB_LIST_DESCRIPTORS == (int)USB_DEVICE_SIZE + USB_BUFFER,
               "every device fits");

static struct usb_list_entry *entries_of(const struct driver_link *link) {
    return (struct usb_list_entry *)(link->area.bytes + USB_LIST_ENTRIES);
}

static void entry_make(struct usb_list_entry *entry, const struct usb_device *device) {
    bool super;
    memset(entry, 0, sizeof *entry);
    entry->ports[0] = controller_port_place(device->place.root, &super);
    entry->depth = 1;
    entry->super = super;
    entry->speed = device->place.speed;
    entry->configuration = device->class ? device->configuration : 0;
    memcpy(entry->manufacturer, device->manufacturer, sizeof entry->manufacturer);
    memcpy(entry->product, device->product, sizeof entry->product);
    memcpy(entry->number, device->serial, sizeof entry->number);
    memcpy(entry->name, device->name, sizeof entry->name);
    entry->length = (uint16_t)(USB_DEVICE_SIZE + device->configuration_length);
    memcpy(entry->descriptors, device->descriptors, entry->length);
}

/* The serial of the same device in the old list, 0: it is another one. */
static uint32_t serial_find(const struct usb_list_entry *old, const struct usb_list_entry *entry) {
    for (unsigned i = 0; i < USB_LIST_DEVICES; i++) {
        struct usb_list_entry wanted = *entry;
        wanted.serial = ring_load(old[i].serial);
        if (wanted.serial && !memcmp(&old[i], &wanted, sizeof wanted))
            return wanted.serial;
    }
    return 0;
}

static bool begun; /* a list was written */

/* A device in use has the serial of its first listing; one of an earlier driver that is as it was keeps it.
 */
static void entry_number(struct usb_list_header *header, const struct usb_list_entry *old,
                         struct usb_device *device, struct usb_list_entry *entry) {
    if (!device->listed && !begun)
        device->listed = serial_find(old, entry);
    if (!device->listed)
        device->listed = header->serials = header->serials + 1 ? header->serials + 1 : 1;
    entry->serial = device->listed;
}

void listing_follow(struct driver_device *host) {
    static struct usb_list_entry entries[USB_LIST_DEVICES];
    struct driver_link *link = LINKS_LIST < host->link_count ? &host->links[LINKS_LIST] : NULL;
    if (!host->started || !link || link->area.length < USB_LIST_AREA || !devices_changed())
        return;
    struct usb_list_header *header = (struct usb_list_header *)link->area.bytes;
    memset(entries, 0, sizeof entries);
    for (unsigned i = 0; i < USB_DEVICES; i++) {
        struct usb_device *device = device_ready(i);
        if (!device)
            continue;
        entry_make(&entries[i], device);
        entry_number(header, entries_of(link), device, &entries[i]);
    }
    uint32_t sequence = ring_load(header->sequence) | 1;
    ring_store(header->sequence, sequence);
    ring_fence();
    header->ports[0] = controller_port_count(false);
    header->ports[1] = controller_port_count(true);
    memcpy(entries_of(link), entries, sizeof entries);
    begun = true;
    ring_store(header->sequence, sequence + 1);
    driver_call(link);
}
