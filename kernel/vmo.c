/* See vmo.h. */
#include "kernel/vmo.h"

#include "abi/errors.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/space.h"
#include "lib/base/string.h"

enum { PROTECT_STEP = 16, FILL_STEP = 16 }; /* mappings, pages */
enum { REMOVE_MASK = 1023 }; /* pages of the node above a leaf: what is unmapped and removed in one step */

/* ---- mappings of a Vmo, locked ---- */

/* The addresses at which a mapping shows the pages [first, last]; false when it shows none. */
static bool mapping_clip(const struct mapping *mapping, uint64_t first, uint64_t last, uint64_t *start,
                         uint64_t *end) {
    uint64_t shown = mapping->offset >> PAGE_SHIFT;
    uint64_t behind = shown + ((mapping->end - mapping->node.key) >> PAGE_SHIFT);

    if (last < shown || first >= behind)
        return false;
    *start = mapping->node.key + (first > shown ? (first - shown) << PAGE_SHIFT : 0);
    *end = last + 1 < behind ? mapping->end - ((behind - last - 1) << PAGE_SHIFT) : mapping->end;
    return true;
}

/* Removes the page-table entries of the pages [first, last] from every mapping. */
static void vmo_unmap(struct vmo *vmo, uint64_t first, uint64_t last) {
    struct mapping *mapping;
    uint64_t start, end;

    list_for_each(mapping, &vmo->mappings, vmo_link) if (mapping_clip(mapping, first, last, &start, &end))
        page_table_unmap(mapping->space, start, end, false);
}

/* Takes the ability to write from mappings that may have it. 0 or, when there are very many, -EAGAIN. */
static int vmo_write_protect(struct vmo *vmo) {
    for (unsigned i = 0;; i++) {
        struct mapping *mapping = list_entry(vmo->mappings.next, struct mapping, vmo_link);
        if (list_empty(&vmo->mappings) || !mapping->dirty)
            return 0;
        if (i == PROTECT_STEP)
            return -EAGAIN;
        page_table_protect(mapping->space, mapping->node.key, mapping->end);
        __atomic_store_n(&mapping->dirty, false, __ATOMIC_RELAXED); /* mapping_cut may look */
        list_remove(&mapping->vmo_link);
        list_push_back(&vmo->mappings, &mapping->vmo_link);
    }
}

/* ---- pages, locked ---- */

int vmo_commit(struct vmo *vmo, uint64_t index, bool write, struct vmo_found *found, struct page_list *list) {
    unsigned slot = vmo_node_slot(index);

    found->path_exclusive = false;
    found->leaf = vmo_tree_find(&vmo->tree, index, &found->path_exclusive);
    struct page *old = found->leaf ? found->leaf->slots[slot].page : NULL;
    found->page = old;
    found->fresh = !old;
    if (old && (!write || (found->path_exclusive && user_page_exclusive(old))))
        return 0;

    struct page *page = user_page_alloc(vmo->object.job);
    if (!page)
        return -ENOMEM;
    if (!found->leaf || !found->path_exclusive)
        found->leaf = vmo_tree_own(&vmo->tree, index);
    if (!found->leaf) {
        user_page_drop(page, list);
        return -ENOMEM;
    }
    found->page = page;
    found->path_exclusive = true;
    if (!old) {
        page_clear(page_virt(page));
        vmo_tree_insert(&vmo->tree, index, page);
        return 0;
    }
    page_copy(page_virt(page), page_virt(old));
    vmo_unmap(vmo, index, index);
    found->leaf->slots[slot].page = page;
    user_page_drop(old, list);
    return 0;
}

struct page *vmo_commit_fresh(struct vmo *vmo, uint64_t index) {
    struct page *page = user_page_alloc(vmo->object.job);
    if (page) {
        page_clear(page_virt(page));
        vmo_tree_insert(&vmo->tree, index, page);
    }
    return page;
}

int vmo_remove(struct vmo *vmo, uint64_t first, uint64_t last, unsigned *budget, struct page_list *list) {
    first = vmo_tree_next(&vmo->tree, first);
    if (first > last)
        return 0;
    uint64_t until = first | REMOVE_MASK;
    until = until < last ? until : last;
    vmo_unmap(vmo, first, until);
    int result = vmo_tree_remove(&vmo->tree, first, until, budget, list);
    return result || vmo_tree_next(&vmo->tree, until + 1) > last ? result : -EAGAIN;
}

/* Zeroes what the page at the boundary holds behind it. */
static int vmo_clear_tail(struct vmo *vmo, uint64_t boundary, struct page_list *list) {
    unsigned kept = boundary % PAGE_SIZE;
    uint64_t index = boundary >> PAGE_SHIFT;
    struct vmo_found found;
    bool exclusive;

    if (!kept)
        return 0;
    struct vmo_node *leaf = vmo_tree_find(&vmo->tree, index, &exclusive);
    if (!leaf || !leaf->slots[vmo_node_slot(index)].page)
        return 0;
    int result = vmo_commit(vmo, index, true, &found, list);
    if (!result)
        memset((char *)page_virt(found.page) + kept, 0, PAGE_SIZE - kept);
    return result;
}

/* ---- calls ---- */

static struct vmo *vmo_make(struct job *job, uint64_t size, uint8_t kind) {
    struct vmo *vmo = object_create(OBJECT_VMO, sizeof *vmo, job);
    if (vmo) {
        lock_init(&vmo->lock, LOCK_RANK_VMO);
        vmo->kind = kind;
        vmo->size = size;
        list_init(&vmo->mappings);
    }
    return vmo;
}

static unsigned block_order(const struct vmo *vmo) {
    return (unsigned)__builtin_ctzll(vmo->size) - PAGE_SHIFT;
}

int vmo_fill(struct vmo *vmo) {
    struct page_list list = {0};
    struct vmo_found found;

    for (unsigned i = 0; vmo->filled < vmo->size; i++, vmo->filled += PAGE_SIZE) {
        if (i == FILL_STEP)
            return -EAGAIN;
        if (vmo->kind & VMO_KIND_BLOCK) {
            page_clear(phys_to_virt(vmo->base + vmo->filled));
        } else if (vmo_commit(vmo, vmo->filled >> PAGE_SHIFT, true, &found, &list)) {
            page_list_free(&list); /* nothing is replaced, but a page may have come in vain */
            return -ENOMEM;
        }
    }
    return 0;
}

_Static_assert((int)VMO_PINNED == (int)VMO_KIND_PINNED, "vmo_create");

int vmo_create(struct job *job, uint64_t size, uint64_t flags, struct vmo **made) {
    if (flags & ~(uint64_t)VMO_PINNED || size > (flags ? VMO_PINNED_MAX : VMO_SIZE_MAX))
        return -EINVAL;
    *made = vmo_make(job, size, (uint8_t)flags);
    if (!*made)
        return -ENOMEM;
    return flags ? vmo_fill(*made) : 0;
}

int vmo_create_block(struct job *job, uint64_t size, uint64_t limit, struct vmo **made) {
    if (size < PAGE_SIZE || size & (size - 1) || size > VMO_PINNED_MAX)
        return -EINVAL;
    struct vmo *vmo = *made = vmo_make(job, size, VMO_KIND_PHYSICAL | VMO_KIND_CACHED);
    if (!vmo)
        return -ENOMEM;
    vmo->base = user_block_take(job, block_order(vmo), limit);
    if (!vmo->base)
        return -ENOMEM;
    vmo->kind |= VMO_KIND_BLOCK;
    return vmo_fill(vmo);
}

int vmo_create_anonymous(struct job *job, uint64_t size, struct vmo **made) {
    *made = vmo_make(job, size, VMO_KIND_ANONYMOUS);
    return *made ? 0 : -ENOMEM;
}

int vmo_create_physical(struct job *job, uint64_t base, uint64_t size, bool cached, struct vmo **made) {
    if ((base | size) % PAGE_SIZE || size - 1 >= VMO_SIZE_MAX || base > PTE_ADDRESS ||
        size > PTE_ADDRESS + 1 - base)
        return -EINVAL;
    struct vmo *vmo = vmo_make(job, size, cached ? VMO_KIND_PHYSICAL | VMO_KIND_CACHED : VMO_KIND_PHYSICAL);
    if (!vmo)
        return -ENOMEM;
    vmo->base = base;
    *made = vmo;
    return 0;
}

/* protected: nothing that the mappings show may be written any more. */
static int vmo_copy(struct vmo *vmo, struct job *job, bool protected, struct vmo **made) {
    if (vmo->kind & (VMO_KIND_PINNED | VMO_KIND_PHYSICAL))
        return -EINVAL;
    spin_lock(&vmo->lock);
    int result = protected ? vmo_write_protect(vmo) : 0;
    struct vmo *copy = result ? NULL : vmo_make(job, 0, vmo->kind);
    if (copy) {
        vmo_tree_share(&copy->tree, &vmo->tree);
        copy->size = vmo->size;
    } else if (!result) {
        result = -ENOMEM;
    }
    spin_unlock(&vmo->lock);
    *made = copy;
    return result;
}

int vmo_snapshot(struct vmo *vmo, struct job *job, struct vmo **made) {
    return vmo_copy(vmo, job, true, made);
}

int vmo_share(struct vmo *vmo, struct job *job, struct vmo **made) {
    return vmo_copy(vmo, job, false, made);
}

int vmo_resize(struct vmo *vmo, uint64_t size) {
    struct page_list list = {0};
    unsigned budget = VMO_STEP;

    if (vmo->kind & (VMO_KIND_PINNED | VMO_KIND_PHYSICAL) || size > VMO_SIZE_MAX)
        return -EINVAL;
    spin_lock(&vmo->lock);
    int result = vmo_clear_tail(vmo, size < vmo->size ? size : vmo->size, &list);
    if (!result)
        result =
            vmo_remove(vmo, (size + PAGE_SIZE - 1) >> PAGE_SHIFT, VMO_SIZE_MAX >> PAGE_SHIFT, &budget, &list);
    if (!result)
        vmo->size = size;
    spin_unlock(&vmo->lock);
    page_list_free(&list);
    return result;
}

int vmo_discard(struct vmo *vmo, uint64_t offset, uint64_t length) {
    struct page_list list = {0};
    unsigned budget = VMO_STEP;

    if (vmo->kind & (VMO_KIND_PINNED | VMO_KIND_PHYSICAL) || (offset | length) % PAGE_SIZE ||
        offset > VMO_SIZE_MAX || length > VMO_SIZE_MAX)
        return -EINVAL;
    if (!length)
        return 0;
    spin_lock(&vmo->lock);
    int result = vmo_remove(vmo, offset >> PAGE_SHIFT, ((offset + length) >> PAGE_SHIFT) - 1, &budget, &list);
    spin_unlock(&vmo->lock);
    page_list_free(&list);
    return result;
}

void vmo_info(struct vmo *vmo, struct vmo_info *info) {
    spin_lock(&vmo->lock);
    *info =
        (struct vmo_info){.size = vmo->size, .committed = vmo_tree_pages(&vmo->tree), .address = vmo->base};
    spin_unlock(&vmo->lock);
}

bool vmo_destroy_step(struct vmo *vmo) {
    struct page_list list = {0};
    unsigned budget = VMO_STEP;

    int result = vmo_tree_remove(&vmo->tree, 0, UINT64_MAX, &budget, &list);
    page_list_free(&list);
    if (result)
        return false;
    if (vmo->kind & VMO_KIND_BLOCK)
        user_block_free(vmo->object.job, vmo->base, block_order(vmo));
    object_free(&vmo->object, sizeof *vmo);
    return true;
}
