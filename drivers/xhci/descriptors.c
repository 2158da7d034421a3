/* See descriptors.h. */
#include "drivers/xhci/descriptors.h"

#include <errno.h>

enum {
    HEAD = 2,
    INTERFACE_SIZE = 9,
    ENDPOINT_SIZE = 7,
    COMPANION_SIZE = 6,
    PACKET_MOST = 1024,
    BURST_MOST = 15
};

static uint16_t read16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

int usb_identity_read(struct usb_identity *identity, const uint8_t *bytes, size_t length) {
    if (length < USB_DEVICE_SIZE || bytes[0] < USB_DEVICE_SIZE || bytes[1] != USB_DEVICE)
        return -EPROTO;
    *identity = (struct usb_identity){
        .version = read16(bytes + 2),
        .device_class = bytes[4],
        .subclass = bytes[5],
        .protocol = bytes[6],
        .packet = bytes[7],
        .vendor = read16(bytes + 8),
        .product = read16(bytes + 10),
        .release = read16(bytes + 12),
        .manufacturer_text = bytes[14],
        .product_text = bytes[15],
        .serial_text = bytes[16],
        .configurations = bytes[17],
    };
    return 0;
}

size_t usb_configuration_length(const uint8_t *bytes, size_t length) {
    if (length < USB_CONFIGURATION_SIZE || bytes[0] < USB_CONFIGURATION_SIZE ||
        bytes[1] != USB_CONFIGURATION || read16(bytes + 2) < USB_CONFIGURATION_SIZE)
        return 0;
    return read16(bytes + 2);
}

/* A reader of one configuration: what the descriptors that follow belong to. */
struct reader {
    struct usb_configuration *configuration;
    struct usb_interface *interface; /* NULL: one that is left out */
    struct usb_endpoint *endpoint;
};

static bool interface_read(struct reader *reader, const uint8_t *bytes) {
    struct usb_configuration *to = reader->configuration;
    reader->interface = NULL;
    reader->endpoint = NULL;
    if (bytes[0] < INTERFACE_SIZE)
        return false;
    if (bytes[3] != 0 || to->interface_count == USB_INTERFACES) /* another setting of an interface */
        return true;
    reader->interface = &to->interfaces[to->interface_count++];
    *reader->interface = (struct usb_interface){
        .number = bytes[2], .interface_class = bytes[5], .subclass = bytes[6], .protocol = bytes[7]};
    return true;
}

static bool endpoint_read(struct reader *reader, const uint8_t *bytes) {
    struct usb_interface *interface = reader->interface;
    reader->endpoint = NULL;
    if (bytes[0] < ENDPOINT_SIZE)
        return false;
    uint16_t packet = read16(bytes + 4) & 0x7ff;
    if (!interface || interface->endpoint_count == USB_ENDPOINTS)
        return true;
    if ((bytes[2] & 0x0f) == 0 || packet == 0 || packet > PACKET_MOST)
        return false;
    reader->endpoint = &interface->endpoints[interface->endpoint_count++];
    *reader->endpoint = (struct usb_endpoint){
        .address = bytes[2] & (USB_IN | 0x0f), .kind = bytes[3] & 3, .packet = packet, .interval = bytes[6]};
    return true;
}

static bool descriptor_read(struct reader *reader, const uint8_t *bytes) {
    switch (bytes[1]) {
    case USB_INTERFACE:
        return interface_read(reader, bytes);
    case USB_ENDPOINT:
        return endpoint_read(reader, bytes);
    case USB_COMPANION:
        if (reader->endpoint && bytes[0] >= COMPANION_SIZE)
            reader->endpoint->burst = bytes[2] < BURST_MOST ? bytes[2] : BURST_MOST;
        return true;
    default:
        return true;
    }
}

int usb_configuration_read(struct usb_configuration *configuration, const uint8_t *bytes, size_t length) {
    size_t total = usb_configuration_length(bytes, length);
    struct reader reader = {.configuration = configuration};
    *configuration = (struct usb_configuration){.value = 0};
    if (total == 0 || total > length)
        return -EPROTO;
    configuration->value = bytes[5];
    for (size_t at = bytes[0]; at < total; at += bytes[at])
        if (total - at < HEAD || bytes[at] < HEAD || bytes[at] > total - at ||
            !descriptor_read(&reader, bytes + at))
            return -EPROTO;
    return 0;
}

void usb_text_read(char text[USB_TEXT], const uint8_t *bytes, size_t length) {
    size_t end = length >= HEAD && bytes[1] == USB_STRING ? bytes[0] : 0, count = 0;
    if (end > length)
        end = length;
    for (size_t at = HEAD; at + 1 < end && count < USB_TEXT - 1; at += 2) {
        uint16_t unit = read16(bytes + at);
        text[count++] = unit >= ' ' && unit <= '~' ? (char)unit : '?';
    }
    text[count] = 0;
}

const struct usb_endpoint *usb_endpoint_find(const struct usb_interface *interface, enum usb_transfer kind,
                                             uint8_t direction) {
    for (unsigned i = 0; i < interface->endpoint_count; i++)
        if (interface->endpoints[i].kind == kind && (interface->endpoints[i].address & USB_IN) == direction)
            return &interface->endpoints[i];
    return NULL;
}
