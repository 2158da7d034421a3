/*
 * A device's way from its port to its class (USB 2.0, 9.1; xHCI 1.1, 4.3): slot, address, descriptors,
 * endpoints, configuration. Each step ends by a command's or a transfer's end. Also: what the parts of
 * device.c share with it.
 */
#pragma once

#include "drivers/xhci/device.h"

enum device_command {
    COMMAND_NONE,
    COMMAND_ENABLE,
    COMMAND_ADDRESS,
    COMMAND_PACKET,
    COMMAND_PIPES,
    COMMAND_RESET_PIPE,
    COMMAND_MOVE_PIPE,
    COMMAND_DISABLE,
};

enum device_step {
    STEP_SLOT,
    STEP_ADDRESS,
    STEP_PACKET_READ, /* the first 8 bytes of the device descriptor */
    STEP_PACKET_SET,
    STEP_IDENTITY,
    STEP_LANGUAGE,
    STEP_MANUFACTURER,
    STEP_PRODUCT,
    STEP_SERIAL,
    STEP_LENGTH, /* of the configuration */
    STEP_CONFIGURATION,
    STEP_NAME, /* of the configuration */
    STEP_PIPES,
    STEP_SELECT,
    STEP_CLASS, /* the class is looking at it */
    STEP_READY,
};

void enumerate_begin(struct usb_device *device);
void enumerate_commanded(struct usb_device *device);
void enumerate_transferred(struct usb_device *device, enum usb_result result, uint32_t moved);

void device_command(struct usb_device *device, enum device_command command, uint64_t parameter,
                    uint32_t control);
void pipe_open(struct usb_device *device, unsigned number, const struct usb_endpoint *endpoint);
