/* sources: linux/fs/names.c linux/fs/path.c linux/fs/permission.c linux/fs/inode.c linux/fs/mount.c
 * linux/fs/mount_calls.c linux/fs/options.c linux/fs/namei.c linux/fs/remove.c linux/fs/rename.c
 * linux/fs/open.c linux/fs/fd.c linux/fs/fcntl.c linux/fs/locks.c linux/fs/rw.c linux/fs/seek.c
 * linux/fs/getdents.c linux/fs/stat.c linux/fs/attributes.c linux/fs/cwd.c linux/fs/buffer.c linux/fs/copy.c
 * linux/fs/memfd.c linux/fs/device.c linux/fs/memory_devices.c linux/fs/tmpfs.c linux/fs/tmpfs_directory.c
 * linux/fs/tmpfs_file.c linux/fs/extents.c linux/fs/unpack.c linux/lock.c lib/base/tree.c lib/base/format.c
 * lib/base/cpio.c linux/arch/host/?*.c tests/host/?*.c */
/* flags: -iquote tests/host -pthread */
/* The archive that fills the root: whole, damaged, and cut at any byte. */
#include "linux/fs/unpack.h"
#include "tests/unit/fs_world.h"

static char archive[16384];
static size_t archive_length;

static void append(const void *bytes, size_t size) {
    CHECK(archive_length + size <= sizeof(archive));
    memcpy(archive + archive_length, bytes, size);
    archive_length += size;
}

static void add_entry(const char *name, unsigned mode, unsigned ino, unsigned nlink, const char *data,
                      unsigned rdev) {
    char header[128];
    int size = snprintf(header, sizeof(header),
                        "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", ino, mode, 10u, 20u,
                        nlink, 1234567u, strlen(data), 8u, 1u, rdev >> 8, rdev & 255, strlen(name) + 1, 0u);
    append(header, (size_t)size);
    append(name, strlen(name) + 1);
    append("\0\0\0", -archive_length & 3);
    append(data, strlen(data));
    append("\0\0\0", -archive_length & 3);
}

static void make_archive(void) {
    archive_length = 0;
    add_entry(".", S_IFDIR | 0711, 1, 2, "", 0);
    add_entry("bin", S_IFDIR | 0750, 2, 2, "", 0);
    add_entry("bin/one", S_IFREG | 04755, 3, 2, "", 0);
    add_entry("bin/two", S_IFREG | 04755, 3, 2, "program", 0);
    add_entry("bin/sh", S_IFLNK | 0777, 4, 1, "one", 0);
    add_entry("/made/on/the/way", S_IFREG | 0600, 5, 1, "deep", 0);
    add_entry("null", S_IFCHR | 0622, 6, 1, "", 0x103);
    add_entry("../../up", S_IFREG | 0644, 7, 1, "root", 0);
    add_entry("TRAILER!!!", 0, 0, 1, "", 0);
}

static int unpack(char *error) {
    error[0] = 0;
    host_task_set(NULL);
    int result = unpack_archives(archive, archive_length, 0, error, 200);
    host_task_set(&world_task);
    return result;
}

TEST(an_archive_becomes_a_tree) {
    char error[200], zeros[64] = "";
    world_start();
    make_archive();
    append(zeros, sizeof(zeros)); /* padding, and a second archive that replaces a file */
    add_entry("bin/sh", S_IFREG | 0700, 3, 1, "now a file", 0);
    add_entry("TRAILER!!!", 0, 0, 1, "", 0);
    CHECK_EQ(unpack(error), 0);
    CHECK(!error[0]);
    CHECK(file_holds("/bin/one", "program"));
    CHECK_EQ(stat_of("/bin/one").ino, stat_of("/bin/two").ino);
    CHECK_EQ(stat_of("/bin/one").nlink, 2);
    CHECK_EQ(stat_of("/bin/one").mode, S_IFREG | 04755);
    CHECK_EQ(stat_of("/bin/one").uid, 10);
    CHECK_EQ(stat_of("/bin/one").gid, 20);
    CHECK_EQ(stat_of("/bin/one").mtime, 1234567);
    CHECK_EQ(stat_of("/bin").mtime, 1234567);
    CHECK_EQ(stat_of("/bin").mode, S_IFDIR | 0750);
    CHECK_EQ(stat_of("/").mode, S_IFDIR | 0711);
    CHECK(file_holds("/bin/sh", "now a file"));
    CHECK(file_holds("/made/on/the/way", "deep"));
    CHECK_EQ(stat_of("/null").rdev, 0x103);
    CHECK(file_holds("/up", "root"));
    world_end();
}

TEST(a_damaged_archive_says_what_and_where) {
    char error[200];
    world_start();
    make_archive();
    archive[archive_length - 100] ^= 0x40;
    CHECK(unpack(error) < 0);
    CHECK(!strncmp(error, "root archive: ", 14));
    CHECK(strstr(error, " at offset "));
    make_archive();
    archive_length = 0;
    add_entry("odd", 0, 1, 1, "", 0);
    CHECK_EQ(unpack(error), -EINVAL);
    CHECK(!strcmp(error, "root archive: odd: unknown file type at offset 0"));
    archive_length = 0;
    add_entry("dir", S_IFDIR | 0755, 1, 1, "", 0);
    add_entry("dir", S_IFREG | 0755, 2, 1, "", 0);
    CHECK_EQ(unpack(error), -EISDIR);
    world_end();
}

TEST(any_byte_may_be_wrong) {
    char error[200];
    for (size_t at = 0; at < 1200; at += 7) {
        world_start();
        make_archive();
        archive[at] ^= 0x15;
        unpack(error); /* must only not break anything */
        make_archive();
        archive_length = at;
        unpack(error);
        world_end();
    }
}

TEST_MAIN();
