/*
 * Contexts (xHCI 1.1, section 6.2): how the controller is told of a device and its endpoints. An input
 * context is a list of what to add and drop, then the slot's context, then one per endpoint. Pure.
 */
#pragma once

#include "drivers/xhci/descriptors.h"

enum usb_speed { SPEED_FULL = 1, SPEED_LOW = 2, SPEED_HIGH = 3, SPEED_SUPER = 4, SPEED_SUPER_PLUS = 5 };
enum { CONTEXT_ENDPOINTS = 31, INPUT_SIZE = 33 * 64, CONTEXT_ADD_SLOT = 1 };

/* Where a device is plugged in. */
struct usb_place {
    uint8_t root;  /* port of the controller, from 1 */
    uint8_t speed; /* enum usb_speed */
};

/* The index by which the controller knows an endpoint: 1 to CONTEXT_ENDPOINTS. */
static inline uint8_t endpoint_index(uint8_t address) {
    return (uint8_t)((address & 0x0f) * 2 + (address & USB_IN ? 1 : 0));
}

/* An empty input context; size: bytes of one context, 32 or 64. */
void input_clear(uint8_t *input, unsigned size, uint32_t add, uint32_t drop);
/* The slot's: last is the largest endpoint index that the device has. */
void input_slot(uint8_t *input, unsigned size, const struct usb_place *place, unsigned last);
/* Endpoint 0, whose packets have this many bytes; dequeue: ring_dequeue of its ring. */
void input_control(uint8_t *input, unsigned size, unsigned packet, uint64_t dequeue);
void input_endpoint(uint8_t *input, unsigned size, const struct usb_endpoint *endpoint, uint8_t speed,
                    uint64_t dequeue);
