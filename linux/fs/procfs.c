/* procfs itself: inodes over the tables of nodes, directories, and files whose text is made when they are
 * read. */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/dirent.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"

enum { STORE_MAX = 4095, FIRST_CHANGING = 256 };

static const struct inode_operations directory_inode_operations, link_inode_operations,
    magic_inode_operations, file_inode_operations;
static const struct file_operations directory_operations, file_operations;

static struct proc_ref *ref_of(const struct inode *inode) {
    return inode->data;
}

static uint64_t hash_name(const char *name) {
    uint64_t hash = 0;
    while (*name)
        hash = hash * 31 + (unsigned char)*name++;
    return hash;
}

/* Stable numbers: by name for what belongs to no process, else from pid, thread, descriptor and name. */
static uint64_t number_of(const struct proc_ref *ref) {
    if (ref->node->number)
        return ref->node->number;
    uint64_t name = hash_name(ref->node->name) & 0xffff;
    if (!ref->pid)
        return 0xf0000000ULL + ((uint64_t)(ref->fd + 1) << 32) + name;
    return ((uint64_t)(ref->tid ? ref->tid : ref->pid) << 32) + ((uint64_t)(uint32_t)ref->fd << 16) + name;
}

/* Files of a process belong to its user. */
static void set_owner(struct inode *inode, const struct proc_ref *ref) {
    mutex_lock(&tasks_lock);
    struct task *task = ref->pid ? proc_task(ref) : NULL;
    if (task) {
        inode->attributes.uid = task->credentials.euid;
        inode->attributes.gid = task->credentials.egid;
    }
    mutex_unlock(&tasks_lock);
}

/* A directory's links: its own two and one for each directory in it. */
static uint32_t count_links(const struct proc_ref *ref) {
    struct proc_child child = {.ref = *ref};
    uint32_t links = 2;
    for (unsigned i = 0; i < ref->node->count; i++)
        links += S_ISDIR(ref->node->children[i].mode) ? 1 : 0;
    for (uint64_t number = 0; ref->node->counted && ref->node->next(ref, &number, &child); number++)
        links += S_ISDIR(child.ref.node->mode) ? 1 : 0;
    return links;
}

static struct inode *make_inode(struct filesystem *filesystem, const struct proc_ref *ref) {
    uint32_t mode = ref->node->mode;
    bool directory = S_ISDIR(mode);
    struct proc_ref *copy = heap_alloc(sizeof(*copy));
    struct inode *inode = inode_create(filesystem, mode,
                                       directory           ? &directory_inode_operations
                                       : ref->node->follow ? &magic_inode_operations
                                       : S_ISLNK(mode)     ? &link_inode_operations
                                                           : &file_inode_operations,
                                       directory ? &directory_operations : &file_operations);
    if (!copy || !inode) {
        heap_free(copy);
        heap_free(inode);
        return NULL;
    }
    *copy = *ref;
    inode->data = copy;
    inode->attributes.ino = number_of(ref);
    inode->attributes.block_size = 1024;
    inode->attributes.nlink = directory ? count_links(ref) : 1;
    if (ref->node->follow) /* links to descriptors look 64 bytes long on Linux */
        inode->attributes.size = ref->fd >= 0 && ref->node->name[0] == '#' ? 64 : 0;
    set_owner(inode, ref);
    return inode;
}

static void proc_release(struct inode *inode) {
    heap_free(inode->data);
}

/* ---- directories ---- */

static const struct proc_node *find_constant(const struct proc_node *directory, const char *name,
                                             size_t length) {
    for (unsigned i = 0; i < directory->count; i++)
        if (strlen(directory->children[i].name) == length &&
            !memcmp(directory->children[i].name, name, length))
            return &directory->children[i];
    return NULL;
}

static bool still_exists(const struct proc_ref *ref) {
    mutex_lock(&tasks_lock);
    bool exists = !ref->pid || (ref->tid ? proc_task(ref) != NULL : proc_process(ref) != NULL);
    mutex_unlock(&tasks_lock);
    return exists;
}

static int proc_lookup(struct inode *directory, const char *name, size_t length, struct inode **found) {
    const struct proc_ref *ref = ref_of(directory);
    struct proc_child child = {.ref = *ref};
    if (!still_exists(ref))
        return -ENOENT;
    child.ref.node = find_constant(ref->node, name, length);
    int error = child.ref.node ? 0 : ref->node->find ? ref->node->find(ref, name, length, &child) : -ENOENT;
    if (error)
        return error;
    *found = make_inode(directory->filesystem, &child.ref);
    return *found ? 0 : -ENOMEM;
}

/* Nothing can be made here; Linux says so with the answer to the look-up. */
static int proc_create(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev,
                       const char *target, struct inode **made) {
    (void)directory, (void)name, (void)length, (void)mode, (void)rdev, (void)target, (void)made;
    return -ENOENT;
}

static bool emit_constant(const struct proc_ref *ref, uint64_t *offset, directory_emit emit, void *context) {
    while (*offset - 2 < ref->node->count) {
        struct proc_ref child = *ref;
        child.node = &ref->node->children[*offset - 2];
        if (!emit(context, child.node->name, strlen(child.node->name), number_of(&child),
                  dirent_type(child.node->mode), *offset + 1))
            return false;
        ++*offset;
    }
    return true;
}

static bool emit_changing(const struct proc_ref *ref, uint64_t *offset, directory_emit emit, void *context) {
    uint64_t number = *offset < FIRST_CHANGING ? 0 : *offset - FIRST_CHANGING;
    struct proc_child child = {.ref = *ref};
    while (ref->node->next && ref->node->next(ref, &number, &child)) {
        if (!emit(context, child.name, strlen(child.name), number_of(&child.ref),
                  dirent_type(child.ref.node->mode), FIRST_CHANGING + number + 1))
            return false;
        *offset = FIRST_CHANGING + ++number;
    }
    return true;
}

static int proc_readdir(struct file *file, uint64_t *offset, directory_emit emit, void *context) {
    struct inode *inode = file->path.inode;
    const struct proc_ref *ref = ref_of(inode);
    if (!still_exists(ref))
        return -ENOENT;
    for (; *offset < 2; ++*offset)
        if (!emit(context, "..", (size_t)*offset + 1, inode->attributes.ino, DT_DIR, *offset + 1))
            return 0;
    if (*offset < FIRST_CHANGING && !emit_constant(ref, offset, emit, context))
        return 0;
    emit_changing(ref, offset, emit, context);
    return 0;
}

/* ---- links ---- */

static int64_t proc_readlink(struct inode *inode, char *to, size_t size) {
    const struct proc_ref *ref = ref_of(inode);
    struct path place;
    if (ref->node->link)
        return ref->node->link(ref, to, size);
    int error = ref->node->follow(ref, &place);
    if (error)
        return error;
    int64_t length = path_describe(&place, to, size, true);
    path_put(&place);
    return length < 0 ? length : length - 1;
}

static int proc_follow(struct inode *inode, struct path *result) {
    const struct proc_ref *ref = ref_of(inode);
    return ref->node->follow(ref, result);
}

/* ---- files ---- */

/* The text of an open file; made anew whenever it is read from the start. */
struct proc_file {
    struct text text;
    bool made;
};

static int proc_open(struct inode *inode, struct file *file) {
    const struct proc_ref *ref = ref_of(inode);
    if (ref->node->open)
        return ref->node->open(ref, file);
    file->data = heap_zalloc(sizeof(struct proc_file));
    return file->data ? 0 : -ENOMEM;
}

static int make_text(struct file *file, struct proc_file *shown) {
    const struct proc_ref *ref = ref_of(file->path.inode);
    text_free(&shown->text);
    int error = ref->node->show ? ref->node->show(ref, &shown->text) : -EINVAL;
    if (!error && shown->text.failed)
        error = -ENOMEM;
    shown->made = !error;
    return error;
}

static int64_t proc_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct proc_file *shown = file->data;
    int error = !shown->made || !*offset ? make_text(file, shown) : 0;
    if (error)
        return error;
    if (*offset >= shown->text.length)
        return 0;
    size_t left = shown->text.length - *offset, length = buffer->length < left ? buffer->length : left;
    if (buffer_put(buffer, shown->text.bytes + *offset, length))
        return -EFAULT;
    *offset += length;
    return (int64_t)length;
}

static int64_t proc_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    const struct proc_ref *ref = ref_of(file->path.inode);
    size_t length = buffer->length;
    if (!ref->node->store)
        return -EINVAL;
    if (length > STORE_MAX)
        return -EINVAL;
    char *bytes = heap_alloc(length + 1);
    if (!bytes)
        return -ENOMEM;
    int error = buffer_get(buffer, bytes, length);
    bytes[length] = 0;
    if (!error)
        error = ref->node->store(ref, bytes, length);
    heap_free(bytes);
    if (error)
        return error;
    *offset += length;
    return (int64_t)length;
}

static void proc_close(struct file *file) {
    struct proc_file *shown = file->data;
    if (!shown)
        return;
    text_free(&shown->text);
    heap_free(shown);
}

static int proc_setattr(struct inode *inode, const struct attributes *attributes, unsigned which) {
    (void)inode, (void)attributes;
    return which & ~(unsigned)ATTR_SIZE ? -EPERM : 0; /* O_TRUNC means nothing here */
}

static const struct inode_operations directory_inode_operations = {

    .lookup = proc_lookup, .create = proc_create, .setattr = proc_setattr, .release = proc_release};
static const struct inode_operations file_inode_operations = {
    .open = proc_open, .setattr = proc_setattr, .release = proc_release};
static const struct inode_operations magic_inode_operations = {
    .readlink = proc_readlink, .follow = proc_follow, .setattr = proc_setattr, .release = proc_release};
static const struct inode_operations link_inode_operations = {
    .readlink = proc_readlink, .setattr = proc_setattr, .release = proc_release};
static const struct file_operations directory_operations = {.readdir = proc_readdir,
                                                            .seek = file_seek_position};
static const struct file_operations file_operations = {
    .read = proc_read, .write = proc_write, .seek = file_seek_position, .release = proc_close};

/* ---- instance ---- */

int proc_instance(const struct filesystem_type *type, const struct proc_node *root_node,
                  struct filesystem **made) {
    struct proc_ref root = {.node = root_node, .fd = -1};
    struct filesystem *filesystem = filesystem_create(type, NULL);
    if (!filesystem)
        return -ENOMEM;
    filesystem->root = make_inode(filesystem, &root);
    if (!filesystem->root) {
        filesystem_put(filesystem);
        return -ENOMEM;
    }
    *made = filesystem;
    return 0;
}

static int proc_make(const char *options, struct filesystem **made) {
    (void)options;
    return proc_instance(&proc_type, &proc_root, made);
}

void proc_status(struct filesystem *filesystem, struct linux_statfs *status) {
    (void)filesystem;
    status->type = PROC_SUPER_MAGIC;
    status->block_size = status->fragment_size = PAGE_SIZE;
    status->name_length = NAME_MAX;
}

const struct filesystem_type proc_type = {
    .name = "proc",
    .no_cache = true,
    .no_device = true,
    .make = proc_make,
    .statfs = proc_status,
};

int32_t proc_number(const char *text, size_t length) {
    int64_t value = 0;
    if (!length || length > 10 || (text[0] == '0' && length > 1))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value > INT32_MAX ? -1 : (int32_t)value;
}
