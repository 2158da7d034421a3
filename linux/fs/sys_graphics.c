/* /sys/class/graphics/fb0. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/io/framebuffer.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755 };

static int show(const struct proc_ref *ref, struct text *text) {
    const struct framebuffer_facts *facts = framebuffer_facts();
    const char *name = ref->node->name;
    if (!facts)
        return -ENODEV;
    if (!strcmp(name, "bits_per_pixel"))
        text_add(text, "%u\n", facts->bits);
    else if (!strcmp(name, "stride"))
        text_add(text, "%u\n", facts->pitch);
    else if (!strcmp(name, "virtual_size"))
        text_add(text, "%u,%u\n", facts->width, facts->height);
    else
        text_add(text, !strcmp(name, "dev") ? "29:0\n" : "EFI VGA\n");
    return 0;
}

static const struct proc_node display_children[] = {
    {.name = "bits_per_pixel", .mode = FILE_R, .show = show},
    {.name = "dev", .mode = FILE_R, .show = show},
    {.name = "name", .mode = FILE_R, .show = show},
    {.name = "stride", .mode = FILE_R, .show = show},
    {.name = "virtual_size", .mode = FILE_R, .show = show},
};

static const struct proc_node display_node = {
    .name = "fb", .mode = DIRECTORY, .children = display_children, .count = PROC_COUNT(display_children)};

int sysfs_graphics_find(const struct proc_ref *directory, const char *name, size_t length,
                        struct proc_child *child) {
    (void)directory;
    *child = (struct proc_child){.ref = {.node = &display_node}, .name = "fb0"};
    return framebuffer_facts() && length == 3 && !memcmp(name, child->name, length) ? 0 : -ENOENT;
}

bool sysfs_graphics_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    *child = (struct proc_child){.ref = {.node = &display_node}, .name = "fb0"};
    return *number == 0 && framebuffer_facts();
}
