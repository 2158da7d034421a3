/*
 * Character devices by number: what a device node opens. Registered at start only. Also the place of /dev
 * itself.
 */
#pragma once

#include <stdint.h>

#include "linux/fs.h"

struct device {
    const char *name;   /* node in /dev; NULL: none is made (pts/N) */
    const char *family; /* in /proc/devices; NULL: the name */
    uint32_t major, minor, minor_count;
    uint32_t mode;                            /* permission bits of the node in /dev */
    const struct file_operations *operations; /* the open file's, unless open sets others */
    /* May be NULL. Sets file->data and, if it likes, file->operations; may block. */
    int (*open)(struct inode *inode, struct file *file);
};

/* Makes a device known; the structure stays in use. Call before fs_start (which makes the nodes of /dev). */
void device_register(const struct device *device);
const struct device *device_find(uint32_t major, uint32_t minor);
const struct device *device_at(unsigned index); /* NULL after the last */
/* An inode's open operation for character device nodes. -ENXIO when there is no such device. */
int device_open(struct inode *inode, struct file *file);

/* Nodes of devices that appear while the system runs, in /dev or a directory in it ("input/event0"), which is
 * made: mode with type and permissions (names of up to 63 characters). Whoever listens for uevents hears of
 * both. No locks held. 0, -EEXIST … */
int device_node_make(const char *name, uint32_t mode, uint64_t number);
int device_link_make(const char *name, const char *target);
void device_node_remove(const char *name);
/* The same for nodes of whose devices somebody else tells. */
int device_node_place(const char *name, uint32_t mode, uint64_t number);
void device_node_take(const char *name);
/* From fs_start, when /dev is mounted. */
int device_nodes_start(void);
