/*
 * Descriptor tables. A slot is a file pointer with FD_CLOEXEC in its lowest bit. The guard is held for a few
 * instructions only; files are closed, and memory is had, outside it.
 */
#include "linux/fs/fd.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/resource.h"
#include "linux/fs/locks.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"

enum { FIRST_CAPACITY = 64, CAPACITY_MAX = 1 << 20 };
#define CLOEXEC_BIT ((uintptr_t)1)

static struct file *slot_file(uintptr_t slot) {
    return (struct file *)(slot & ~CLOEXEC_BIT);
}
static bool slot_cloexec(uintptr_t slot) {
    return slot & CLOEXEC_BIT;
}
static uintptr_t slot_make(struct file *file, bool cloexec) {
    return (uintptr_t)file | (cloexec ? CLOEXEC_BIT : 0);
}

static struct fd_table *table_alloc(uint32_t capacity) {
    struct fd_table *table = heap_zalloc(sizeof(*table));
    uintptr_t *slots = heap_zalloc(capacity * sizeof(*slots));
    if (!table || !slots) {
        heap_free(table);
        heap_free(slots);
        return NULL;
    }
    table->references = 1;
    table->capacity = capacity;
    table->slots = slots;
    return table;
}

struct fd_table *fd_table_create(void) {
    return table_alloc(FIRST_CAPACITY);
}

struct fd_table *fd_table_get(struct fd_table *table) {
    atomic_fetch_add(&table->references, 1);
    return table;
}

struct fd_table *fd_table_copy(struct fd_table *table) {
    for (;;) {
        uint32_t capacity = table->capacity;
        struct fd_table *copy = table_alloc(capacity);
        if (!copy)
            return NULL;
        spin_acquire(&table->guard);
        bool same = table->capacity == capacity;
        copy->top = table->top;
        for (uint32_t i = 0; same && i < table->top; i++)
            if ((copy->slots[i] = table->slots[i]))
                file_get(slot_file(copy->slots[i]));
        copy->first_free = table->first_free;
        spin_release(&table->guard);
        if (same)
            return copy;
        heap_free(copy->slots);
        heap_free(copy);
    }
}

/* What closing a descriptor does besides giving up the file; consumes the reference. */
static int close_file(struct fd_table *table, struct file *file) {
    int result = 0;
    if (file->operations && file->operations->flush && !(file->flags & O_PATH))
        result = file->operations->flush(file);
    if (file->path.inode && file->path.inode->locks)
        locks_release_process(file->path.inode, table);
    file_put(file);
    return result;
}

void fd_table_put(struct fd_table *table) {
    if (!table || atomic_fetch_sub(&table->references, 1) > 1)
        return;
    for (uint32_t i = 0; i < table->top; i++)
        if (table->slots[i])
            close_file(table, slot_file(table->slots[i]));
    heap_free(table->slots);
    heap_free(table);
}

int fd_table_unshare(struct task *task) {
    struct fd_table *old = task->files;
    if (old->references == 1)
        return 0;
    struct fd_table *copy = fd_table_copy(old);
    if (!copy)
        return -ENOMEM;
    mutex_lock(&tasks_lock); /* /proc looks at it */
    task->files = copy;
    mutex_unlock(&tasks_lock);
    fd_table_put(old);
    return 0;
}

static struct file *take_slot(struct fd_table *table, uint32_t fd, bool cloexec_only) {
    struct file *file = NULL;
    spin_acquire(&table->guard);
    if (fd < table->capacity && (!cloexec_only || slot_cloexec(table->slots[fd]))) {
        file = slot_file(table->slots[fd]);
        table->slots[fd] = 0;
        if (file && fd < table->first_free)
            table->first_free = fd;
    }
    spin_release(&table->guard);
    return file;
}

int fd_table_exec(struct task *task) {
    int error = fd_table_unshare(task);
    for (uint32_t fd = 0; !error && fd < task->files->top; fd++) {
        struct file *file = slot_cloexec(task->files->slots[fd]) ? take_slot(task->files, fd, true) : NULL;
        if (file)
            close_file(task->files, file);
    }
    return error;
}

struct file *fd_table_file(struct fd_table *table, int fd) {
    struct file *file = NULL;
    spin_acquire(&table->guard);
    if ((uint32_t)fd < table->capacity && (file = slot_file(table->slots[fd])))
        file_get(file);
    spin_release(&table->guard);
    return file;
}

int fd_table_next(struct fd_table *table, int fd) {
    int found = -1;
    spin_acquire(&table->guard);
    for (uint32_t i = (uint32_t)fd; found < 0 && i < table->capacity; i++)
        if (table->slots[i])
            found = (int)i;
    spin_release(&table->guard);
    return found;
}

bool fd_table_cloexec(struct fd_table *table, int fd) {
    spin_acquire(&table->guard);
    bool cloexec = (uint32_t)fd < table->capacity && slot_cloexec(table->slots[fd]);
    spin_release(&table->guard);
    return cloexec;
}

struct file *fd_get_any(int fd) {
    return fd_table_file(task_current()->files, fd);
}

struct file *fd_get(int fd) {
    struct file *file = fd_get_any(fd);
    if (file && file->flags & O_PATH) {
        file_put(file);
        return NULL;
    }
    return file;
}

struct file *fd_borrow(int fd, bool *counted) {
    struct fd_table *table = task_current()->files;
    struct file *file = NULL;
    if (table->references == 1) {
        *counted = false;
        if ((uint32_t)fd < table->capacity)
            file = slot_file(table->slots[fd]);
        return file && file->flags & O_PATH ? NULL : file;
    }
    *counted = true;
    return fd_get(fd);
}

/* Makes slots up to fd exist. 0 or -ENOMEM, -EMFILE. */
static int table_grow(struct fd_table *table, uint32_t fd) {
    uint32_t capacity = FIRST_CAPACITY;
    if (fd >= CAPACITY_MAX)
        return -EMFILE;
    while (capacity <= fd)
        capacity *= 2;
    uintptr_t *slots = heap_zalloc(capacity * sizeof(*slots)), *old = slots;
    if (!slots)
        return -ENOMEM;
    spin_acquire(&table->guard);
    if (table->capacity < capacity) {
        memcpy(slots, table->slots, table->capacity * sizeof(*slots));
        old = table->slots;
        table->slots = slots;
        table->capacity = capacity;
    }
    spin_release(&table->guard);
    heap_free(old);
    return 0;
}

/* Fills a slot. Guard held. */
static void slot_set(struct fd_table *table, uint32_t fd, struct file *file, bool cloexec) {
    table->slots[fd] = slot_make(file, cloexec);
    if (table->top <= fd)
        table->top = fd + 1;
}

static uint64_t descriptor_limit(void) {
    uint64_t limit = task_current()->process->limits[RLIMIT_NOFILE].current;
    return limit < CAPACITY_MAX ? limit : CAPACITY_MAX;
}

/* The lowest free slot >= lowest; may be capacity. Guard held. */
static uint32_t free_slot(const struct fd_table *table, uint32_t lowest) {
    uint32_t fd = lowest < table->first_free ? table->first_free : lowest;
    while (fd < table->capacity && table->slots[fd])
        fd++;
    return fd;
}

int fd_install_from(struct file *file, int lowest, bool cloexec) {
    struct fd_table *table = task_current()->files;
    uint64_t limit = descriptor_limit();
    for (;;) {
        spin_acquire(&table->guard);
        uint32_t fd = free_slot(table, (uint32_t)lowest);
        bool room = fd < table->capacity && fd < limit;
        if (room) {
            slot_set(table, fd, file, cloexec);
            if ((uint32_t)lowest <= table->first_free)
                table->first_free = fd + 1;
        }
        spin_release(&table->guard);
        if (room)
            return (int)fd;
        if (fd >= limit)
            return -EMFILE;
        int error = table_grow(table, fd);
        if (error)
            return error;
    }
}

int fd_install(struct file *file, bool cloexec) {
    return fd_install_from(file, 0, cloexec);
}

int fd_replace(struct file *file, int fd, bool cloexec) {
    struct fd_table *table = task_current()->files;
    if ((uint32_t)fd >= descriptor_limit())
        return -EBADF;
    int error = (uint32_t)fd < table->capacity ? 0 : table_grow(table, (uint32_t)fd);
    if (error)
        return error;
    spin_acquire(&table->guard);
    struct file *old = slot_file(table->slots[fd]);
    slot_set(table, (uint32_t)fd, file, cloexec);
    spin_release(&table->guard);
    if (old)
        close_file(table, old);
    return fd;
}

int fd_set_cloexec(int fd, bool cloexec) {
    struct fd_table *table = task_current()->files;
    struct file *file = NULL;
    spin_acquire(&table->guard);
    if ((uint32_t)fd < table->capacity && (file = slot_file(table->slots[fd])))
        table->slots[fd] = slot_make(file, cloexec);
    spin_release(&table->guard);
    return file ? 0 : -EBADF;
}

int fd_close(int fd) {
    struct file *file = take_slot(task_current()->files, (uint32_t)fd, false);
    return file ? close_file(task_current()->files, file) : -EBADF;
}

struct fs_state *fs_state_create(void) {
    struct fs_state *state = heap_zalloc(sizeof(*state));
    if (!state)
        return NULL;
    state->references = 1;
    mutex_init(&state->lock);
    state->umask = 022;
    state->root = state->cwd = fs_root;
    path_get(&state->root);
    path_get(&state->cwd);
    return state;
}

struct fs_state *fs_state_copy(struct fs_state *state) {
    struct fs_state *copy = heap_zalloc(sizeof(*copy));
    if (!copy)
        return NULL;
    copy->references = 1;
    mutex_init(&copy->lock);
    mutex_lock(&state->lock);
    copy->root = state->root;
    copy->cwd = state->cwd;
    copy->umask = state->umask;
    path_get(&copy->root);
    path_get(&copy->cwd);
    mutex_unlock(&state->lock);
    return copy;
}

struct fs_state *fs_state_get(struct fs_state *state) {
    atomic_fetch_add(&state->references, 1);
    return state;
}

void fs_state_put(struct fs_state *state) {
    if (!state || atomic_fetch_sub(&state->references, 1) > 1)
        return;
    path_put(&state->root);
    path_put(&state->cwd);
    heap_free(state);
}
