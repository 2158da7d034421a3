/* sources: linux/usb/descriptors.c linux/usb/texts.c linux/fs/text.c lib/base/format.c */
/* Any list that a driver of a USB controller could write: what passes the check has names that fit, texts
 * that end, and interfaces inside its descriptors. */
#include <stdlib.h>
#include <string.h>

#include "linux/fs/proc.h"
#include "linux/heap.h"
#include "linux/usb/usb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *heap_alloc(size_t size) {
    return malloc(size);
}
void heap_free(void *pointer) {
    free(pointer);
}

static void check(bool holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct usb_node node;
    struct usb_interface_facts facts;
    struct text text = {0};
    char name[USB_NAME];
    memset(&node, 0, sizeof(node));
    memcpy(&node.entry, data, size < sizeof(node.entry) ? size : sizeof(node.entry));
    if (!usb_entry_check(&node.entry))
        return 0;
    node.bus = USB_BUSES;
    node.number = USB_BUS_NODES - 1;
    usb_device_name(node.name, node.bus, &node.entry);
    check(strnlen(node.entry.product, USB_LIST_TEXT) < USB_LIST_TEXT && strlen(node.name) < USB_NAME - 1);
    unsigned count = usb_interface_count(&node.entry);
    check(count <= USB_INTERFACES_MOST && !usb_interface_at(&node.entry, count, &facts));
    for (unsigned i = 0; i < count && i < 4; i++) {
        usb_interface_name(name, &node, i);
        check(strlen(name) < USB_NAME - 1);
        usb_interface_describe(&text, &node, i, true);
    }
    usb_describe(&text, &node, false);
    check(!memchr(text.bytes, 0, text.length));
    text_free(&text);
    return 0;
}
