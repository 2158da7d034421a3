/*
 * A task and an empty tmpfs root for tests of linux/fs, with the few functions of other folders that the file
 * calls reach. Texts and buffers for system calls go to the host's guest memory.
 */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/arch/host/host.h"
#include "linux/block/disk.h"
#include "linux/fs/device.h"
#include "linux/fs/fd.h"
#include "linux/fs/memory_devices.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/fs/tmpfs.h"
#include "linux/heap.h"
#include "linux/io/pipe.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/signal.h"
#include "tests/unit/check.h"

enum { WORLD_PAGES = 16384 };

struct mutex tasks_lock = MUTEX_INIT(tasks_lock);
static struct process world_process;
static struct task world_task;
static int world_signal; /* the last one sent */

int fifo_open(struct inode *inode, struct file *file) {
    (void)inode, (void)file;
    return -ENXIO;
}
int disk_open(struct inode *inode, struct file *file) {
    (void)inode, (void)file;
    return -ENXIO;
}
void disks_sync(void) {}
void fifo_free(struct inode *inode) {
    (void)inode;
}
int64_t pipe_size_get(struct file *file) {
    (void)file;
    return -EBADF;
}
int64_t pipe_size_set(struct file *file, uint64_t size) {
    (void)file, (void)size;
    return -EBADF;
}
void epoll_file_gone(struct file *file) {
    (void)file;
}
bool signal_interrupts(const struct task *task) {
    (void)task;
    return false;
}
void signal_send_task_kernel(struct task *task, int signo) {
    (void)task;
    world_signal = signo;
}
bool task_is_root(const struct task *task) {
    return task->credentials.euid == 0;
}
void system_memory(uint64_t *total, uint64_t *unused) {
    *total = *unused = WORLD_PAGES * PAGE_SIZE;
}

/* ---- guest memory ---- */

static uint64_t world_next;

/* Fresh guest memory of the size; starts over at the region's beginning when it is used up. */
static inline uint64_t guest_room(size_t size) {
    uint64_t base = (uint64_t)(uintptr_t)host_guest_memory();
    if (!world_next || world_next + size > base + HOST_GUEST_SIZE)
        world_next = base;
    uint64_t address = world_next;
    world_next += (size + 15) & ~15ULL;
    return address;
}

static inline uint64_t guest_text(const char *text) {
    uint64_t address = guest_room(strlen(text) + 1);
    CHECK_EQ(guest_copy_out(address, text, strlen(text) + 1), 0);
    return address;
}

/* ---- system calls with ordinary arguments ---- */

static inline int64_t do_open(const char *path, int flags, int mode) {
    return sys_open(guest_text(path), (uint64_t)flags, (uint64_t)mode);
}

static inline int64_t do_write(int64_t fd, const char *text) {
    return sys_write((uint64_t)fd, guest_text(text), strlen(text));
}

static inline int64_t do_read(int64_t fd, char *to, size_t size) {
    uint64_t at = guest_room(size);
    int64_t result = sys_read((uint64_t)fd, at, size);
    if (result > 0)
        CHECK_EQ(guest_copy_in(to, at, (size_t)result), 0);
    return result;
}

static inline int64_t do_stat(const char *path, struct linux_stat *to) {
    uint64_t at = guest_room(sizeof(*to));
    int64_t result = sys_lstat(guest_text(path), at);
    if (!result)
        CHECK_EQ(guest_copy_in(to, at, sizeof(*to)), 0);
    return result;
}

static inline int64_t do_mkdir(const char *path) {
    return sys_mkdir(guest_text(path), 0755);
}

/* Makes a file with a text in it. */
static inline void make_file(const char *path, const char *text) {
    int64_t fd = do_open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(do_write(fd, text), strlen(text));
    CHECK_EQ(sys_close((uint64_t)fd), 0);
}

static inline void make_link(const char *target, const char *path) {
    CHECK_EQ(sys_symlink(guest_text(target), guest_text(path)), 0);
}

/* The text of a file is just this. */
static inline bool file_holds(const char *path, const char *text) {
    char bytes[256];
    int64_t fd = do_open(path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    int64_t length = do_read(fd, bytes, sizeof(bytes));
    CHECK_EQ(sys_close((uint64_t)fd), 0);
    return length == (int64_t)strlen(text) && !memcmp(bytes, text, strlen(text));
}

static inline bool cwd_is(const char *text) {
    char bytes[PATH_MAX];
    uint64_t at = guest_room(sizeof(bytes));
    int64_t length = sys_getcwd(at, sizeof(bytes));
    return length > 0 && !guest_copy_in(bytes, at, (size_t)length) && !strcmp(bytes, text);
}

/* ---- the world ---- */

static inline void become(uint32_t uid) {
    struct credentials *c = &world_task.credentials;
    c->uid = c->euid = c->suid = c->fsuid = c->gid = c->egid = c->sgid = c->fsgid = uid;
}

static inline void world_start(void) {
    struct filesystem *filesystem;
    struct mount *mount;
    host_quiet = true;
    filesystem_register(&tmpfs_type);
    memory_devices_register();
    CHECK_EQ(tmpfs_type.make("mode=0755", &filesystem), 0);
    CHECK_EQ(mount_add(filesystem, NULL, MS_RELATIME, "root", &mount), 0);
    fs_root = (struct path){mount_get(mount), inode_get(filesystem->root), name_get(mount->root)};
    world_process.pid = 1;
    for (unsigned i = 0; i < 16; i++)
        world_process.limits[i] = (struct rlimit64){UINT64_MAX, UINT64_MAX};
    world_process.limits[7] = (struct rlimit64){1024, 4096};
    world_task.process = &world_process;
    world_task.files = fd_table_create();
    world_task.fs = fs_state_create();
    host_task_set(&world_task);
    become(0);
}

/* Everything opened, walked and cached is given back; the heap is empty afterwards. */
static inline void world_end(void) {
    struct mount *mount = fs_root.mount;
    fd_table_put(world_task.files);
    fs_state_put(world_task.fs);
    world_task.files = NULL;
    world_task.fs = NULL;
    path_put(&fs_root);
    names_trim(NULL);
    list_remove(&mount->link);
    mount_put(mount);
    host_task_set(NULL);
}

static inline struct linux_stat stat_of(const char *path) {
    struct linux_stat status;
    CHECK_EQ(do_stat(path, &status), 0);
    return status;
}
