/*
 * The name tree: one struct name for each directory entry that is in use, found by (parent, text) in a hash
 * table. A name keeps its parent and its inode alive. When the last user lets go of a name it stays in the
 * table, on the list of unused names, so that the next walk finds it without asking the file system; the
 * oldest go when there are many. Names of file systems whose entries come and go by themselves (/proc) are
 * never entered.
 *
 * names_lock guards everything but the reference counts, which only change from and to 0 under it.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"

enum { BUCKETS = 2048, UNUSED_MAX = 2048 };

struct spin names_lock;

static struct name *buckets[BUCKETS];
static struct list unused = LIST_INIT(unused);
static unsigned unused_count;

static uint32_t hash_of(const struct name *parent, const char *text, size_t length) {
    uint64_t hash = (uintptr_t)parent >> 4;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
    return (uint32_t)(hash ^ hash >> 32);
}

static struct name **bucket_of(uint32_t hash) {
    return &buckets[hash % BUCKETS];
}

static struct name *find_locked(const struct name *parent, const char *text, size_t length, uint32_t hash) {
    for (struct name *name = *bucket_of(hash); name; name = name->next)
        if (name->hash == hash && name->parent == parent && name->length == length &&
            !memcmp(name->text, text, length))
            return name;
    return NULL;
}

static void hash_locked(struct name *name) {
    struct name **bucket = bucket_of(name->hash);
    name->next = *bucket;
    *bucket = name;
    name->hashed = true;
}

static void unhash_locked(struct name *name) {
    struct name **link = bucket_of(name->hash);
    if (!name->hashed)
        return;
    while (*link != name)
        link = &(*link)->next;
    *link = name->next;
    name->hashed = false;
}

static void use_locked(struct name *name) {
    if (name->references++ == 0) {
        list_remove(&name->unused);
        unused_count--;
    }
}

static void text_free(struct name *name) {
    if (name->text != name->small)
        heap_free(name->text);
}

static void text_set(struct name *name, char *block, const char *text, size_t length) {
    name->text = length < sizeof(name->small) ? name->small : block;
    memcpy(name->text, text, length);
    name->text[length] = 0;
    name->length = (uint16_t)length;
}

struct name *name_get(struct name *name) {
    atomic_fetch_add_explicit(&name->references, 1, memory_order_relaxed);
    return name;
}

/* Frees a name that is neither referenced nor hashed; returns the parent, whose reference it held. */
static struct name *name_free(struct name *name) {
    struct name *parent = name->parent;
    inode_put(name->inode);
    text_free(name);
    heap_free(name);
    return parent;
}

/* Drops one reference under the lock: the name to free now, if any. */
static struct name *release_locked(struct name *name) {
    if (--name->references)
        return NULL;
    if (!name->hashed)
        return name;
    list_push_back(&unused, &name->unused);
    if (++unused_count <= UNUSED_MAX)
        return NULL;
    struct name *oldest = list_entry(list_pop_front(&unused), struct name, unused);
    unused_count--;
    unhash_locked(oldest);
    return oldest;
}

void name_put(struct name *name) {
    while (name) {
        uint32_t count = atomic_load_explicit(&name->references, memory_order_relaxed);
        if (count > 1) {
            if (atomic_compare_exchange_weak(&name->references, &count, count - 1))
                return;
            continue;
        }
        spin_acquire(&names_lock);
        struct name *gone = release_locked(name);
        spin_release(&names_lock);
        name = gone ? name_free(gone) : NULL;
    }
}

struct name *name_find(struct name *parent, const char *text, size_t length) {
    uint32_t hash = hash_of(parent, text, length);
    spin_acquire(&names_lock);
    struct name *name = find_locked(parent, text, length, hash);
    if (name)
        use_locked(name);
    spin_release(&names_lock);
    return name;
}

static struct name *name_create(struct name *parent, const char *text, size_t length, struct inode *inode) {
    struct name *name = heap_zalloc(sizeof(*name));
    char *block = length < sizeof(name->small) ? NULL : heap_alloc(length + 1);
    if (!name || (length >= sizeof(name->small) && !block)) {
        heap_free(name);
        heap_free(block);
        return NULL;
    }
    text_set(name, block, text, length);
    name->references = 1;
    name->hash = hash_of(parent, text, length);
    name->parent = parent ? name_get(parent) : NULL;
    name->inode = inode_get(inode);
    list_init(&name->unused);
    return name;
}

struct name *name_make(struct name *parent, const char *text, size_t length, struct inode *inode) {
    bool cached = parent && !inode->filesystem->type->no_cache;
    struct name *name = cached ? name_find(parent, text, length) : NULL;
    if (name)
        return name;
    name = name_create(parent, text, length, inode);
    if (!name)
        return NULL;
    if (cached) {
        spin_acquire(&names_lock);
        hash_locked(name);
        spin_release(&names_lock);
    }
    return name;
}

struct name *name_parent(struct name *name) {
    spin_acquire(&names_lock);
    struct name *parent = name->parent;
    if (parent)
        name_get(parent);
    spin_release(&names_lock);
    return parent;
}

/* Takes a name out of the tree; returns it when nobody uses it, to be freed. */
static struct name *delete_locked(struct name *name) {
    unhash_locked(name);
    name->deleted = true;
    if (name->references)
        return NULL;
    list_remove(&name->unused);
    unused_count--;
    return name;
}

void name_remove(struct name *parent, const char *text, size_t length) {
    uint32_t hash = hash_of(parent, text, length);
    spin_acquire(&names_lock);
    struct name *name = find_locked(parent, text, length, hash);
    struct name *gone = name ? delete_locked(name) : NULL;
    spin_release(&names_lock);
    if (gone)
        name_put(name_free(gone));
}

void names_trim(const struct filesystem *filesystem) {
    for (;;) {
        struct name *found = NULL, *name;
        spin_acquire(&names_lock);
        list_for_each(name, &unused, unused) {
            if (filesystem && name->inode->filesystem != filesystem)
                continue;
            found = name;
            break;
        }
        if (found) {
            list_remove(&found->unused);
            unused_count--;
            unhash_locked(found);
        }
        spin_release(&names_lock);
        if (!found)
            return;
        name_put(name_free(found));
    }
}

int name_move_prepare(struct name_move *move, size_t length, size_t new_length) {
    move->texts[2] = move->texts[3] = NULL;
    move->texts[0] = heap_alloc(new_length + 1);
    move->texts[1] = heap_alloc(length + 1);
    if (move->texts[0] && move->texts[1])
        return 0;
    name_move_cancel(move);
    return -ENOMEM;
}

void name_move_cancel(struct name_move *move) {
    for (unsigned i = 0; i < 4; i++)
        heap_free(move->texts[i]);
}

/* Gives an unhashed name its new place; texts[0] is a block for the text, texts[2] gets the old one. Returns
 * the parent to let go. */
static struct name *place_locked(struct name *name, struct name *parent, char **texts, const char *text,
                                 size_t length) {
    struct name *old = name->parent;
    texts[2] = name->text == name->small ? NULL : name->text;
    text_set(name, texts[0], text, length);
    if (name->text == texts[0])
        texts[0] = NULL;
    name->parent = name_get(parent);
    name->hash = hash_of(parent, text, length);
    hash_locked(name);
    return old;
}

void name_move_commit(struct name_move *move, struct name *parent, const char *text, size_t length,
                      struct name *new_parent, const char *new_text, size_t new_length, bool exchange) {
    struct name *put[2] = {NULL, NULL}, *gone = NULL;
    spin_acquire(&names_lock);
    struct name *name = find_locked(parent, text, length, hash_of(parent, text, length));
    struct name *other =
        find_locked(new_parent, new_text, new_length, hash_of(new_parent, new_text, new_length));
    if (name)
        unhash_locked(name);
    if (other && exchange)
        unhash_locked(other);
    else if (other)
        gone = delete_locked(other);
    if (name)
        put[0] = place_locked(name, new_parent, move->texts, new_text, new_length);
    if (other && exchange)
        put[1] = place_locked(other, parent, move->texts + 1, text, length);
    spin_release(&names_lock);
    name_put(put[0]);
    name_put(put[1]);
    if (gone)
        name_put(name_free(gone));
    name_move_cancel(move);
}
