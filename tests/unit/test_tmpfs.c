/* sources: linux/fs/names.c linux/fs/path.c linux/fs/permission.c linux/fs/inode.c linux/fs/mount.c
 * linux/fs/mount_calls.c linux/fs/options.c linux/fs/namei.c linux/fs/remove.c linux/fs/rename.c
 * linux/fs/open.c linux/fs/fd.c linux/fs/fcntl.c linux/fs/locks.c linux/fs/rw.c linux/fs/seek.c
 * linux/fs/getdents.c linux/fs/stat.c linux/fs/attributes.c linux/fs/cwd.c linux/fs/buffer.c linux/fs/copy.c
 * linux/fs/memfd.c linux/fs/device.c linux/fs/memory_devices.c linux/fs/tmpfs.c linux/fs/tmpfs_directory.c
 * linux/fs/tmpfs_file.c linux/fs/extents.c linux/lock.c lib/base/tree.c lib/base/format.c
 * lib/base/cpio.c linux/arch/host/?*.c tests/host/?*.c */
/* flags: -iquote tests/host -pthread */
/*
 * tmpfs: bytes at any offset, holes, sizes, several names for one file, files without a name, times,
 * directories of thousands, limits; what the other read and write calls make of it; memfds and seals.
 */
#include "linux/abi/dirent.h"
#include "linux/fs/extents.h"
#include "linux/fs/file.h"
#include "tests/unit/fs_world.h"

static uint64_t open_new(const char *path) {
    int64_t fd = do_open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);
    CHECK(fd >= 0);
    return (uint64_t)fd;
}

static int64_t do_pread(uint64_t fd, char *to, size_t size, uint64_t offset) {
    uint64_t at = guest_room(size);
    int64_t result = sys_pread64(fd, at, size, offset);
    if (result > 0)
        CHECK_EQ(guest_copy_in(to, at, (size_t)result), 0);
    return result;
}

static int64_t do_pwrite(uint64_t fd, const char *text, uint64_t offset) {
    return sys_pwrite64(fd, guest_text(text), strlen(text), offset);
}

TEST(reads_see_what_was_written) {
    char bytes[16];
    world_start();
    uint64_t fd = open_new("/f");
    CHECK_EQ(do_read((int64_t)fd, bytes, sizeof(bytes)), 0);
    CHECK_EQ(do_write((int64_t)fd, "hello"), 5);
    CHECK_EQ(do_write((int64_t)fd, " world"), 6);
    CHECK_EQ(sys_lseek(fd, 0, SEEK_CUR), 11);
    CHECK_EQ(sys_lseek(fd, 3, SEEK_SET), 3);
    CHECK_EQ(do_read((int64_t)fd, bytes, 4), 4);
    CHECK(!memcmp(bytes, "lo w", 4));
    CHECK_EQ(do_pwrite(fd, "J", 0), 1);
    CHECK_EQ(do_pread(fd, bytes, sizeof(bytes), 0), 11);
    CHECK(!memcmp(bytes, "Jello world", 11));
    CHECK_EQ(do_pread(fd, bytes, sizeof(bytes), 11), 0);
    CHECK_EQ(do_pread(fd, bytes, sizeof(bytes), UINT64_MAX), -EINVAL);
    CHECK_EQ(sys_lseek(fd, 0, SEEK_CUR), 7);
    CHECK_EQ(sys_lseek(fd, (uint64_t)-12, SEEK_END), -EINVAL);
    CHECK_EQ(sys_lseek(fd, 5, SEEK_DATA), 5);
    CHECK_EQ(sys_lseek(fd, 5, SEEK_HOLE), 11);
    CHECK_EQ(sys_lseek(fd, 11, SEEK_HOLE), -ENXIO);
    CHECK_EQ(sys_lseek(fd, 0, 9), -EINVAL);
    CHECK_EQ(sys_read(fd, 16, 5), 0); /* at the end: nothing is copied */
    CHECK_EQ(sys_lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(sys_read(fd, 16, 5), -EFAULT);
    CHECK_EQ(sys_read(fd, GUEST_END - 1, 5), -EFAULT);
    CHECK_EQ(sys_write(fd, GUEST_END, 1), -EFAULT);
    CHECK_EQ(sys_write(fd, 16, 1), -EFAULT);
    CHECK_EQ(stat_of("/f").size, 11);
    uint64_t reader = (uint64_t)do_open("/f", O_RDONLY, 0), writer = (uint64_t)do_open("/f", O_WRONLY, 0);
    CHECK_EQ(do_write((int64_t)reader, "x"), -EBADF);
    CHECK_EQ(do_read((int64_t)writer, bytes, 1), -EBADF);
    CHECK_EQ(do_read(do_open("/", O_RDONLY, 0), bytes, 1), -EISDIR);
    world_end();
}

TEST(append_goes_to_the_end) {
    world_start();
    make_file("/f", "12");
    uint64_t a = (uint64_t)do_open("/f", O_WRONLY | O_APPEND, 0),
             b = (uint64_t)do_open("/f", O_WRONLY | O_APPEND, 0);
    CHECK_EQ(do_write((int64_t)a, "3"), 1);
    CHECK_EQ(do_write((int64_t)b, "4"), 1);
    CHECK_EQ(do_write((int64_t)a, "5"), 1);
    CHECK(file_holds("/f", "12345"));
    world_end();
}

TEST(holes_read_as_zeros_and_cost_nothing) {
    char bytes[8] = "xxxxxxx";
    world_start();
    uint64_t fd = open_new("/f");
    CHECK_EQ(do_pwrite(fd, "end", 10 << 20), 3);
    struct linux_stat status = stat_of("/f");
    CHECK_EQ(status.size, (10 << 20) + 3);
    CHECK_EQ(status.blocks, 8);
    CHECK_EQ(do_pread(fd, bytes, 4, 5 << 20), 4);
    CHECK(!memcmp(bytes, "\0\0\0\0", 4));
    CHECK_EQ(sys_lseek(fd, 0, SEEK_DATA), 10 << 20);
    CHECK_EQ(sys_lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQ(sys_lseek(fd, 10 << 20, SEEK_HOLE), (10 << 20) + 3);
    CHECK_EQ(do_pwrite(fd, "begin", 0), 5);
    CHECK_EQ(sys_lseek(fd, 3, SEEK_HOLE), 4096);
    CHECK_EQ(stat_of("/f").blocks, 16);
    CHECK_EQ(sys_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    CHECK_EQ(stat_of("/f").blocks, 8);
    CHECK_EQ(do_pread(fd, bytes, 2, 0), 2);
    CHECK(!memcmp(bytes, "\0\0", 2));
    CHECK_EQ(sys_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (10 << 20) + 1, 1), 0);
    CHECK_EQ(do_pread(fd, bytes, 8, 10 << 20), 3);
    CHECK(!memcmp(bytes, "e\0d", 3));
    CHECK_EQ(sys_ftruncate(fd, 1ULL << 40), 0);
    CHECK_EQ(stat_of("/f").size, 1LL << 40);
    CHECK_EQ(stat_of("/f").blocks, 8);
    world_end();
}

/* Against a plain array of pages. */
static void check_extents(const struct extents *extents, const bool *pages, unsigned count, unsigned at) {
    unsigned total = 0, next = at, gap = at;
    for (unsigned i = 0; i < count; i++)
        total += pages[i];
    while (next < count && !pages[next])
        next++;
    while (gap < count && pages[gap])
        gap++;
    CHECK_EQ(extents->pages, total);
    CHECK_EQ(extents_count(extents, 0, count), total);
    CHECK_EQ(extents_next(extents, at), next == count ? UINT64_MAX : next);
    CHECK_EQ(extents_next_gap(extents, at), gap);
}

TEST(extents_keep_any_set_of_pages) {
    enum { COUNT = 100 };
    struct extents extents = {0};
    bool pages[COUNT] = {false};
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned first = (unsigned)rand() % COUNT, end = first + (unsigned)rand() % (COUNT - first + 1);
        bool add = rand() & 1;
        CHECK_EQ(add ? extents_add(&extents, first, end) : extents_remove(&extents, first, end), 0);
        for (unsigned page = first; page < end; page++)
            pages[page] = add;
        check_extents(&extents, pages, COUNT, (unsigned)rand() % COUNT);
    }
    CHECK_EQ(extents_remove(&extents, 0, UINT64_MAX), 0);
    CHECK_EQ(extents.pages, 0);
}

TEST(truncation_clears_what_comes_back) {
    char bytes[12];
    world_start();
    uint64_t fd = open_new("/f");
    CHECK_EQ(do_write((int64_t)fd, "0123456789"), 10);
    CHECK_EQ(sys_ftruncate(fd, 4), 0);
    CHECK_EQ(sys_ftruncate(fd, 8), 0);
    CHECK_EQ(do_pread(fd, bytes, 12, 0), 8);
    CHECK(!memcmp(bytes, "0123\0\0\0\0", 8));
    CHECK_EQ(sys_truncate(guest_text("/f"), 2), 0);
    CHECK_EQ(do_pwrite(fd, "z", 5), 1);
    CHECK_EQ(do_pread(fd, bytes, 12, 0), 6);
    CHECK(!memcmp(bytes, "01\0\0\0z", 6));
    CHECK_EQ(sys_truncate(guest_text("/"), 0), -EISDIR);
    CHECK_EQ(sys_truncate(guest_text("/f"), UINT64_MAX), -EINVAL);
    CHECK_EQ(sys_ftruncate((uint64_t)do_open("/f", O_RDONLY, 0), 0), -EINVAL);
    CHECK_EQ(sys_close((uint64_t)do_open("/f", O_WRONLY | O_TRUNC, 0)), 0);
    CHECK_EQ(stat_of("/f").size, 0);
    CHECK_EQ(stat_of("/f").blocks, 0);
    world_end();
}

TEST(a_mapped_file_ends_with_its_last_page) {
    handle_t vmo;
    struct vmo_info info;
    world_start();
    uint64_t fd = open_new("/f");
    CHECK_EQ(do_write((int64_t)fd, "abc"), 3);
    struct file *file = fd_get((int)fd);
    CHECK_EQ(file->operations->map(file, &vmo), 0);
    CHECK(keel_object_info(vmo, keel_pointer(&info), sizeof(info)) > 0);
    CHECK_EQ(info.size, 4096);
    CHECK_EQ(do_pwrite(fd, "d", 4096), 1);
    CHECK(keel_object_info(vmo, keel_pointer(&info), sizeof(info)) > 0);
    CHECK_EQ(info.size, 8192);
    CHECK_EQ(sys_ftruncate(fd, 1), 0);
    CHECK(keel_object_info(vmo, keel_pointer(&info), sizeof(info)) > 0);
    CHECK_EQ(info.size, 4096);
    file_put(file);
    world_end();
}

TEST(links_share_one_file) {
    world_start();
    make_file("/a", "text");
    CHECK_EQ(sys_link(guest_text("/a"), guest_text("/b")), 0);
    CHECK_EQ(stat_of("/b").nlink, 2);
    CHECK_EQ(stat_of("/a").ino, stat_of("/b").ino);
    CHECK_EQ(sys_unlink(guest_text("/a")), 0);
    CHECK_EQ(stat_of("/b").nlink, 1);
    CHECK(file_holds("/b", "text"));
    CHECK_EQ(sys_link(guest_text("/b"), guest_text("/c")), 0);
    CHECK_EQ(sys_rename(guest_text("/b"), guest_text("/c")), 0); /* the same file: nothing happens */
    CHECK_EQ(stat_of("/b").nlink, 2);
    world_end();
}

TEST(an_unlinked_file_lives_while_it_is_open) {
    char bytes[8];
    world_start();
    struct filesystem *filesystem = fs_root.mount->filesystem;
    struct linux_statfs before, after;
    memset(&before, 0, sizeof(before));
    memset(&after, 0, sizeof(after));
    filesystem->type->statfs(filesystem, &before);
    uint64_t fd = open_new("/f");
    CHECK_EQ(do_write((int64_t)fd, "still"), 5);
    CHECK_EQ(sys_unlink(guest_text("/f")), 0);
    CHECK_EQ(do_pread(fd, bytes, 8, 0), 5);
    uint64_t room = guest_room(sizeof(struct linux_stat));
    struct linux_stat status;
    CHECK_EQ(sys_fstat(fd, room), 0);
    CHECK_EQ(guest_copy_in(&status, room, sizeof(status)), 0);
    CHECK_EQ(status.nlink, 0);
    CHECK_EQ(sys_linkat(fd, guest_text(""), (uint64_t)AT_FDCWD, guest_text("/g"), AT_EMPTY_PATH), -ENOENT);
    CHECK_EQ(sys_close(fd), 0);
    filesystem->type->statfs(filesystem, &after);
    CHECK_EQ(before.blocks_free, after.blocks_free);
    CHECK_EQ(before.files_free, after.files_free);
    int64_t unnamed = do_open("/", O_TMPFILE | O_RDWR, 0600);
    CHECK(unnamed >= 0);
    CHECK_EQ(do_write(unnamed, "t"), 1);
    CHECK_EQ(
        sys_linkat((uint64_t)unnamed, guest_text(""), (uint64_t)AT_FDCWD, guest_text("/g"), AT_EMPTY_PATH),
        0);
    CHECK(file_holds("/g", "t"));
    CHECK_EQ(stat_of("/g").nlink, 1);
    world_end();
}

TEST(times_and_modes_change_as_they_should) {
    struct {
        int64_t seconds, nanoseconds;
    } times[2] = {{1000, 5}, {2000, 7}};
    world_start();
    make_file("/f", "x");
    uint64_t room = guest_room(sizeof(times)), f = guest_text("/f"), at = (uint64_t)AT_FDCWD;
    CHECK_EQ(guest_copy_out(room, times, sizeof(times)), 0);
    CHECK_EQ(sys_utimensat(at, f, room, 0), 0);
    struct linux_stat status = stat_of("/f");
    CHECK_EQ(status.atime, 1000);
    CHECK_EQ(status.mtime_nsec, 7);
    CHECK(status.ctime > 2000);
    times[0].nanoseconds = UTIME_OMIT;
    times[1].nanoseconds = 1000000000;
    CHECK_EQ(guest_copy_out(room, times, sizeof(times)), 0);
    CHECK_EQ(sys_utimensat(at, f, room, 0), -EINVAL);
    times[1].nanoseconds = UTIME_NOW;
    CHECK_EQ(guest_copy_out(room, times, sizeof(times)), 0);
    CHECK_EQ(sys_utimensat(at, f, room, 0), 0);
    CHECK_EQ(stat_of("/f").atime, 1000);
    CHECK(stat_of("/f").mtime > 2000);
    CHECK(file_holds("/f", "x"));
    CHECK(stat_of("/f").atime > 2000); /* read since it changed */
    CHECK_EQ(sys_chmod(f, 06755), 0);
    CHECK_EQ(stat_of("/f").mode, S_IFREG | 06755);
    CHECK_EQ(sys_chown(f, 5, 6), 0);
    CHECK_EQ(stat_of("/f").mode, S_IFREG | 0755);
    CHECK_EQ(stat_of("/f").uid, 5);
    CHECK_EQ(stat_of("/f").gid, 6);
    CHECK_EQ(do_mkdir("/d"), 0);
    CHECK_EQ(sys_chown(guest_text("/d"), 0, 77), 0);
    CHECK_EQ(sys_chmod(guest_text("/d"), 02755), 0);
    CHECK_EQ(do_mkdir("/d/in"), 0);
    make_file("/d/f", "");
    CHECK_EQ(stat_of("/d/in").mode, S_IFDIR | 02755);
    CHECK_EQ(stat_of("/d/in").gid, 77);
    CHECK_EQ(stat_of("/d/f").gid, 77);
    CHECK_EQ(stat_of("/d/f").mode, S_IFREG | 0644);
    world_end();
}

TEST(directories_show_size_and_links_as_linux_does) {
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    CHECK_EQ(stat_of("/d").size, 40);
    CHECK_EQ(stat_of("/d").nlink, 2);
    CHECK_EQ(do_mkdir("/d/a"), 0);
    make_file("/d/f", "");
    CHECK_EQ(stat_of("/d").size, 80);
    CHECK_EQ(stat_of("/d").nlink, 3);
    CHECK_EQ(sys_rmdir(guest_text("/d/a")), 0);
    CHECK_EQ(stat_of("/d").nlink, 2);
    world_end();
}

/* Reads a directory with a small buffer and returns the names with blanks between. */
static void list(uint64_t fd, size_t size, char *names, size_t room) {
    char block[512];
    int64_t length;
    uint64_t at = guest_room(size);
    names[0] = 0;
    while ((length = sys_getdents64(fd, at, size)) > 0) {
        CHECK_EQ(guest_copy_in(block, at, (size_t)length), 0);
        for (int64_t i = 0; i < length;) {
            struct linux_dirent64 *entry = (void *)(block + i);
            CHECK(strlen(names) + strlen(entry->name) + 2 < room);
            strcat(strcat(names, entry->name), " ");
            CHECK_EQ(entry->record_length % 8, 0);
            i += entry->record_length;
        }
    }
    CHECK_EQ(length, 0);
}

TEST(listings_are_newest_first_and_complete) {
    char names[256];
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    make_file("/d/one", "");
    make_file("/d/two", "");
    make_file("/d/three", "");
    uint64_t fd = (uint64_t)do_open("/d", O_RDONLY | O_DIRECTORY, 0);
    list(fd, 512, names, sizeof(names));
    CHECK(!strcmp(names, ". .. three two one "));
    CHECK_EQ(sys_lseek(fd, 0, SEEK_SET), 0);
    list(fd, 32, names, sizeof(names));
    CHECK(!strcmp(names, ". .. three two one "));
    CHECK_EQ(sys_rename(guest_text("/d/one"), guest_text("/d/four")), 0);
    CHECK_EQ(sys_unlink(guest_text("/d/two")), 0);
    CHECK_EQ(sys_lseek(fd, 0, SEEK_SET), 0);
    list(fd, 512, names, sizeof(names));
    CHECK(!strcmp(names, ". .. four three "));
    CHECK_EQ(sys_lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(sys_getdents64(fd, guest_room(16), 16), -EINVAL);
    CHECK_EQ(sys_getdents64(fd, 16, 512), -EFAULT);
    CHECK_EQ(sys_getdents64(open_new("/f"), guest_room(64), 64), -ENOTDIR);
    world_end();
}

TEST(thousands_of_entries_survive_removal_while_listing) {
    char path[64], block[512];
    enum { COUNT = 5000 };
    unsigned seen = 0;
    int64_t length;
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(path, sizeof(path), "/d/entry-number-%u", i);
        make_file(path, "");
    }
    uint64_t fd = (uint64_t)do_open("/d", O_RDONLY, 0), at = guest_room(sizeof(block));
    while ((length = sys_getdents64(fd, at, sizeof(block))) > 0) {
        CHECK_EQ(guest_copy_in(block, at, (size_t)length), 0);
        for (int64_t i = 0; i < length;) {
            struct linux_dirent64 *entry = (void *)(block + i);
            i += entry->record_length;
            if (entry->name[0] == '.')
                continue;
            seen++;
            snprintf(path, sizeof(path), "/d/%s", entry->name);
            CHECK_EQ(sys_unlink(guest_text(path)), 0);
        }
    }
    CHECK_EQ(seen, COUNT);
    CHECK_EQ(sys_rmdir(guest_text("/d")), 0);
    world_end();
}

TEST(limits_are_kept) {
    char path[32];
    world_start();
    CHECK_EQ(do_mkdir("/m"), 0);
    uint64_t tmpfs = guest_text("tmpfs");
    CHECK_EQ(sys_mount(tmpfs, guest_text("/m"), tmpfs, 0, guest_text("size=64k,nr_inodes=4")), 0);
    uint64_t fd = open_new("/m/f"), block = guest_room(65536);
    CHECK_EQ(sys_write(fd, block, 60000), 60000);
    CHECK_EQ(sys_write(fd, block, 60000), -ENOSPC);
    CHECK_EQ(sys_write(fd, block, 5536), 5536);
    CHECK_EQ(sys_ftruncate(fd, 0), 0);
    CHECK_EQ(sys_pwrite64(fd, block, 65536, 0), 65536);
    CHECK_EQ(sys_close(open_new("/m/a")), 0);
    CHECK_EQ(sys_close(open_new("/m/b")), 0);
    snprintf(path, sizeof(path), "/m/c");
    CHECK_EQ(do_open(path, O_CREAT | O_RDWR, 0600), -ENOSPC);
    CHECK_EQ(sys_close(fd), 0);
    CHECK_EQ(sys_umount2(guest_text("/m"), 0), 0);
    world_process.limits[1].current = 100;
    fd = open_new("/limited");
    CHECK_EQ(sys_write(fd, block, 200), 100);
    CHECK_EQ(world_signal, 0);
    CHECK_EQ(sys_write(fd, block, 1), -EFBIG);
    CHECK_EQ(world_signal, 25);
    CHECK_EQ(sys_ftruncate(fd, 101), -EFBIG);
    world_signal = 0;
    world_end();
}

TEST(vectors_are_one_transfer) {
    struct linux_iovec segments[4];
    char bytes[16];
    world_start();
    uint64_t fd = open_new("/f"), room = guest_room(sizeof(segments)), a = guest_text("abc"),
             b = guest_text("defg");
    memcpy(segments, (struct linux_iovec[]){{a, 3}, {0, 0}, {b, 4}, {a, 1}}, sizeof(segments));
    CHECK_EQ(guest_copy_out(room, segments, sizeof(segments)), 0);
    CHECK_EQ(sys_writev(fd, room, 4), 8);
    CHECK(file_holds("/f", "abcdefga"));
    uint64_t target = guest_room(16);
    memcpy(segments, (struct linux_iovec[]){{target, 2}, {target + 8, 3}, {target + 2, 1}, {0, 0}},
           sizeof(segments));
    CHECK_EQ(guest_copy_out(room, segments, sizeof(segments)), 0);
    CHECK_EQ(sys_preadv(fd, room, 4, 1, 0), 6);
    CHECK_EQ(guest_copy_in(bytes, target, 16), 0);
    CHECK(!memcmp(bytes, "bcg", 3));
    CHECK(!memcmp(bytes + 8, "def", 3));
    CHECK_EQ(sys_writev(fd, room, 1025), -EINVAL);
    CHECK_EQ(sys_writev(fd, 16, 1), -EFAULT);
    CHECK_EQ(sys_writev(fd, room, 0), 0);
    segments[0].length = UINT64_MAX;
    CHECK_EQ(guest_copy_out(room, segments, sizeof(segments)), 0);
    CHECK_EQ(sys_readv(fd, room, 1), -EINVAL);
    segments[0] = (struct linux_iovec){GUEST_END - 4, 8};
    CHECK_EQ(guest_copy_out(room, segments, sizeof(segments)), 0);
    CHECK_EQ(sys_readv(fd, room, 1), -EFAULT);
    segments[0] = (struct linux_iovec){target, 4};
    segments[1] = (struct linux_iovec){4096, 4}; /* not mapped: what went before counts */
    CHECK_EQ(guest_copy_out(room, segments, sizeof(segments)), 0);
    CHECK_EQ(sys_preadv(fd, room, 2, 0, 0), 4);
    world_end();
}

TEST(copies_between_files) {
    world_start();
    make_file("/a", "0123456789");
    uint64_t in = (uint64_t)do_open("/a", O_RDWR, 0), out = open_new("/b"), offset = guest_room(8), value = 4;
    CHECK_EQ(sys_sendfile(out, in, 0, 3), 3);
    CHECK_EQ(sys_lseek(in, 0, SEEK_CUR), 3);
    CHECK_EQ(guest_copy_out(offset, &value, 8), 0);
    CHECK_EQ(sys_sendfile(out, in, offset, 100), 6);
    CHECK_EQ(guest_copy_in(&value, offset, 8), 0);
    CHECK_EQ(value, 10);
    CHECK_EQ(sys_lseek(in, 0, SEEK_CUR), 3);
    CHECK(file_holds("/b", "012456789"));
    CHECK_EQ(sys_copy_file_range(in, 0, out, 0, 2, 0), 2);
    CHECK(file_holds("/b", "01245678934"));
    CHECK_EQ(sys_copy_file_range(in, 0, in, 0, 2, 0), -EINVAL); /* onto itself */
    CHECK_EQ(sys_copy_file_range(in, 0, out, 0, 2, 1), -EINVAL);
    CHECK_EQ(sys_sendfile(99, in, 0, 3), -EBADF);
    world_end();
}

static void become_process(struct process *process, struct fd_table *files) {
    world_task.process = process;
    world_task.files = files;
}

TEST(locks_belong_to_files_and_processes) {
    struct linux_flock lock = {.type = F_WRLCK, .whence = SEEK_SET, .start = 10, .length = 10};
    struct process other = {.pid = 2};
    world_start();
    uint64_t a = open_new("/f"), b = (uint64_t)do_open("/f", O_RDWR, 0), room = guest_room(sizeof(lock));
    CHECK_EQ(sys_flock(a, LOCK_EX), 0);
    CHECK_EQ(sys_flock(b, LOCK_SH | LOCK_NB), -EAGAIN);
    CHECK_EQ(sys_flock(a, LOCK_SH), 0);
    CHECK_EQ(sys_flock(b, LOCK_SH | LOCK_NB), 0);
    CHECK_EQ(sys_flock(b, LOCK_UN), 0);
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(a, F_SETLK, room), 0);
    struct fd_table *own = world_task.files, *others = fd_table_copy(own);
    CHECK(others);
    other.limits[7].current = 100;
    become_process(&other, others);
    CHECK_EQ(sys_fcntl(b, F_SETLK, room), -EAGAIN);
    lock.start = 0;
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(b, F_SETLK, room), 0);
    lock.length = 0;
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(b, F_GETLK, room), 0);
    CHECK_EQ(guest_copy_in(&lock, room, sizeof(lock)), 0);
    CHECK_EQ(lock.pid, 1);
    CHECK_EQ(lock.start, 10);
    CHECK_EQ(lock.length, 10);
    become_process(&world_process, own);
    lock = (struct linux_flock){.type = F_UNLCK, .start = 12, .length = 2};
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(a, F_SETLK, room), 0); /* splits */
    become_process(&other, others);
    lock.type = F_WRLCK;
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(b, F_SETLK, room), 0);
    lock.start = 14;
    CHECK_EQ(guest_copy_out(room, &lock, sizeof(lock)), 0);
    CHECK_EQ(sys_fcntl(b, F_SETLK, room), -EAGAIN);
    become_process(&world_process, own);
    CHECK_EQ(sys_close(a), 0); /* gives up all of the process's */
    become_process(&other, others);
    CHECK_EQ(sys_fcntl(b, F_SETLK, room), 0);
    fd_table_put(others);
    become_process(&world_process, own);
    world_end();
}

TEST(memfds_take_seals) {
    world_start();
    uint64_t fd = (uint64_t)sys_memfd_create(guest_text("name"), MFD_ALLOW_SEALING);
    CHECK_EQ(do_write((int64_t)fd, "sealed"), 6);
    CHECK_EQ(sys_fcntl(fd, F_GET_SEALS, 0), 0);
    CHECK_EQ(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    CHECK_EQ(do_write((int64_t)fd, "x"), -EPERM);
    CHECK_EQ(do_pwrite(fd, "S", 0), 1);
    CHECK_EQ(sys_ftruncate(fd, 3), -EPERM);
    CHECK_EQ(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    CHECK_EQ(do_pwrite(fd, "s", 0), -EPERM);
    CHECK_EQ(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -EPERM);
    uint64_t plain = (uint64_t)sys_memfd_create(guest_text(""), 0);
    CHECK_EQ(sys_fcntl(plain, F_GET_SEALS, 0), F_SEAL_SEAL);
    CHECK_EQ(sys_memfd_create(guest_text("x"), 64), -EINVAL);
    world_end();
}

TEST(memory_devices_answer) {
    char bytes[8] = "xxxxxxx";
    world_start();
    CHECK_EQ(sys_mknod(guest_text("/null"), S_IFCHR | 0666, 0x103), 0);
    CHECK_EQ(sys_mknod(guest_text("/zero"), S_IFCHR | 0666, 0x105), 0);
    CHECK_EQ(sys_mknod(guest_text("/full"), S_IFCHR | 0666, 0x107), 0);
    CHECK_EQ(sys_mknod(guest_text("/random"), S_IFCHR | 0666, 0x108), 0);
    CHECK_EQ(sys_mknod(guest_text("/none"), S_IFCHR | 0666, 0x1fff), 0);
    int64_t null = do_open("/null", O_RDWR, 0), zero = do_open("/zero", O_RDONLY, 0),
            full = do_open("/full", O_WRONLY, 0);
    CHECK_EQ(do_write(null, "abc"), 3);
    CHECK_EQ(do_read(null, bytes, 8), 0);
    CHECK_EQ(do_read(zero, bytes, 4), 4);
    CHECK(!memcmp(bytes, "\0\0\0\0xxx", 8));
    CHECK_EQ(sys_read((uint64_t)zero, 16, 4), -EFAULT);
    CHECK_EQ(do_write(full, "abc"), -ENOSPC);
    CHECK_EQ(do_read(do_open("/random", O_RDONLY, 0), bytes, 8), 8);
    CHECK_EQ(do_open("/none", O_RDONLY, 0), -ENXIO);
    CHECK_EQ(stat_of("/null").rdev, 0x103);
    world_end();
}

/* Last: everything the tests took is back. */
TEST(nothing_stays_behind) {
    char path[2048] = "";
    world_start();
    world_end();
    size_t used = heap_used();
    world_start();
    for (unsigned i = 0; i < 300; i++) { /* deep: released without recursion */
        strcat(path, "/deep");
        CHECK_EQ(do_mkdir(path), 0);
    }
    make_file("/f", "x");
    world_end();
    CHECK_EQ(heap_used(), used);
}

TEST_MAIN();
