/* Ranges of pages in a tree; ranges never touch each other, so that there are as few as possible. */
#include "linux/fs/extents.h"

#include "abi/errors.h"
#include "lib/base/list.h"
#include "linux/heap.h"

struct extent {
    struct tree_node node; /* key: first page */
    uint64_t end;
};

static struct extent *extent_of(struct tree_node *node) {
    return node ? container_of(node, struct extent, node) : NULL;
}

/* The range that holds the page, or the next one above. */
static struct extent *find(const struct extents *extents, uint64_t page) {
    struct extent *extent = extent_of(tree_find_le(&extents->tree, page));
    if (extent && extent->end > page)
        return extent;
    return extent_of(tree_find_ge(&extents->tree, page));
}

static void drop(struct extents *extents, struct extent *extent) {
    extents->pages -= extent->end - extent->node.key;
    tree_remove(&extents->tree, &extent->node);
    heap_free(extent);
}

static int insert(struct extents *extents, uint64_t first, uint64_t end) {
    struct extent *extent = heap_alloc(sizeof(*extent));
    if (!extent)
        return -ENOMEM;
    extent->end = end;
    tree_insert(&extents->tree, &extent->node, first);
    extents->pages += end - first;
    return 0;
}

static void grow(struct extents *extents, struct extent *extent, uint64_t end) {
    extents->pages += end - extent->end;
    extent->end = end;
}

int extents_add(struct extents *extents, uint64_t first, uint64_t end) {
    struct extent *before = extent_of(tree_find_le(&extents->tree, first)), *next;
    if (first >= end)
        return 0;
    if (!before || before->end < first) {
        int error = insert(extents, first, end);
        if (error)
            return error;
        before = extent_of(tree_find_le(&extents->tree, first));
    }
    if (before->end < end)
        grow(extents, before, end);
    /* Ranges that this one now covers or touches become part of it. */
    while ((next = extent_of(tree_next(&before->node))) && next->node.key <= before->end) {
        uint64_t reach = next->end;
        drop(extents, next);
        if (reach > before->end) {
            /* The pages between were counted with the range just dropped. */
            grow(extents, before, reach);
        }
    }
    return 0;
}

int extents_remove(struct extents *extents, uint64_t first, uint64_t end) {
    struct extent *extent = find(extents, first);
    if (!extent || extent->node.key >= end || first >= end)
        return 0;
    if (extent->node.key < first) {
        uint64_t old_end = extent->end;
        if (old_end > end) {
            int error = insert(extents, end, old_end);
            if (error)
                return error;
        }
        extents->pages -= old_end - first;
        extent->end = first;
        if (old_end > end)
            return 0;
        extent = find(extents, first);
    }
    while (extent && extent->end <= end) {
        drop(extents, extent);
        extent = find(extents, first);
    }
    if (extent && extent->node.key < end) { /* the last one loses its front: its key changes */
        extents->pages -= end - extent->node.key;
        tree_remove(&extents->tree, &extent->node);
        tree_insert(&extents->tree, &extent->node, end);
    }
    return 0;
}

uint64_t extents_count(const struct extents *extents, uint64_t first, uint64_t end) {
    uint64_t count = 0;
    for (struct extent *extent = find(extents, first); extent && extent->node.key < end;
         extent = extent_of(tree_next(&extent->node))) {
        uint64_t from = extent->node.key > first ? extent->node.key : first;
        uint64_t to = extent->end < end ? extent->end : end;
        count += to - from;
    }
    return count;
}

uint64_t extents_next(const struct extents *extents, uint64_t page) {
    struct extent *extent = find(extents, page);
    if (!extent)
        return UINT64_MAX;
    return extent->node.key > page ? extent->node.key : page;
}

uint64_t extents_next_gap(const struct extents *extents, uint64_t page) {
    struct extent *extent = find(extents, page);
    return extent && extent->node.key <= page ? extent->end : page;
}

void extents_clear(struct extents *extents) {
    struct tree_node *node;
    while ((node = tree_first(&extents->tree)))
        drop(extents, extent_of(node));
}
