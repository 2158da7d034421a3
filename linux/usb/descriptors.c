/* See descriptors.h. Sections are those of the USB 2.0 specification. */
#include "linux/usb/descriptors.h"

#include "lib/base/format.h"
#include "lib/base/string.h"

enum { HEAD = 2, CONFIGURATION = 2, INTERFACE = 4, CONFIGURATION_BYTES = 9, INTERFACE_BYTES = 9 };
enum { VENDOR_LOW = 0x6b, VENDOR_HIGH = 0x1d }; /* 1d6b, under which Linux lists root hubs */

static void text_check(char text[USB_LIST_TEXT]) {
    text[USB_LIST_TEXT - 1] = 0;
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = ' ';
}

bool usb_entry_check(struct usb_list_entry *entry) {
    const uint8_t *bytes = entry->descriptors;
    if (!entry->serial || entry->depth == 0 || entry->depth > USB_LIST_DEPTH || entry->speed < USB_FULL ||
        entry->speed > USB_SUPER_PLUS || entry->length < USB_DEVICE_BYTES ||
        entry->length > USB_LIST_DESCRIPTORS || bytes[0] != USB_DEVICE_BYTES)
        return false;
    for (unsigned i = 0; i < entry->depth; i++)
        if (entry->ports[i] == 0 || entry->ports[i] > (i ? 15 : 99)) /* so that names have room */
            return false;
    text_check(entry->manufacturer);
    text_check(entry->product);
    text_check(entry->number);
    text_check(entry->name);
    entry->super = entry->super != 0;
    return true;
}

bool usb_interface_at(const struct usb_list_entry *entry, unsigned index, struct usb_interface_facts *facts) {
    size_t at = USB_DEVICE_BYTES, end = index < USB_INTERFACES_MOST ? entry->length : at;
    while (end - at >= HEAD && entry->descriptors[at] >= HEAD && entry->descriptors[at] <= end - at) {
        const uint8_t *bytes = entry->descriptors + at;
        if (bytes[1] == INTERFACE && bytes[0] >= INTERFACE_BYTES && bytes[3] == 0 && index-- == 0) {
            *facts = (struct usb_interface_facts){bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]};
            return true;
        }
        at += bytes[0];
    }
    return false;
}

unsigned usb_interface_count(const struct usb_list_entry *entry) {
    struct usb_interface_facts facts;
    unsigned count = 0;
    while (usb_interface_at(entry, count, &facts))
        count++;
    return count;
}

void usb_device_name(char name[USB_NAME], unsigned bus, const struct usb_list_entry *entry) {
    if (entry->depth == 0) {
        format_text(name, USB_NAME, "usb%u", bus);
        return;
    }
    size_t length = format_text(name, USB_NAME, "%u-%u", bus, entry->ports[0]);
    for (unsigned i = 1; i < entry->depth && length < USB_NAME; i++)
        length += format_text(name + length, USB_NAME - length, ".%u", entry->ports[i]);
}

void usb_root_hub(struct usb_list_entry *entry, bool super, const char *address) {
    static const uint8_t high[] = {18, 1, 0, 2, 9, 0,  1, 64, VENDOR_LOW, VENDOR_HIGH, 2,    0, 1, 6, 3,
                                   2,  1, 1, 9, 2, 25, 0, 1,  1,          0,           0xe0, 0, 9, 4, 0,
                                   0,  1, 9, 0, 0, 0,  7, 5,  0x81,       3,           4,    0, 12};
    static const uint8_t fast[] = {18, 1, 0,    3, 9, 0, 3,  9, VENDOR_LOW, VENDOR_HIGH, 3,    0,    1, 6,
                                   3,  2, 1,    1, 9, 2, 31, 0, 1,          1,           0,    0xe0, 0, 9,
                                   4,  0, 0,    1, 9, 0, 0,  0, 7,          5,           0x81, 3,    2, 0,
                                   12, 6, 0x30, 0, 0, 2, 0};
    *entry = (struct usb_list_entry){.super = super,
                                     .speed = super ? USB_SUPER : USB_HIGH,
                                     .configuration = 1,
                                     .length = super ? sizeof fast : sizeof high};
    memcpy(entry->descriptors, super ? fast : high, entry->length);
    format_text(entry->manufacturer, sizeof entry->manufacturer, "Keel xhci");
    format_text(entry->product, sizeof entry->product, "xHCI Host Controller");
    format_text(entry->number, sizeof entry->number, "%s", address);
}
