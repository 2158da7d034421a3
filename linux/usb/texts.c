/* Lines and names of USB devices, as Linux has them in uevent and modalias files. */
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/fs/proc.h"
#include "linux/usb/usb.h"

enum { AT_CLASS = 4, AT_VENDOR = 8, AT_PRODUCT = 10, AT_RELEASE = 12 };

static unsigned word(const struct usb_node *node, unsigned at) {
    return node->entry.descriptors[at] | (unsigned)node->entry.descriptors[at + 1] << 8;
}

static void identity_add(struct text *text, const struct usb_node *node) {
    const uint8_t *class_code = node->entry.descriptors + AT_CLASS;
    text_add(text, "PRODUCT=%x/%x/%x\nTYPE=%u/%u/%u\n", word(node, AT_VENDOR), word(node, AT_PRODUCT),
             word(node, AT_RELEASE), class_code[0], class_code[1], class_code[2]);
}

void usb_describe(struct text *text, const struct usb_node *node, bool bound) {
    text_add(text, "MAJOR=%u\nMINOR=%u\nDEVNAME=bus/usb/%03u/%03u\nDEVTYPE=usb_device\n%s", USB_MAJOR,
             (node->bus - 1) * USB_BUS_NODES + node->number - 1, node->bus, node->number,
             bound ? "DRIVER=usb\n" : "");
    identity_add(text, node);
    text_add(text, "BUSNUM=%03u\nDEVNUM=%03u\n", node->bus, node->number);
}

void usb_interface_modalias(struct text *text, const struct usb_node *node, unsigned index) {
    struct usb_interface_facts facts = {0};
    const uint8_t *class_code = node->entry.descriptors + AT_CLASS;
    (void)usb_interface_at(&node->entry, index, &facts);
    const struct {
        const char *name;
        unsigned value, digits;
    } parts[] = {{"usb:v", word(node, AT_VENDOR), 4}, {"p", word(node, AT_PRODUCT), 4},
                 {"d", word(node, AT_RELEASE), 4},    {"dc", class_code[0], 2},
                 {"dsc", class_code[1], 2},           {"dp", class_code[2], 2},
                 {"ic", facts.class_code, 2},         {"isc", facts.subclass, 2},
                 {"ip", facts.protocol, 2},           {"in", facts.number, 2}};
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        text_capitals(text, parts[i].name, parts[i].value, parts[i].digits);
    text_add(text, "\n");
}

void usb_interface_describe(struct text *text, const struct usb_node *node, unsigned index, bool bound) {
    struct usb_interface_facts facts = {0};
    (void)usb_interface_at(&node->entry, index, &facts);
    text_add(text, "DEVTYPE=usb_interface\n%s", bound && node->entry.depth == 0 ? "DRIVER=hub\n" : "");
    identity_add(text, node);
    text_add(text, "INTERFACE=%u/%u/%u\nMODALIAS=", facts.class_code, facts.subclass, facts.protocol);
    usb_interface_modalias(text, node, index);
}

void usb_interface_name(char name[USB_NAME], const struct usb_node *node, unsigned index) {
    struct usb_interface_facts facts = {0};
    (void)usb_interface_at(&node->entry, index, &facts);
    unsigned configuration = node->entry.configuration ? node->entry.configuration : 1;
    if (node->entry.depth == 0)
        format_text(name, USB_NAME, "%u-0:1.0", node->bus);
    else
        format_text(name, USB_NAME, "%s:%u.%u", node->name, configuration, facts.number);
}
