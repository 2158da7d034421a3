/* Memory objects: an ordered tree of pages, which snapshots share until one side writes. See kernel.h. */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/base/list.h"
#include "lib/keel/call.h"
#include "tests/host/kernel.h"

struct slot {
    struct tree_node node; /* key: page index */
    struct host_page *page;
};

static struct slot *slot_of(struct tree_node *node) {
    return node ? container_of(node, struct slot, node) : NULL;
}

/* ---- pages ---- */

static struct host_page *page_create(struct host_job *job) {
    if (host_allocation_fails() || !host_charge(job, HOST_PAGES, 1))
        return NULL;
    struct host_page *page = malloc(sizeof(*page));
    page->references = 1;
    page->exposed = false;
    page->job = job;
    page->bytes = calloc(1, HOST_PAGE);
    host_object_get(&job->object);
    return page;
}

static void page_put(struct host_page *page) {
    if (--page->references)
        return;
    host_uncharge(page->job, HOST_PAGES, 1);
    host_object_put(&page->job->object);
    if (!page->exposed)
        free(page->bytes);
    free(page);
}

static struct slot *slot_find(const struct host_vmo *vmo, uint64_t index) {
    struct slot *slot = slot_of(tree_find_ge(&vmo->pages, index));
    return slot && slot->node.key == index ? slot : NULL;
}

static void slot_insert(struct host_vmo *vmo, uint64_t index, struct host_page *page) {
    struct slot *slot = calloc(1, sizeof(*slot));
    slot->page = page;
    tree_insert(&vmo->pages, &slot->node, index);
    vmo->page_count++;
}

uint8_t *host_vmo_page(struct host_vmo *vmo, uint64_t index, bool write, int *error) {
    struct slot *slot = slot_find(vmo, index);
    *error = 0;
    if (!write || (slot && slot->page->references == 1))
        return slot ? slot->page->bytes : NULL;
    struct host_page *page = page_create(vmo->object.job);
    if (!page) {
        *error = -ENOMEM;
        return NULL;
    }
    if (slot) {
        memcpy(page->bytes, slot->page->bytes, HOST_PAGE);
        page_put(slot->page);
        slot->page = page;
    } else {
        slot_insert(vmo, index, page);
    }
    return page->bytes;
}

void host_vmo_remove(struct host_vmo *vmo, uint64_t first, uint64_t last) {
    struct slot *slot;
    while ((slot = slot_of(tree_find_ge(&vmo->pages, first))) && slot->node.key <= last) {
        tree_remove(&vmo->pages, &slot->node);
        page_put(slot->page);
        free(slot);
        vmo->page_count--;
    }
}

uint64_t host_vmo_resident(const struct host_vmo *vmo, uint64_t first, uint64_t last) {
    uint64_t count = 0;
    struct tree_node *node = tree_find_ge(&vmo->pages, first);
    for (; node && node->key <= last; node = tree_next(node))
        count++;
    return count;
}

/* ---- seen by the personality ---- */

struct view {
    struct list link;
    struct host_vmo *vmo;
    uint64_t offset, length;
    uint8_t *bytes;
};

static struct list views = LIST_INIT(views);

static void page_place(struct host_page *page, uint8_t *bytes, bool exposed) {
    memcpy(bytes, page->bytes, HOST_PAGE);
    if (!page->exposed)
        free(page->bytes);
    page->bytes = bytes;
    page->exposed = exposed;
}

void *host_vmo_expose(struct host_vmo *vmo, uint64_t offset, uint64_t length) {
    int error = 0;
    if (offset % HOST_PAGE || length % HOST_PAGE || !length || offset > vmo->size ||
        length > vmo->size - offset)
        return NULL;
    for (uint64_t at = 0; at < length && !error; at += HOST_PAGE)
        host_vmo_page(vmo, (offset + at) / HOST_PAGE, true, &error);
    if (error)
        return NULL;
    struct view *view = calloc(1, sizeof(*view));
    *view = (struct view){
        .vmo = vmo, .offset = offset, .length = length, .bytes = aligned_alloc(HOST_PAGE, length)};
    for (uint64_t at = 0; at < length; at += HOST_PAGE)
        page_place(slot_find(vmo, (offset + at) / HOST_PAGE)->page, view->bytes + at, true);
    host_object_get(&vmo->object);
    list_push_back(&views, &view->link);
    return view->bytes;
}

void host_vmo_conceal(void *address, uint64_t length) {
    struct view *view, *after;
    list_for_each_safe(view, after, &views, link) {
        if (view->bytes != address || view->length != length)
            continue;
        for (uint64_t at = 0; at < length; at += HOST_PAGE) {
            struct slot *slot = slot_find(view->vmo, (view->offset + at) / HOST_PAGE);
            if (slot && slot->page->bytes == view->bytes + at)
                page_place(slot->page, malloc(HOST_PAGE), false);
        }
        list_remove(&view->link);
        host_object_put(&view->vmo->object);
        free(view->bytes);
        free(view);
        return;
    }
}

/* ---- objects ---- */

static void vmo_destroy(struct host_object *object) {
    host_vmo_remove((struct host_vmo *)object, 0, UINT64_MAX);
    host_object_free(object);
}

struct host_vmo *host_vmo_create(struct host_job *job, uint64_t size) {
    struct host_vmo *vmo = host_object_create(OBJECT_VMO, sizeof(*vmo), job, vmo_destroy);
    if (vmo)
        vmo->size = size;
    return vmo;
}

struct host_vmo *host_vmo_snapshot(struct host_vmo *vmo, struct host_job *job) {
    struct host_vmo *copy = host_vmo_create(job, vmo->size);
    if (!copy)
        return NULL;
    copy->anonymous = vmo->anonymous;
    for (struct tree_node *node = tree_first(&vmo->pages); node; node = tree_next(node)) {
        struct host_page *page = slot_of(node)->page;
        page->references++;
        slot_insert(copy, node->key, page);
    }
    return copy;
}

static uint64_t page_up(uint64_t size) {
    return (size + HOST_PAGE - 1) / HOST_PAGE;
}

static int clear_tail(struct host_vmo *vmo, uint64_t boundary) {
    uint64_t kept = boundary % HOST_PAGE;
    int error;
    if (!kept || !slot_find(vmo, boundary / HOST_PAGE))
        return 0;
    uint8_t *bytes = host_vmo_page(vmo, boundary / HOST_PAGE, true, &error);
    if (bytes)
        memset(bytes + kept, 0, HOST_PAGE - kept);
    return error;
}

static int resize(struct host_vmo *vmo, uint64_t size) {
    if (vmo->pinned)
        return -EINVAL;
    int error = clear_tail(vmo, size < vmo->size ? size : vmo->size);
    if (error)
        return error;
    host_vmo_remove(vmo, page_up(size), UINT64_MAX);
    vmo->size = size;
    return 0;
}

/* Copies within a Vmo's page; 0 at its end. */
static int64_t copy_in_page(struct host_vmo *vmo, uint64_t offset, uint64_t user, uint64_t length,
                            bool write) {
    static const uint8_t zeros[HOST_PAGE];
    uint64_t at = offset % HOST_PAGE, count = HOST_PAGE - at;
    int error;
    if (offset >= vmo->size)
        return 0;
    count = count < length ? count : length;
    count = count < vmo->size - offset ? count : vmo->size - offset;
    uint8_t *bytes = host_vmo_page(vmo, offset / HOST_PAGE, write, &error);
    if (error)
        return error;
    size_t done;
    if (write)
        done = host_user_read(bytes + at, user, count);
    else
        done = host_user_write(user, bytes ? bytes + at : zeros, count);
    return done ? (int64_t)done : -EFAULT;
}

static int64_t copy(struct host_vmo *vmo, uint64_t offset, uint64_t user, uint64_t length, bool write) {
    uint64_t done = 0;
    if (offset > HOST_VMO_SIZE_MAX)
        return -EINVAL;
    length = length < HOST_COPY_MAX ? length : HOST_COPY_MAX;
    while (done < length) {
        int64_t result = copy_in_page(vmo, offset + done, user + done, length - done, write);
        if (result < 0)
            return done ? (int64_t)done : result;
        done += (uint64_t)result;
        if (!result || ((offset + done) % HOST_PAGE && done < length))
            break;
    }
    return (int64_t)done;
}

/* ---- calls ---- */

static int commit_all(struct host_vmo *vmo) {
    int error = 0;
    for (uint64_t i = 0; i < page_up(vmo->size) && !error; i++)
        host_vmo_page(vmo, i, true, &error);
    return error;
}

static int64_t create(uint64_t size, uint64_t flags) {
    struct host_vmo *vmo = host_vmo_create(NULL, size);
    if (!vmo)
        return -ENOMEM;
    vmo->pinned = flags & VMO_PINNED;
    if (vmo->pinned && commit_all(vmo)) {
        host_object_put(&vmo->object);
        return -ENOMEM;
    }
    return host_handle_add(&vmo->object, RIGHT_ALL);
}

int64_t keel_vmo_create(uint64_t size, uint64_t flags) {
    if (size > HOST_VMO_SIZE_MAX || flags & ~(uint64_t)VMO_PINNED)
        return -EINVAL;
    host_lock();
    int64_t result = create(size, flags);
    host_unlock();
    return result;
}

#define WITH_VMO(handle, rights, expression)                                                                 \
    ({                                                                                                       \
        struct host_object *found_;                                                                          \
        host_lock();                                                                                         \
        int64_t result_ = host_handle_find(handle, OBJECT_VMO, rights, &found_);                             \
        if (!result_) {                                                                                      \
            struct host_vmo *vmo = (struct host_vmo *)found_;                                                \
            result_ = (expression);                                                                          \
        }                                                                                                    \
        host_unlock();                                                                                       \
        result_;                                                                                             \
    })

int64_t keel_vmo_read(uint64_t handle, uint64_t offset, uint64_t buffer, uint64_t length) {
    return WITH_VMO(handle, RIGHT_READ, copy(vmo, offset, buffer, length, false));
}

int64_t keel_vmo_write(uint64_t handle, uint64_t offset, uint64_t buffer, uint64_t length) {
    return WITH_VMO(handle, RIGHT_WRITE, copy(vmo, offset, buffer, length, true));
}

static int64_t snapshot(struct host_vmo *vmo) {
    if (vmo->pinned)
        return -EINVAL;
    struct host_vmo *copied = host_vmo_snapshot(vmo, NULL);
    return copied ? host_handle_add(&copied->object, RIGHT_ALL) : -ENOMEM;
}

int64_t keel_vmo_snapshot(uint64_t handle) {
    return WITH_VMO(handle, RIGHT_READ, snapshot(vmo));
}

int64_t keel_vmo_resize(uint64_t handle, uint64_t size) {
    return size > HOST_VMO_SIZE_MAX ? -EINVAL : WITH_VMO(handle, RIGHT_WRITE, resize(vmo, size));
}

static int discard(struct host_vmo *vmo, uint64_t offset, uint64_t length) {
    if (vmo->pinned)
        return -EINVAL;
    if (length)
        host_vmo_remove(vmo, offset / HOST_PAGE, (offset + length) / HOST_PAGE - 1);
    return 0;
}

int64_t keel_vmo_discard(uint64_t handle, uint64_t offset, uint64_t length) {
    if ((offset | length) % HOST_PAGE || offset > HOST_VMO_SIZE_MAX || length > HOST_VMO_SIZE_MAX)
        return -EINVAL;
    return WITH_VMO(handle, RIGHT_WRITE, discard(vmo, offset, length));
}
