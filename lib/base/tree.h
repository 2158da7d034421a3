/*
 * Intrusive ordered tree with 64-bit keys: a treap whose priorities are hashes of the node's address, so that
 * its depth stays logarithmic for any order of keys. Keys must be unique unless the user inserts equals on
 * purpose (they then stand in insertion order). No allocation, no locking.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *left, *right, *parent;
    uint64_t key;
    uint64_t priority; /* a node's is not below its children's */
};

struct tree {
    struct tree_node *root;
};

void tree_insert(struct tree *tree, struct tree_node *node, uint64_t key);
void tree_remove(struct tree *tree, struct tree_node *node);

/* The node with the greatest key <= key, or NULL. */
struct tree_node *tree_find_le(const struct tree *tree, uint64_t key);
/* The node with the least key >= key, or NULL. */
struct tree_node *tree_find_ge(const struct tree *tree, uint64_t key);
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_last(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_prev(const struct tree_node *node);
