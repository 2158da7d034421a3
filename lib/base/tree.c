/* See tree.h. */
#include "lib/base/tree.h"

/* By the golden ratio: nodes that lie one behind the other in memory get priorities further apart than chance
 * would make them, so that trees of such nodes are lower. */
static uint64_t node_priority(const struct tree_node *node) {
    return (uint64_t)(uintptr_t)node * 0x9e3779b97f4a7c15ULL;
}

/* The pointer that leads to the node: its parent's left or right, or the root. */
static struct tree_node **node_link(struct tree *tree, struct tree_node *node) {
    struct tree_node *parent = node->parent;
    if (!parent)
        return &tree->root;
    return parent->left == node ? &parent->left : &parent->right;
}

/* A node goes where the first of a lower priority is, which with all below it is divided: what comes before
 * the new node and what comes behind it become its two sides. */
void tree_insert(struct tree *tree, struct tree_node *node, uint64_t key) {
    struct tree_node **link = &tree->root, *parent = NULL, *at;
    uint64_t priority = node_priority(node);

    while ((at = *link) && at->priority >= priority) {
        parent = at;
        link = key < at->key ? &at->left : &at->right;
    }
    *link = node;
    node->parent = parent;
    node->key = key;
    node->priority = priority;
    struct tree_node **before = &node->left, *last_before = node;
    struct tree_node **behind = &node->right, *last_behind = node;
    while (at) {
        if (key < at->key) {
            *behind = at;
            at->parent = last_behind;
            last_behind = at;
            at = *(behind = &at->left);
        } else {
            *before = at;
            at->parent = last_before;
            last_before = at;
            at = *(before = &at->right);
        }
    }
    *before = *behind = NULL;
}

/* Its two sides become one in its place. */
void tree_remove(struct tree *tree, struct tree_node *node) {
    struct tree_node **link = node_link(tree, node), *parent = node->parent;
    struct tree_node *left = node->left, *right = node->right;

    while (left && right) {
        if (left->priority > right->priority) {
            *link = left;
            left->parent = parent;
            parent = left;
            left = *(link = &left->right);
        } else {
            *link = right;
            right->parent = parent;
            parent = right;
            right = *(link = &right->left);
        }
    }
    if (!left)
        left = right;
    *link = left;
    if (left)
        left->parent = parent;
}

struct tree_node *tree_find_le(const struct tree *tree, uint64_t key) {
    struct tree_node *best = NULL;
    for (struct tree_node *node = tree->root; node;) {
        if (node->key > key) {
            node = node->left;
        } else {
            best = node;
            node = node->right;
        }
    }
    return best;
}

struct tree_node *tree_find_ge(const struct tree *tree, uint64_t key) {
    struct tree_node *best = NULL;
    for (struct tree_node *node = tree->root; node;) {
        if (node->key < key) {
            node = node->right;
        } else {
            best = node;
            node = node->left;
        }
    }
    return best;
}

struct tree_node *tree_first(const struct tree *tree) {
    return tree_find_ge(tree, 0);
}

struct tree_node *tree_last(const struct tree *tree) {
    return tree_find_le(tree, UINT64_MAX);
}

struct tree_node *tree_next(const struct tree_node *node) {
    if (node->right) {
        for (node = node->right; node->left;)
            node = node->left;
        return (struct tree_node *)node;
    }
    while (node->parent && node->parent->right == node)
        node = node->parent;
    return node->parent;
}

struct tree_node *tree_prev(const struct tree_node *node) {
    if (node->left) {
        for (node = node->left; node->right;)
            node = node->right;
        return (struct tree_node *)node;
    }
    while (node->parent && node->parent->left == node)
        node = node->parent;
    return node->parent;
}
