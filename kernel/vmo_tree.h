/*
 * The radix tree of a Vmo: nodes of 32 slots, a slot holding a page (level 0) or a node one level below. A
 * tree is as high as its highest page needs.
 *
 *      root (level 2) ── node (level 1) ── leaf (level 0) ── page
 *                    └── node ──…     a node or page with more than one reference is shared with another tree
 *
 * Trees share subtrees copy-on-write: a node's references count the slots and roots that lead to it. Whoever
 * wants to change something below a shared node copies that node first: the copy's slots add a reference to
 * each child, and the original loses one. So a node is private to a tree exactly when it and all nodes above
 * it have one reference; only the owner of a private node can share it, and only under the lock of its Vmo,
 * which guards the tree. Nothing below a shared node is ever written.
 */
#pragma once

#include "kernel/user_page.h"

enum { VMO_NODE_BITS = 5, VMO_NODE_SLOTS = 1 << VMO_NODE_BITS };

struct vmo_node {
    _Atomic uint64_t references;
    uint64_t pages; /* below this node */
    uint32_t used;  /* bit per slot that is not empty */
    union {
        struct vmo_node *node;
        struct page *page;
    } slots[VMO_NODE_SLOTS];
};

struct vmo_tree {
    struct vmo_node *root; /* NULL: no page */
    unsigned bits;         /* of the page indices it covers; VMO_NODE_BITS for each level */
};

/* The leaf that covers a page index, NULL where there is none. *exclusive: it is private to this tree. */
struct vmo_node *vmo_tree_find(const struct vmo_tree *tree, uint64_t index, bool *exclusive);

/* The leaf, created where absent and made private. NULL: memory exhausted; the tree holds what it held. */
struct vmo_node *vmo_tree_own(struct vmo_tree *tree, uint64_t index);

/* Puts a page into an empty slot of the tree; the path has been made private by vmo_tree_own. */
void vmo_tree_insert(struct vmo_tree *tree, uint64_t index, struct page *page);

/* The same for successive pages, from an index on to an end, at most to the end of its leaf. Returns that. */
uint64_t vmo_tree_fill(struct vmo_tree *tree, uint64_t index, uint64_t end, struct page *page);

/* Removes the pages [first, last], at most about *budget pages and nodes, in ascending order. Pages that
 * nothing else holds go to the list. 0 when none is left; -EAGAIN when the budget is used up; -ENOMEM when a
 * shared node could not be copied. */
int vmo_tree_remove(struct vmo_tree *tree, uint64_t first, uint64_t last, unsigned *budget,
                    struct page_list *list);

/* The first page index from one on that holds a page; UINT64_MAX: none does. */
uint64_t vmo_tree_next(const struct vmo_tree *tree, uint64_t index);

/* Makes an empty tree a copy of another. */
void vmo_tree_share(struct vmo_tree *copy, const struct vmo_tree *tree);

static inline unsigned vmo_node_slot(uint64_t index) {
    return index % VMO_NODE_SLOTS;
}
static inline uint64_t vmo_tree_pages(const struct vmo_tree *tree) {
    return tree->root ? tree->root->pages : 0;
}
