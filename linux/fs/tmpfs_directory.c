/* A tmpfs directory's entries: hash table by name, tree by age. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/dirent.h"
#include "linux/abi/stat.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/heap.h"

enum { FIRST_BUCKETS = 8 };

/* readdir's positions: 0 ".", 1 "..", 2 the newest entry, then LAST - serial, so that later entries have
 * smaller ones. */
#define LAST_POSITION (1ULL << 62)

static uint32_t hash_of(const char *name, size_t length) {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3ULL;
    return (uint32_t)(hash ^ hash >> 32);
}

static struct tmpfs_entry *entry_of(struct tree_node *node) {
    return container_of(node, struct tmpfs_entry, node);
}

static void bucket_push(struct tmpfs_entry **buckets, uint32_t count, struct tmpfs_entry *entry) {
    struct tmpfs_entry **bucket = &buckets[entry->hash & (count - 1)];
    entry->next = *bucket;
    *bucket = entry;
}

/* Doubles the table when it is full; a table that cannot grow only gets slower. */
static int make_room(struct tmpfs_directory *directory) {
    uint32_t count = directory->bucket_count ? directory->bucket_count * 2 : FIRST_BUCKETS;
    if (directory->entries < directory->bucket_count)
        return 0;
    struct tmpfs_entry **buckets = heap_zalloc(count * sizeof(void *));
    if (!buckets)
        return directory->bucket_count ? 0 : -ENOMEM;
    for (struct tree_node *node = tree_first(&directory->order); node; node = tree_next(node))
        bucket_push(buckets, count, entry_of(node));
    heap_free(directory->buckets);
    directory->buckets = buckets;
    directory->bucket_count = count;
    return 0;
}

int directory_add(struct tmpfs_directory *directory, const char *name, size_t length, struct inode *inode) {
    struct tmpfs_entry *entry = heap_alloc(sizeof(*entry) + length);
    if (!entry || make_room(directory)) {
        heap_free(entry);
        return -ENOMEM;
    }
    entry->inode = inode_get(inode);
    entry->hash = hash_of(name, length);
    entry->length = (uint16_t)length;
    memcpy(entry->name, name, length);
    bucket_push(directory->buckets, directory->bucket_count, entry);
    tree_insert(&directory->order, &entry->node, directory->next_serial++);
    directory->entries++;
    return 0;
}

struct tmpfs_entry *directory_find(const struct tmpfs_directory *directory, const char *name, size_t length) {
    if (!directory->bucket_count)
        return NULL;
    uint32_t hash = hash_of(name, length);
    struct tmpfs_entry *entry = directory->buckets[hash & (directory->bucket_count - 1)];
    while (entry &&
           (entry->hash != hash || entry->length != length || memcmp(entry->name, name, length) != 0))
        entry = entry->next;
    return entry;
}

struct inode *directory_take(struct tmpfs_directory *directory, struct tmpfs_entry *entry) {
    struct tmpfs_entry **link = &directory->buckets[entry->hash & (directory->bucket_count - 1)];
    struct inode *inode = entry->inode;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    tree_remove(&directory->order, &entry->node);
    directory->entries--;
    heap_free(entry);
    return inode;
}

void directory_renew(struct tmpfs_directory *directory, struct tmpfs_entry *entry) {
    tree_remove(&directory->order, &entry->node);
    tree_insert(&directory->order, &entry->node, directory->next_serial++);
}

/* Moves all entries of a directory onto a stack. */
static void unload(struct tmpfs_directory *directory, struct tmpfs_entry **stack) {
    for (uint32_t i = 0; i < directory->bucket_count; i++)
        while (directory->buckets[i]) {
            struct tmpfs_entry *entry = directory->buckets[i];
            directory->buckets[i] = entry->next;
            entry->next = *stack;
            *stack = entry;
        }
    heap_free(directory->buckets);
    *directory = (struct tmpfs_directory){0};
}

void directory_free(struct tmpfs_directory *directory) {
    struct tmpfs_entry *stack = NULL;
    unload(directory, &stack);
    while (stack) {
        struct tmpfs_entry *entry = stack;
        struct inode *inode = entry->inode;
        stack = entry->next;
        if (S_ISDIR(inode->attributes.mode) && inode->references == 1)
            unload(&node_of(inode)->directory, &stack);
        inode_put(inode);
        heap_free(entry);
    }
}

static bool emit_dots(struct inode *inode, uint64_t *offset, directory_emit emit, void *context) {
    struct inode *parent = node_of(inode)->directory.parent;
    if (*offset == 0) {
        if (!emit(context, ".", 1, inode->attributes.ino, DT_DIR, 1))
            return false;
        *offset = 1;
    }
    if (*offset == 1) {
        uint64_t ino = parent ? parent->attributes.ino : inode->attributes.ino;
        if (!emit(context, "..", 2, ino, DT_DIR, 2))
            return false;
        *offset = 2;
    }
    return true;
}

int tmpfs_readdir(struct file *file, uint64_t *offset, directory_emit emit, void *context) {
    struct inode *inode = file->path.inode;
    struct tmpfs_directory *directory = &node_of(inode)->directory;
    if (!emit_dots(inode, offset, emit, context))
        return 0;
    uint64_t newest = *offset <= 2 ? LAST_POSITION : LAST_POSITION - *offset;
    struct tree_node *node = *offset > LAST_POSITION ? NULL : tree_find_le(&directory->order, newest);
    for (; node; node = tree_prev(node)) {
        struct tmpfs_entry *entry = entry_of(node);
        uint64_t next = LAST_POSITION - node->key + 1;
        if (!emit(context, entry->name, entry->length, entry->inode->attributes.ino,
                  dirent_type(entry->inode->attributes.mode), next))
            break;
        *offset = next;
    }
    return 0;
}
