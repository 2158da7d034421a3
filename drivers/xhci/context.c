/* See context.h. */
#include "drivers/xhci/context.h"

#include <string.h>

enum { INPUT_SLOT = 1, INPUT_ENDPOINTS = 1 }; /* endpoint index 1 is behind the slot */
enum { RETRIES = 3 << 1, KIND_CONTROL = 4, KIND_IN = 4, INTERVAL_MOST = 15 };
enum { FRAME_MIN = 3, FRAME_MOST = 10, AVERAGE_CONTROL = 8, AVERAGE_INTERRUPT = 64, AVERAGE_BULK = 4096 };

static uint32_t *context(uint8_t *input, unsigned size, unsigned index) {
    return (uint32_t *)(input + (size_t)index * size);
}

void input_clear(uint8_t *input, unsigned size, uint32_t add, uint32_t drop) {
    memset(input, 0, (size_t)(CONTEXT_ENDPOINTS + 2) * size);
    context(input, size, 0)[0] = drop;
    context(input, size, 0)[1] = add;
}

void input_slot(uint8_t *input, unsigned size, const struct usb_place *place, unsigned last) {
    uint32_t *slot = context(input, size, INPUT_SLOT);
    slot[0] = (uint32_t)place->speed << 20 | last << 27;
    slot[1] = (uint32_t)place->root << 16;
}

static void endpoint_set(uint32_t *to, uint32_t kind, uint32_t interval, uint32_t burst, uint32_t packet,
                         uint64_t dequeue, uint32_t average) {
    to[0] = interval << 16;
    to[1] = RETRIES | kind << 3 | burst << 8 | packet << 16;
    to[2] = (uint32_t)dequeue;
    to[3] = (uint32_t)(dequeue >> 32);
    to[4] = average;
}

void input_control(uint8_t *input, unsigned size, unsigned packet, uint64_t dequeue) {
    endpoint_set(context(input, size, INPUT_ENDPOINTS + 1), KIND_CONTROL, 0, 0, packet, dequeue,
                 AVERAGE_CONTROL);
}

/* The exponent of the period in units of 125 us: told as such at high speed, in milliseconds below. */
static uint32_t interval_of(const struct usb_endpoint *endpoint, uint8_t speed) {
    uint32_t told = endpoint->interval ? endpoint->interval : 1;
    if (speed >= SPEED_HIGH)
        return told - 1 < INTERVAL_MOST ? told - 1 : INTERVAL_MOST;
    uint32_t exponent = FRAME_MIN;
    while (exponent < FRAME_MOST && 2U << (exponent - FRAME_MIN) <= told)
        exponent++;
    return exponent;
}

void input_endpoint(uint8_t *input, unsigned size, const struct usb_endpoint *endpoint, uint8_t speed,
                    uint64_t dequeue) {
    bool periodic = endpoint->kind == USB_INTERRUPT;
    uint32_t *to = context(input, size, INPUT_ENDPOINTS + endpoint_index(endpoint->address));
    uint32_t burst = speed >= SPEED_SUPER ? endpoint->burst : 0, packet = endpoint->packet;
    uint32_t kind = endpoint->kind + (endpoint->address & USB_IN ? (uint32_t)KIND_IN : 0);
    uint32_t bytes = packet * (burst + 1);
    endpoint_set(to, kind, periodic ? interval_of(endpoint, speed) : 0, burst, packet, dequeue,
                 periodic ? (bytes << 16) | AVERAGE_INTERRUPT : AVERAGE_BULK);
}
