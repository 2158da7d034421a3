/*
 * What a USB device says of itself (USB 2.0, chapter 9; USB 3.2, 9.6): bytes from a stranger, read into
 * structures whose numbers are in range. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USB_INTERFACES = 8, USB_ENDPOINTS = 4, USB_TEXT = 32 };
enum usb_descriptor {
    USB_DEVICE = 1,
    USB_CONFIGURATION = 2,
    USB_STRING = 3,
    USB_INTERFACE = 4,
    USB_ENDPOINT = 5,
    USB_COMPANION = 0x30, /* of an endpoint at SuperSpeed */
};
enum { USB_DEVICE_SIZE = 18, USB_CONFIGURATION_SIZE = 9, USB_IN = 0x80 };
enum usb_transfer { USB_CONTROL, USB_ISOCHRONOUS, USB_BULK, USB_INTERRUPT };

struct usb_identity {
    uint16_t version, vendor, product, release;
    uint8_t device_class, subclass, protocol;
    uint8_t packet; /* of endpoint 0, as told: an exponent at SuperSpeed */
    uint8_t manufacturer_text, product_text, serial_text; /* numbers of strings; 0: none */
    uint8_t configurations;
};

struct usb_endpoint {
    uint8_t address; /* number 1 to 15, USB_IN */
    uint8_t kind;    /* enum usb_transfer */
    uint8_t interval;
    uint8_t burst;   /* packets less one, 0 to 15 */
    uint16_t packet; /* bytes, 1 to 1024 */
};

struct usb_interface {
    uint8_t number, interface_class, subclass, protocol;
    unsigned endpoint_count;
    struct usb_endpoint endpoints[USB_ENDPOINTS];
};

struct usb_configuration {
    uint8_t value;
    unsigned interface_count;
    struct usb_interface interfaces[USB_INTERFACES]; /* as they are before one is set otherwise */
};

/* 0, or -EPROTO: it is none. */
int usb_identity_read(struct usb_identity *identity, const uint8_t *bytes, size_t length);

/* The length of all of a configuration's descriptors, from its first USB_CONFIGURATION_SIZE bytes; 0: they
 * are none. */
size_t usb_configuration_length(const uint8_t *bytes, size_t length);

/* Reads a configuration with its interfaces and endpoints; what does not fit is left out. -EPROTO: the
 * descriptors do not follow each other up to the end, or one says what cannot be. */
int usb_configuration_read(struct usb_configuration *configuration, const uint8_t *bytes, size_t length);

/* A string as printable ASCII, 0-terminated; what is none becomes a question mark. Empty when it is no
 * string. */
void usb_text_read(char text[USB_TEXT], const uint8_t *bytes, size_t length);

/* The interface's first endpoint of the kind and direction (USB_IN or 0); NULL: none. */
const struct usb_endpoint *usb_endpoint_find(const struct usb_interface *interface, enum usb_transfer kind,
                                             uint8_t direction);
