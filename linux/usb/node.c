/* /dev/bus/usb/BBB/DDD: a device's descriptors can be read; nothing can be sent to it (ENOTTY). */
#include "linux/usb/node.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/file.h"
#include "linux/usb/usb.h"

enum { PIECE = 256 };

static const struct usb_node *node_of(uint64_t number) {
    uint32_t minor = device_minor(number);
    return usb_find(minor / USB_BUS_NODES + 1, minor % USB_BUS_NODES + 1);
}

static int node_open(struct inode *inode, struct file *file) {
    (void)file;
    usb_lock();
    bool there = node_of(inode->attributes.rdev);
    usb_unlock();
    return there ? 0 : -ENODEV;
}

static int64_t node_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    uint8_t bytes[PIECE];
    int64_t total = 0;
    while (buffer->length) {
        usb_lock();
        const struct usb_node *node = node_of(file->path.inode->attributes.rdev);
        uint64_t left = node && *offset < node->entry.length ? node->entry.length - *offset : 0;
        uint64_t count = left < sizeof(bytes) ? left : sizeof(bytes);
        count = count < buffer->length ? count : buffer->length;
        if (count)
            memcpy(bytes, node->entry.descriptors + *offset, count);
        usb_unlock();
        if (!node)
            return total ? total : -ENODEV;
        if (count == 0)
            break;
        if (buffer_put(buffer, bytes, count))
            return total ? total : -EFAULT;
        *offset += count;
        total += (int64_t)count;
    }
    return total;
}

void usb_nodes_register(void) {
    static const struct file_operations operations = {.read = node_read, .seek = file_seek_position};
    static const struct device device = {.family = "usb_device",
                                         .major = USB_MAJOR,
                                         .minor_count = USB_BUSES * USB_BUS_NODES,
                                         .operations = &operations,
                                         .open = node_open};
    device_register(&device);
}
