/* sources: drivers/xhci/descriptors.c drivers/xhci/scsi.c */
/* Any answer of a USB device: what is read of it is in range, and nothing beyond its end is touched. */
#include "drivers/xhci/descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/xhci/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void configuration_check(const uint8_t *bytes, size_t size) {
    struct usb_configuration configuration;
    if (usb_configuration_read(&configuration, bytes, size) < 0)
        return;
    if (configuration.interface_count > USB_INTERFACES)
        abort();
    for (unsigned i = 0; i < configuration.interface_count; i++) {
        const struct usb_interface *interface = &configuration.interfaces[i];
        if (interface->endpoint_count > USB_ENDPOINTS)
            abort();
        for (unsigned k = 0; k < interface->endpoint_count; k++) {
            const struct usb_endpoint *endpoint = &interface->endpoints[k];
            if (!(endpoint->address & 15) || endpoint->address & 0x70 || endpoint->kind > 3 ||
                endpoint->burst > 15 || endpoint->packet == 0 || endpoint->packet > 1024)
                abort();
        }
        (void)usb_endpoint_find(interface, USB_BULK, USB_IN);
    }
}

static void scsi_check(const uint8_t *bytes, size_t size) {
    struct block_identity identity = {0};
    uint32_t left = 0;
    if (scsi_capacity_read(&identity, bytes, size) == 0 ||
        scsi_capacity_long_read(&identity, bytes, size) == 0)
        if (identity.sectors == 0 || identity.block_size < 512 || identity.block_size > 4096)
            abort();
    if (bulk_answer(bytes, size, 1, 512, &left) < BULK_PHASE && left > 512)
        abort();
    (void)scsi_inquiry_read(bytes, size);
    (void)scsi_mode_read_only(bytes, size);
    if (scsi_sense_read(bytes, size) > 15)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* so that a read beyond the end is seen */
    char text[USB_TEXT];
    struct usb_identity identity;
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    configuration_check(copy, size);
    scsi_check(copy, size);
    (void)usb_identity_read(&identity, copy, size);
    usb_text_read(text, copy, size);
    if (strnlen(text, sizeof text) == sizeof text)
        abort();
    free(copy);
    return 0;
}
