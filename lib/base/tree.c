/* See tree.h. A node rotates up past parents of lower priority on insertion and down to a leaf on removal. */
#include "lib/base/tree.h"

#include <stdbool.h>

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

/* Lifts a node above its parent. */
static void node_rotate_up(struct tree *tree, struct tree_node *node) {
    struct tree_node *parent = node->parent;
    struct tree_node *inner;

    *node_link(tree, parent) = node;
    node->parent = parent->parent;
    if (parent->left == node) {
        inner = node->right;
        parent->left = inner;
        node->right = parent;
    } else {
        inner = node->left;
        parent->right = inner;
        node->left = parent;
    }
    if (inner)
        inner->parent = parent;
    parent->parent = node;
}

void tree_insert(struct tree *tree, struct tree_node *node, uint64_t key) {
    struct tree_node **link = &tree->root;
    struct tree_node *parent = NULL;

    while (*link) {
        parent = *link;
        link = key < parent->key ? &parent->left : &parent->right;
    }
    node->left = node->right = NULL;
    node->parent = parent;
    node->key = key;
    node->priority = node_priority(node);
    *link = node;
    while (node->parent && node->parent->priority < node->priority)
        node_rotate_up(tree, node);
}

void tree_remove(struct tree *tree, struct tree_node *node) {
    while (node->left && node->right) {
        bool left = node->left->priority > node->right->priority;
        node_rotate_up(tree, left ? node->left : node->right);
    }
    struct tree_node *child = node->left ? node->left : node->right;
    *node_link(tree, node) = child;
    if (child)
        child->parent = node->parent;
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
