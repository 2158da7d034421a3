/* Character devices by number. Registration happens at start, before anybody looks. */
#include "linux/fs/device.h"

#include "abi/errors.h"
#include "linux/abi/stat.h"
#include "linux/platform.h"

enum { DEVICES_MAX = 32 };

static const struct device *devices[DEVICES_MAX];
static unsigned device_count;

void device_register(const struct device *device) {
    for (unsigned i = 0; i < device_count; i++)
        if (devices[i] == device)
            return;
    if (device_count == DEVICES_MAX)
        fatal("more than %d character devices", DEVICES_MAX);
    devices[device_count++] = device;
}

const struct device *device_at(unsigned index) {
    return index < device_count ? devices[index] : NULL;
}

const struct device *device_find(uint32_t major, uint32_t minor) {
    for (unsigned i = 0; i < device_count; i++)
        if (devices[i]->major == major && minor - devices[i]->minor < devices[i]->minor_count)
            return devices[i];
    return NULL;
}

int device_open(struct inode *inode, struct file *file) {
    uint64_t number = inode->attributes.rdev;
    const struct device *device = device_find(device_major(number), device_minor(number));
    if (!device)
        return -ENXIO;
    file->operations = device->operations;
    return device->open ? device->open(inode, file) : 0;
}
