/*
 * Copies between a Vmo and the current thread's memory. User memory may fault, and the fault may need any
 * lock, so each page is pinned under the Vmo's lock and copied without. A page that is replaced or discarded
 * meanwhile stays until the copy is done with it.
 */
#include "abi/errors.h"
#include "kernel/vmo.h"

enum { COPY_STEP = 4 * PAGE_SIZE }; /* with interrupts off */

/* What a hole reads as. */
static char zero_page[PAGE_SIZE];

/* A page of a Vmo for a copy, under its lock. */
struct window {
    char *bytes;
    struct page *pinned; /* NULL: nothing to unpin */
};

/* Opens the page for reading; a hole is not committed. */
static int window_read(struct vmo *vmo, uint64_t index, struct window *window) {
    bool exclusive;

    window->pinned = NULL;
    if (vmo->kind & VMO_KIND_PHYSICAL) {
        window->bytes = phys_to_virt(vmo->base + (index << PAGE_SHIFT));
        return 0;
    }
    struct vmo_node *leaf = vmo_tree_find(&vmo->tree, index, &exclusive);
    if (leaf)
        window->pinned = leaf->slots[vmo_node_slot(index)].page;
    window->bytes = window->pinned ? page_virt(window->pinned) : zero_page;
    return 0;
}

static int window_write(struct vmo *vmo, uint64_t index, struct window *window, struct page_list *list) {
    struct vmo_found found;
    int result = vmo_commit(vmo, index, true, &found, list);
    if (!result) {
        window->pinned = found.page;
        window->bytes = page_virt(found.page);
    }
    return result;
}

/* Copies within one page. The bytes copied; 0 at the end of the Vmo; -EFAULT, -ENOMEM. */
static int64_t copy_in_page(struct vmo *vmo, uint64_t offset, uint64_t user, uint64_t length, bool write) {
    struct page_list list = {0};
    struct window window = {0};
    int result = 0;
    uint64_t at = offset % PAGE_SIZE, count = PAGE_SIZE - at;

    spin_lock(&vmo->lock);
    if (count > length)
        count = length;
    if (offset >= vmo->size)
        count = 0;
    else if (count > vmo->size - offset)
        count = vmo->size - offset;
    if (count)
        result = write ? window_write(vmo, offset >> PAGE_SHIFT, &window, &list)
                       : window_read(vmo, offset >> PAGE_SHIFT, &window);
    if (window.pinned)
        user_page_pin(window.pinned);
    spin_unlock(&vmo->lock);
    page_list_free(&list);
    if (!count || result)
        return result;

    uint64_t left =
        write ? user_copy_in(window.bytes + at, user, count) : user_copy_out(user, window.bytes + at, count);
    if (window.pinned)
        user_page_put(window.pinned, PAGE_PIN);
    return left == count ? -EFAULT : (int64_t)(count - left);
}

static int64_t copy(struct vmo *vmo, uint64_t offset, uint64_t user, uint64_t length, bool write) {
    uint64_t done = 0;

    if (length > VMO_COPY_MAX)
        length = VMO_COPY_MAX;
    while (done < length) {
        int64_t result = copy_in_page(vmo, offset + done, user + done, length - done, write);
        if (result < 0)
            return done ? (int64_t)done : result;
        done += (uint64_t)result;
        if (!result || ((offset + done) % PAGE_SIZE && done < length))
            break;
        if ((offset + done) % COPY_STEP == 0)
            cpu_interrupts_window();
    }
    return (int64_t)done;
}

int64_t vmo_read_user(struct vmo *vmo, uint64_t offset, uint64_t to, uint64_t length) {
    if ((vmo->kind & (VMO_KIND_PHYSICAL | VMO_KIND_CACHED)) == VMO_KIND_PHYSICAL || offset > VMO_SIZE_MAX)
        return -EINVAL;
    return copy(vmo, offset, to, length, false);
}

int64_t vmo_write_user(struct vmo *vmo, uint64_t offset, uint64_t from, uint64_t length) {
    if (vmo->kind & VMO_KIND_PHYSICAL || offset > VMO_SIZE_MAX)
        return -EINVAL;
    return copy(vmo, offset, from, length, true);
}
