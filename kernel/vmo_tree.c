/*
 * See vmo_tree.h. Every node holds at least one page except between vmo_tree_own and vmo_tree_insert, so a
 * node without pages has no children and goes.
 */
#include "kernel/vmo_tree.h"

#include "abi/errors.h"
#include "kernel/kmem.h"
#include "lib/base/string.h"

static bool node_shared(struct vmo_node *node) {
    return atomic_load_explicit(&node->references, memory_order_acquire) != 1;
}

/* Whether the tree is high enough for an index. */
static inline bool tree_covers(const struct vmo_tree *tree, uint64_t index) {
    return tree->root && !(index >> tree->bits);
}

struct vmo_node *vmo_tree_find(const struct vmo_tree *tree, uint64_t index, bool *exclusive) {
    struct vmo_node *node = tree->root;
    bool own = true;

    if (!tree_covers(tree, index))
        return NULL;
    for (unsigned shift = tree->bits - VMO_NODE_BITS; node; shift -= VMO_NODE_BITS) {
        own &= !node_shared(node);
        if (!shift)
            break;
        node = node->slots[vmo_node_slot(index >> shift)].node;
    }
    *exclusive = own;
    return node;
}

static struct vmo_node *node_create(void) {
    struct vmo_node *node = kmem_alloc(sizeof *node);
    if (node) {
        memset(node, 0, sizeof *node);
        node->references = 1;
    }
    return node;
}

/* Adds a reference to every child of a node, or drops one that is not the last. */
static void node_children_add(struct vmo_node *node, bool leaf, uint64_t count) {
    for (uint32_t used = node->used; used; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctz(used);
        _Atomic uint64_t *references =
            leaf ? &node->slots[i].page->references : &node->slots[i].node->references;
        atomic_fetch_add_explicit(references, count, memory_order_acq_rel);
    }
}

/* Puts a private copy in the place of a shared node. */
static bool node_unshare(struct vmo_node **link, bool leaf) {
    struct vmo_node *node = *link, *copy = kmem_alloc(sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, node, sizeof *copy);
    copy->references = 1;
    node_children_add(copy, leaf, 1);
    *link = copy;
    if (atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) == 1) {
        /* The others let go of it meanwhile. The copy holds its children. */
        node_children_add(node, leaf, UINT64_MAX);
        kmem_free(node, sizeof *node);
    }
    return true;
}

/* Adds roots until the tree covers the index. */
static bool tree_grow(struct vmo_tree *tree, uint64_t index) {
    if (!tree->root)
        tree->bits = 0;
    while (!tree_covers(tree, index)) {
        if (!tree->root && index >> (tree->bits + VMO_NODE_BITS)) {
            tree->bits += VMO_NODE_BITS; /* an empty tree starts with the height it needs */
            continue;
        }
        struct vmo_node *root = node_create();
        if (!root)
            return false;
        if (tree->root) {
            root->pages = tree->root->pages;
            root->slots[0].node = tree->root;
            root->used = 1;
        }
        tree->root = root;
        tree->bits += VMO_NODE_BITS;
    }
    return true;
}

/* The path of vmo_tree_own, which may stay incomplete. */
static struct vmo_node *path_own(struct vmo_tree *tree, uint64_t index) {
    if (!tree_grow(tree, index))
        return NULL;
    struct vmo_node **link = &tree->root, *parent = NULL;
    uint32_t bit = 0;
    for (unsigned shift = tree->bits - VMO_NODE_BITS;; shift -= VMO_NODE_BITS) {
        if (*link) {
            if (node_shared(*link) && !node_unshare(link, !shift))
                return NULL;
        } else {
            *link = node_create();
            if (!*link)
                return NULL;
            if (parent)
                parent->used |= bit;
        }
        if (!shift)
            return *link;
        parent = *link;
        bit = 1u << vmo_node_slot(index >> shift);
        link = &parent->slots[vmo_node_slot(index >> shift)].node;
    }
}

struct vmo_node *vmo_tree_own(struct vmo_tree *tree, uint64_t index) {
    struct vmo_node *leaf = path_own(tree, index);
    if (!leaf) {
        /* Away with nodes that were made for nothing; what is on the path is private as far as it goes. */
        struct page_list list = {0};
        unsigned budget = 0;
        vmo_tree_remove(tree, index, index, &budget, &list);
    }
    return leaf;
}

void vmo_tree_insert(struct vmo_tree *tree, uint64_t index, struct page *page) {
    struct vmo_node *node = tree->root;

    for (unsigned shift = tree->bits - VMO_NODE_BITS;; shift -= VMO_NODE_BITS) {
        node->pages++;
        if (!shift)
            break;
        node = node->slots[vmo_node_slot(index >> shift)].node;
    }
    node->slots[vmo_node_slot(index)].page = page;
    node->used |= 1u << vmo_node_slot(index);
}

uint64_t vmo_tree_fill(struct vmo_tree *tree, uint64_t index, uint64_t end, struct page *page) {
    struct vmo_node *node = tree->root;
    uint64_t leaf_end = (index | (VMO_NODE_SLOTS - 1)) + 1;

    end = end < leaf_end ? end : leaf_end;
    for (unsigned shift = tree->bits - VMO_NODE_BITS;; shift -= VMO_NODE_BITS) {
        node->pages += end - index;
        if (!shift)
            break;
        node = node->slots[vmo_node_slot(index >> shift)].node;
    }
    unsigned first = vmo_node_slot(index), count = (unsigned)(end - index);
    node->used |= UINT32_MAX >> (VMO_NODE_SLOTS - count) << first;
    while (count--)
        node->slots[first++].page = page++;
    return end;
}

/* ---- removal ---- */

struct removal {
    unsigned *budget;
    struct page_list *list;
};

/* Prepares a shared node for the removal of a part or all of it. 0: it is private now; 1: the tree's
 * reference to it is gone, and with it everything below; -ENOMEM. */
static int node_detach(struct vmo_node **link, bool leaf, bool whole) {
    struct vmo_node *node = *link;

    if (!whole)
        return node_unshare(link, leaf) ? 0 : -ENOMEM;
    if (atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) != 1) {
        *link = NULL;
        return 1;
    }
    node->references = 1; /* the others let go of it meanwhile */
    return 0;
}

/* Removes [first, last], counted from the node's first page, below a node. */
static int node_remove(struct vmo_node **link, unsigned shift, uint64_t first, uint64_t last,
                       struct removal *removal) {
    uint64_t span = 1ULL << shift, inside = span - 1;
    struct vmo_node *node = *link;
    int result = 0;

    if (node_shared(node)) {
        bool whole = !first && last == span * VMO_NODE_SLOTS - 1;
        if (whole && !*removal->budget)
            return -EAGAIN;
        *removal->budget -= whole;
        result = node_detach(link, !shift, whole);
        if (result)
            return result > 0 ? 0 : result;
        node = *link;
    }
    uint32_t left = node->used & (UINT32_MAX << (first >> shift)) & (UINT32_MAX >> (31 - (last >> shift)));
    for (; left && !result; left &= left - 1) {
        uint64_t i = (uint64_t)__builtin_ctz(left);
        if (shift) {
            struct vmo_node *child = node->slots[i].node;
            uint64_t before = child->pages;
            result = node_remove(&node->slots[i].node, shift - VMO_NODE_BITS,
                                 i == first >> shift ? first & inside : 0,
                                 i == last >> shift ? last & inside : inside, removal);
            child = node->slots[i].node;
            node->used &= ~(child ? 0 : 1u << i);
            node->pages -= before - (child ? child->pages : 0);
        } else if (!*removal->budget) {
            result = -EAGAIN;
        } else {
            --*removal->budget;
            user_page_drop(node->slots[i].page, removal->list);
            node->slots[i].page = NULL;
            node->used &= ~(1u << i);
            node->pages--;
        }
    }
    if (!node->pages) {
        kmem_free(node, sizeof *node);
        *link = NULL;
    }
    return result;
}

int vmo_tree_remove(struct vmo_tree *tree, uint64_t first, uint64_t last, unsigned *budget,
                    struct page_list *list) {
    struct removal removal = {budget, list};

    if (!tree_covers(tree, first))
        return 0;
    if (!tree_covers(tree, last))
        last = (1ULL << tree->bits) - 1;
    return node_remove(&tree->root, tree->bits - VMO_NODE_BITS, first, last, &removal);
}

uint64_t vmo_tree_next(const struct vmo_tree *tree, uint64_t index) {
    while (tree_covers(tree, index)) {
        const struct vmo_node *node = tree->root;
        unsigned shift = tree->bits - VMO_NODE_BITS;
        uint32_t used;
        while ((used = node->used >> vmo_node_slot(index >> shift))) {
            if (!(used & 1))
                index = ((index >> shift) + (unsigned)__builtin_ctz(used)) << shift;
            if (!shift)
                return index;
            node = node->slots[vmo_node_slot(index >> shift)].node;
            shift -= VMO_NODE_BITS;
        }
        index = ((index >> shift | (VMO_NODE_SLOTS - 1)) + 1) << shift; /* behind this node, from the top */
    }
    return UINT64_MAX;
}

void vmo_tree_share(struct vmo_tree *copy, const struct vmo_tree *tree) {
    *copy = *tree;
    if (tree->root)
        atomic_fetch_add_explicit(&tree->root->references, 1, memory_order_relaxed);
}
