/* See enumerate.h. */
#include "drivers/xhci/enumerate.h"

#include <string.h>

#include "drivers/xhci/classes.h"
#include "lib/native/keel.h"

enum {
    PACKET_READ = 8,
    TEXT_READ = 255,
    SLOT_FLAG = 1,
    CONTROL_FLAG = 2,
    LANGUAGE_AT = 2,
    CONFIGURATION_TEXT = 6
};
enum { PACKET_LOW = 8, PACKET_FULL = 8, PACKET_HIGH = 64, PACKET_SUPER = 512 };

static void step_enter(struct usb_device *device, enum device_step step);

/* ---- commands ---- */

static void control_open(struct usb_device *device, uint16_t packet) {
    pipe_open(device, USB_CONTROL_PIPE, &(struct usb_endpoint){.packet = packet});
}

static uint16_t packet_first(uint8_t speed) {
    switch (speed) {
    case SPEED_LOW:
        return PACKET_LOW;
    case SPEED_FULL:
        return PACKET_FULL;
    case SPEED_HIGH:
        return PACKET_HIGH;
    default:
        return PACKET_SUPER;
    }
}

static void address(struct usb_device *device) {
    uint8_t *input = device->memory->input;
    unsigned size = controller_context_size();
    if (device->slot == 0) {
        usb_give_up(device, "the controller has no slot for it");
        return;
    }
    controller_slot(device->slot, usb_address(device, device->memory->context));
    control_open(device, packet_first(device->place.speed));
    const struct usb_pipe *pipe = &device->pipes[USB_CONTROL_PIPE];
    input_clear(input, size, SLOT_FLAG | CONTROL_FLAG, 0);
    input_slot(input, size, &device->place, 1);
    input_control(input, size, pipe->endpoint.packet, ring_dequeue(&pipe->ring));
    device_command(device, COMMAND_ADDRESS, usb_address(device, input), TRB_TYPE(TRB_ADDRESS_DEVICE));
}

static void packet_set(struct usb_device *device) {
    uint8_t *input = device->memory->input;
    unsigned size = controller_context_size();
    const struct usb_pipe *pipe = &device->pipes[USB_CONTROL_PIPE];
    input_clear(input, size, CONTROL_FLAG, 0);
    input_control(input, size, pipe->endpoint.packet, ring_dequeue(&pipe->ring));
    device_command(device, COMMAND_PACKET, usb_address(device, input), TRB_TYPE(TRB_EVALUATE));
}

/* ---- requests ---- */

static void descriptor_get(struct usb_device *device, uint8_t kind, uint8_t number, uint16_t language,
                           uint16_t length) {
    usb_control(device, &(struct usb_request){REQUEST_IN, GET_DESCRIPTOR, (uint16_t)(kind << 8 | number),
                                              language, length});
}

/* A string, if the device has it. */
static void text_get(struct usb_device *device, enum device_step step, uint8_t number) {
    if (number && device->language)
        descriptor_get(device, USB_STRING, number, device->language, TEXT_READ);
    else
        step_enter(device, step + 1);
}

static void step_enter(struct usb_device *device, enum device_step step) {
    const struct usb_identity *identity = &device->identity;
    device->step = (uint8_t)step;
    switch (step) {
    case STEP_SLOT:
        device_command(device, COMMAND_ENABLE, 0, TRB_TYPE(TRB_ENABLE_SLOT));
        break;
    case STEP_ADDRESS:
        address(device);
        break;
    case STEP_PACKET_READ:
        descriptor_get(device, USB_DEVICE, 0, 0, PACKET_READ);
        break;
    case STEP_PACKET_SET:
        packet_set(device);
        break;
    case STEP_IDENTITY:
        descriptor_get(device, USB_DEVICE, 0, 0, USB_DEVICE_SIZE);
        break;
    case STEP_LANGUAGE:
        if (identity->manufacturer_text || identity->product_text || identity->serial_text)
            descriptor_get(device, USB_STRING, 0, 0, TEXT_READ);
        else
            step_enter(device, STEP_LENGTH);
        break;
    case STEP_MANUFACTURER:
        text_get(device, step, identity->manufacturer_text);
        break;
    case STEP_PRODUCT:
        text_get(device, step, identity->product_text);
        break;
    case STEP_SERIAL:
        text_get(device, step, identity->serial_text);
        break;
    case STEP_LENGTH:
        descriptor_get(device, USB_CONFIGURATION, 0, 0, USB_CONFIGURATION_SIZE);
        break;
    case STEP_CONFIGURATION:
        descriptor_get(device, USB_CONFIGURATION, 0, 0, device->configuration_length);
        break;
    case STEP_NAME:
        text_get(device, step, device->descriptors[USB_DEVICE_SIZE + CONFIGURATION_TEXT]);
        break;
    case STEP_PIPES:
        if (device->class)
            usb_renew(device);
        else
            usb_ready(device);
        break;
    case STEP_SELECT:
        usb_control(device, &(struct usb_request){0, SET_CONFIGURATION, device->configuration, 0, 0});
        break;
    default:
        break;
    }
}

/* ---- answers ---- */

static void packet_take(struct usb_device *device, uint32_t moved) {
    uint8_t told = device->memory->buffer[7];
    struct usb_endpoint *endpoint = &device->pipes[USB_CONTROL_PIPE].endpoint;
    if (moved < PACKET_READ) {
        usb_give_up(device, "it does not say what it is");
    } else if (device->place.speed == SPEED_FULL && told != endpoint->packet) {
        if (told != 16 && told != 32 && told != 64) {
            usb_give_up(device, "its packets have no valid size");
            return;
        }
        endpoint->packet = told;
        step_enter(device, STEP_PACKET_SET);
    } else {
        step_enter(device, STEP_IDENTITY);
    }
}

/* The class whose interface comes first. */
static bool class_find(struct usb_device *device, const struct usb_configuration *configuration) {
    for (unsigned i = 0; i < configuration->interface_count; i++)
        for (const struct usb_class *const *class = usb_classes; *class; class ++) {
            const struct usb_endpoint *wanted[USB_PIPES - 1];
            unsigned count = (*class)->fits(&configuration->interfaces[i], wanted);
            if (count == 0)
                continue;
            device->class = *class;
            device->interface = configuration->interfaces[i];
            for (unsigned k = 0; k < count; k++)
                pipe_open(device, k + 1, wanted[k]);
            return true;
        }
    return false;
}

static void configuration_take(struct usb_device *device, uint32_t moved) {
    static struct usb_configuration configuration;
    if (usb_configuration_read(&configuration, device->memory->buffer, moved) < 0) {
        usb_give_up(device, "its descriptors are not valid");
        return;
    }
    device->configuration_length = (uint16_t)usb_configuration_length(device->memory->buffer, moved);
    memcpy(device->descriptors + USB_DEVICE_SIZE, device->memory->buffer, device->configuration_length);
    device->configuration = configuration.value;
    bool known = class_find(device, &configuration);
    log_line("port %u: %04x:%04x %s %s: %s", device->place.root, device->identity.vendor,
             device->identity.product, device->manufacturer, device->product,
             known ? device->class->name : "no driver for it");
    step_enter(device, STEP_NAME);
}

static void length_take(struct usb_device *device, uint32_t moved) {
    size_t length = usb_configuration_length(device->memory->buffer, moved);
    if (length == 0 || length > USB_BUFFER) {
        usb_give_up(device, "its descriptors are not valid");
        return;
    }
    device->configuration_length = (uint16_t)length;
    step_enter(device, STEP_CONFIGURATION);
}

static void select_take(struct usb_device *device) {
    device->step = STEP_CLASS;
    device->entered = true; /* what enter asks for is answered to the class */
    if (!device->class->enter(device)) {
        device->entered = false;
        usb_give_up(device, "there are too many of its kind");
    }
}

/* Texts are not needed: a device that has none is as good. */
static void text_take(struct usb_device *device, enum usb_result result, uint32_t moved) {
    const uint8_t *bytes = device->memory->buffer;
    size_t length = result == USB_DONE ? moved : 0;
    if (device->step == STEP_LANGUAGE)
        device->language = length >= LANGUAGE_AT + 2 && bytes[1] == USB_STRING
                               ? (uint16_t)(bytes[LANGUAGE_AT] | bytes[LANGUAGE_AT + 1] << 8)
                               : 0;
    else
        usb_text_read(device->step == STEP_MANUFACTURER ? device->manufacturer
                      : device->step == STEP_PRODUCT    ? device->product
                      : device->step == STEP_SERIAL     ? device->serial
                                                        : device->name,
                      bytes, length);
    step_enter(device, device->step + 1);
}

void enumerate_begin(struct usb_device *device) {
    step_enter(device, STEP_SLOT);
}

void enumerate_commanded(struct usb_device *device) {
    if (device->step == STEP_ADDRESS)
        port_addressed(device->port);
    step_enter(device, device->step + 1);
}

void enumerate_transferred(struct usb_device *device, enum usb_result result, uint32_t moved) {
    bool text = (device->step >= STEP_LANGUAGE && device->step <= STEP_SERIAL) || device->step == STEP_NAME;
    if (result == USB_FAILED || (result != USB_DONE && !text)) {
        usb_give_up(device, "it refuses to say what it is");
        return;
    }
    if (text) {
        text_take(device, result, moved);
        return;
    }
    switch (device->step) {
    case STEP_PACKET_READ:
        packet_take(device, moved);
        break;
    case STEP_IDENTITY:
        if (usb_identity_read(&device->identity, device->memory->buffer, moved) < 0)
            usb_give_up(device, "it does not say what it is");
        else {
            memcpy(device->descriptors, device->memory->buffer, USB_DEVICE_SIZE);
            step_enter(device, STEP_LANGUAGE);
        }
        break;
    case STEP_LENGTH:
        length_take(device, moved);
        break;
    case STEP_CONFIGURATION:
        configuration_take(device, moved);
        break;
    default:
        select_take(device);
        break;
    }
}
