/* See device.h. What a device goes through from its port to its class is enumerate.c. */
#include "drivers/xhci/device.h"

#include <errno.h>
#include <string.h>

#include "drivers/xhci/enumerate.h"
#include "lib/native/keel.h"

enum { CHUNK_MOST = 0x10000, SETUP_SIZE = 8, SLOT_FLAG = 1 };
#define CONTROL_NS 2000000000ULL

static struct usb_device devices[USB_DEVICES];
static bool changed = true; /* there has been no list */

/* ---- commands ---- */

void device_command(struct usb_device *device, enum device_command command, uint64_t parameter,
                    uint32_t control) {
    device->command = (uint8_t)command;
    controller_command(device, parameter, control | TRB_SLOT(device->slot));
}

static struct usb_device *device_of(unsigned slot) {
    for (unsigned i = 0; slot && i < USB_DEVICES; i++)
        if (devices[i].port && devices[i].slot == slot)
            return &devices[i];
    return NULL;
}

/* ---- pipes ---- */

void pipe_open(struct usb_device *device, unsigned number, const struct usb_endpoint *endpoint) {
    struct usb_pipe *pipe = &device->pipes[number];
    struct trb *trbs = device->memory->rings[number];
    *pipe = (struct usb_pipe){.endpoint = *endpoint,
                              .state = PIPE_IDLE,
                              .index = number ? endpoint_index(endpoint->address) : 1,
                              .deadline = DEADLINE_NEVER};
    ring_init(&pipe->ring, trbs, usb_address(device, trbs));
}

/* The first endpoint that halted is reset, then told where to go on: behind what failed. */
static void recover(struct usb_device *device) {
    for (unsigned i = 0; i < USB_PIPES && !device->command; i++) {
        struct usb_pipe *pipe = &device->pipes[i];
        if (pipe->state != PIPE_HALTED)
            continue;
        device->recovering = pipe;
        device_command(device, COMMAND_RESET_PIPE, 0, TRB_TYPE(TRB_RESET_ENDPOINT) | TRB_TARGET(pipe->index));
    }
}

static void pipe_start(struct usb_device *device, struct usb_pipe *pipe, const struct trb *trbs,
                       unsigned count, uint64_t patience) {
    if (device->leaving)
        return;
    if (pipe->state != PIPE_IDLE || count > RING_MOST) {
        usb_give_up(device, "the endpoint is not free");
        return;
    }
    pipe->state = PIPE_BUSY;
    pipe->count = count;
    pipe->is_short = false;
    pipe->moved = 0;
    pipe->deadline = patience ? clock_now() + patience : DEADLINE_NEVER;
    for (unsigned i = 0; i < count; i++)
        pipe->lengths[i] = TRB_TYPE_OF(trbs[i].control) == TRB_SETUP ? 0 : trbs[i].status & TRB_LENGTH;
    pipe->first = ring_put(&pipe->ring, trbs, count);
    controller_doorbell(device->slot, pipe->index);
}

void usb_control(struct usb_device *device, const struct usb_request *request) {
    struct trb trbs[3];
    unsigned count = 0;
    uint32_t in = request->type & REQUEST_IN ? TRB_IN : 0;
    uint32_t stage = request->length == 0 ? 0 : in ? (uint32_t)TRB_SETUP_IN : (uint32_t)TRB_SETUP_OUT;
    uint64_t setup = request->type | (uint64_t)request->request << 8 | (uint64_t)request->value << 16 |
                     (uint64_t)request->index << 32 | (uint64_t)request->length << 48;
    if (request->length > USB_BUFFER) {
        usb_give_up(device, "the request is too long");
        return;
    }
    trbs[count++] = (struct trb){setup, SETUP_SIZE, TRB_TYPE(TRB_SETUP) | TRB_IMMEDIATE | stage};
    if (request->length)
        trbs[count++] = (struct trb){usb_address(device, device->memory->buffer), request->length,
                                     TRB_TYPE(TRB_DATA) | in | TRB_SHORT};
    trbs[count++] = (struct trb){
        0, 0, TRB_TYPE(TRB_STATUS) | TRB_INTERRUPT | (in && request->length ? 0 : (uint32_t)TRB_IN)};
    pipe_start(device, &device->pipes[USB_CONTROL_PIPE], trbs, count, CONTROL_NS);
}

void usb_transfer(struct usb_device *device, unsigned number, uint64_t physical, uint32_t length,
                  uint64_t patience) {
    struct usb_pipe *pipe = &device->pipes[number];
    struct trb trbs[RING_MOST];
    unsigned count = 0;
    uint32_t is_in = pipe->endpoint.address & USB_IN ? TRB_SHORT : 0;
    if (length > USB_TRANSFER_MOST)
        length = USB_TRANSFER_MOST;
    do { /* no TRB's bytes lie in two areas of 64 KB */
        uint32_t room = CHUNK_MOST - (uint32_t)(physical % CHUNK_MOST), chunk = length < room ? length : room;
        length -= chunk;
        uint32_t packets = (length + pipe->endpoint.packet - 1) / pipe->endpoint.packet; /* still to come */
        trbs[count++] = (struct trb){physical, chunk | (packets < 31 ? packets : 31) << 17,
                                     TRB_TYPE(TRB_NORMAL) | is_in |
                                         (length ? (uint32_t)TRB_CHAIN : (uint32_t)TRB_INTERRUPT)};
        physical += chunk;
    } while (length);
    pipe_start(device, pipe, trbs, count, patience);
}

/* Tells whom it concerns of the end of a transfer. */
static void pipe_end(struct usb_device *device, struct usb_pipe *pipe) {
    unsigned number = (unsigned)(pipe - device->pipes);
    pipe->state = PIPE_IDLE;
    pipe->deadline = DEADLINE_NEVER;
    if (device->leaving)
        return;
    if (device->entered)
        device->class->ended(device, number, pipe->result, pipe->moved);
    else
        enumerate_transferred(device, pipe->result, pipe->moved);
}

/* An event of the transfer's TRB `at`, counted from 0; left: bytes of it that did not move. */
static void pipe_event(struct usb_device *device, struct usb_pipe *pipe, unsigned at, unsigned code,
                       uint32_t left) {
    uint32_t sum = 0;
    bool last = at + 1 == pipe->count;
    for (unsigned i = 0; i <= at; i++)
        sum += pipe->lengths[i];
    if (!pipe->is_short)
        pipe->moved = left < sum ? sum - left : 0;
    if (code == CODE_SUCCESS || code == CODE_SHORT) {
        pipe->result = USB_DONE;
        pipe->is_short = code == CODE_SHORT || pipe->is_short;
        /* A control transfer's status follows its data. */
        if (last || (code == CODE_SHORT && pipe != &device->pipes[USB_CONTROL_PIPE]))
            pipe_end(device, pipe);
        return;
    }
    pipe->result = code == CODE_STALL ? USB_STALLED : USB_FAILED;
    pipe->state = PIPE_HALTED;
    pipe->deadline = DEADLINE_NEVER;
    if (!device->leaving)
        recover(device);
}

void device_transferred(const struct trb *event) {
    struct usb_device *device = device_of(TRB_SLOT_OF(event->control));
    unsigned index = TRB_TARGET_OF(event->control);
    for (unsigned i = 0; device && i < USB_PIPES; i++) {
        struct usb_pipe *pipe = &device->pipes[i];
        if (pipe->state != PIPE_BUSY || pipe->index != index)
            continue;
        int at = ring_index(&pipe->ring, event->parameter);
        for (unsigned k = 0; at >= 0 && k < pipe->count; k++)
            if (ring_step(pipe->first, k) == (unsigned)at) {
                pipe_event(device, pipe, k, TRB_CODE_OF(event->status), event->status & 0xffffff);
                return;
            }
    }
}

void usb_renew(struct usb_device *device) {
    uint8_t *input = device->memory->input;
    unsigned size = controller_context_size(), last = 1;
    uint32_t flags = 0;
    for (unsigned i = 1; i < USB_PIPES; i++)
        if (device->pipes[i].state != PIPE_CLOSED) {
            flags |= 1U << device->pipes[i].index;
            last = device->pipes[i].index > last ? device->pipes[i].index : last;
        }
    input_clear(input, size, SLOT_FLAG | flags, device->entered ? flags : 0);
    input_slot(input, size, &device->place, last);
    for (unsigned i = 1; i < USB_PIPES; i++) {
        struct usb_pipe *pipe = &device->pipes[i];
        if (pipe->state == PIPE_CLOSED)
            continue;
        pipe_open(device, i,
                  &(struct usb_endpoint){pipe->endpoint.address, pipe->endpoint.kind, pipe->endpoint.interval,
                                         pipe->endpoint.burst, pipe->endpoint.packet});
        input_endpoint(input, size, &pipe->endpoint, device->place.speed, ring_dequeue(&pipe->ring));
    }
    device_command(device, COMMAND_PIPES, usb_address(device, input), TRB_TYPE(TRB_CONFIGURE));
}

/* ---- small things ---- */

uint64_t usb_address(const struct usb_device *device, const void *at) {
    return device->physical + (uint64_t)((const uint8_t *)at - (const uint8_t *)device->memory);
}

void usb_later(struct usb_device *device, uint64_t time) {
    device->later = time;
}

void usb_ready(struct usb_device *device) {
    device->step = STEP_READY;
    changed = true;
}

void usb_give_up(struct usb_device *device, const char *why) {
    if (device->leaving)
        return;
    log_line("port %u, device %04x:%04x: %s", device->place.root, device->identity.vendor,
             device->identity.product, why);
    port_refuse(device->port);
    device_leave(device);
}

/* ---- coming and going ---- */

void devices_open(void) {
    for (unsigned i = 0; i < USB_DEVICES; i++)
        devices[i].memory = controller_memory(i, &devices[i].physical);
}

bool device_enter(struct usb_port *port, uint8_t speed) {
    struct usb_device *device = devices;
    while (device < devices + USB_DEVICES && device->port)
        device++;
    if (device == devices + USB_DEVICES || speed < SPEED_FULL || speed > SPEED_SUPER_PLUS) {
        log_line("a device at port %u: no room, or of unknown speed %u", port->number, speed);
        return false;
    }
    *device = (struct usb_device){.port = port,
                                  .memory = device->memory,
                                  .physical = device->physical,
                                  .place = {.root = port->number, .speed = speed},
                                  .later = DEADLINE_NEVER};
    memset(device->memory, 0, sizeof *device->memory);
    port->device = device;
    enumerate_begin(device);
    return true;
}

static void device_free(struct usb_device *device) {
    struct usb_port *port = device->port;
    if (device->slot)
        controller_slot(device->slot, 0);
    device->slot = 0;
    if (device->entered)
        device->class->gone(device);
    device->port = NULL;
    port_freed(port);
}

/* One command at a time: what is under way ends first. */
static void leave_continue(struct usb_device *device) {
    if (device->command)
        return;
    if (device->slot)
        device_command(device, COMMAND_DISABLE, 0, TRB_TYPE(TRB_DISABLE_SLOT));
    else
        device_free(device);
}

void device_leave(struct usb_device *device) {
    if (device->leaving)
        return;
    device->leaving = changed = true;
    device->later = DEADLINE_NEVER;
    for (unsigned i = 0; i < USB_PIPES; i++)
        device->pipes[i].deadline = DEADLINE_NEVER;
    leave_continue(device);
}

static void recovered(struct usb_device *device, enum device_command command, unsigned code) {
    struct usb_pipe *pipe = device->recovering;
    if (command == COMMAND_RESET_PIPE) { /* also when it had not halted, which the next command tells */
        device_command(device, COMMAND_MOVE_PIPE, ring_dequeue(&pipe->ring),
                       TRB_TYPE(TRB_SET_DEQUEUE) | TRB_TARGET(pipe->index));
        return;
    }
    device->recovering = NULL;
    if (code != CODE_SUCCESS) {
        usb_give_up(device, "an endpoint cannot be recovered");
        return;
    }
    pipe_end(device, pipe);
    if (!device->leaving)
        recover(device);
}

void device_commanded(struct usb_device *device, unsigned code, unsigned slot) {
    enum device_command command = device->command;
    device->command = COMMAND_NONE;
    if (command == COMMAND_ENABLE && code == CODE_SUCCESS)
        device->slot = slot <= controller_slots() ? (uint8_t)slot : 0;
    if (command == COMMAND_DISABLE) {
        if (code != CODE_SUCCESS)
            driver_fail("a slot cannot be disabled", -EIO);
        device_free(device);
    } else if (device->leaving) {
        leave_continue(device);
    } else if (command == COMMAND_RESET_PIPE || command == COMMAND_MOVE_PIPE) {
        recovered(device, command, code);
    } else if (code != CODE_SUCCESS) {
        log_line("command %u ended with code %u", command, code);
        usb_give_up(device, "the controller refuses it");
    } else if (device->entered) {
        device->class->renewed(device);
        if (!device->leaving)
            recover(device);
    } else {
        enumerate_commanded(device);
    }
}

/* ---- time ---- */

static void device_run(struct usb_device *device, uint64_t now) {
    for (unsigned i = 0; i < USB_PIPES; i++)
        if (device->pipes[i].state == PIPE_BUSY && device->pipes[i].deadline <= now) {
            usb_give_up(device, "it does not answer");
            return;
        }
    if (device->later <= now) {
        device->later = DEADLINE_NEVER;
        device->class->timer(device);
    }
}

void devices_run(uint64_t now) {
    for (unsigned i = 0; i < USB_DEVICES; i++)
        if (devices[i].port && !devices[i].leaving)
            device_run(&devices[i], now);
}

uint64_t devices_deadline(void) {
    uint64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < USB_DEVICES; i++) {
        const struct usb_device *device = &devices[i];
        if (!device->port || device->leaving)
            continue;
        next = device->later < next ? device->later : next;
        for (unsigned k = 0; k < USB_PIPES; k++)
            if (device->pipes[k].state == PIPE_BUSY && device->pipes[k].deadline < next)
                next = device->pipes[k].deadline;
    }
    return next;
}

struct usb_device *device_ready(unsigned index) {
    struct usb_device *device = &devices[index];
    return device->port && device->step == STEP_READY && !device->leaving ? device : NULL;
}

bool devices_changed(void) {
    bool was = changed;
    changed = false;
    return was;
}

bool devices_busy(void) {
    for (unsigned i = 0; i < USB_DEVICES; i++)
        if (devices[i].port && (devices[i].leaving || devices[i].step != STEP_READY))
            return true;
    return false;
}
