/* sources: linux/fs/names.c linux/fs/path.c linux/fs/permission.c linux/fs/inode.c linux/fs/mount.c
 * linux/fs/mount_calls.c linux/fs/options.c linux/fs/namei.c linux/fs/remove.c linux/fs/rename.c
 * linux/fs/open.c linux/fs/fd.c linux/fs/fcntl.c linux/fs/locks.c linux/fs/rw.c linux/fs/seek.c
 * linux/fs/getdents.c linux/fs/stat.c linux/fs/attributes.c linux/fs/cwd.c linux/fs/buffer.c linux/fs/memfd.c
 * linux/fs/device.c linux/fs/memory_devices.c linux/fs/tmpfs.c linux/fs/tmpfs_directory.c
 * linux/fs/tmpfs_file.c linux/fs/extents.c linux/lock.c lib/base/tree.c lib/base/format.c
 * linux/arch/host/?*.c tests/host/?*.c
 */
/* flags: -iquote tests/host -pthread */
/*
 * The walk from texts to places: dots, slashes, symbolic links and their limit, mounts, chroot, permissions;
 * what getcwd says after renames and removals; the rules of open, mkdir, link, unlink and rename about odd
 * names.
 */
#include "tests/unit/fs_world.h"

static int64_t do_chdir(const char *path) {
    return sys_chdir(guest_text(path));
}

static int64_t do_unlink(const char *path) {
    return sys_unlink(guest_text(path));
}

static int64_t do_rmdir(const char *path) {
    return sys_rmdir(guest_text(path));
}

static int64_t do_rename(const char *from, const char *to) {
    return sys_rename(guest_text(from), guest_text(to));
}

static int64_t do_access(const char *path, unsigned mode) {
    return sys_access(guest_text(path), mode);
}

TEST(dots_and_slashes_lead_to_the_same_place) {
    struct linux_stat a, b;
    world_start();
    CHECK_EQ(do_mkdir("/a"), 0);
    CHECK_EQ(do_mkdir("/a/b/"), 0);
    make_file("/a/b/f", "x");
    CHECK_EQ(do_stat("/a/b/f", &a), 0);
    CHECK_EQ(do_stat("//a/./b/../b///f", &b), 0);
    CHECK_EQ(a.ino, b.ino);
    CHECK_EQ(do_stat("/../../a/b/f", &b), 0);
    CHECK_EQ(a.ino, b.ino);
    CHECK_EQ(do_stat("/a/b/f/", &b), -ENOTDIR);
    CHECK_EQ(do_stat("/a/b/f/.", &b), -ENOTDIR);
    CHECK_EQ(do_stat("/a/b/f/..", &b), -ENOTDIR);
    CHECK_EQ(do_stat("/a/none/..", &b), -ENOENT);
    CHECK_EQ(do_stat("", &b), -ENOENT);
    world_end();
}

TEST(long_names_are_refused) {
    char text[5000];
    struct linux_stat status;
    world_start();
    memset(text, 'n', sizeof(text));
    text[0] = '/';
    text[256] = 0;
    CHECK_EQ(do_stat(text, &status), -ENOENT); /* 255 bytes are allowed */
    text[256] = 'n';
    text[257] = 0;
    CHECK_EQ(do_stat(text, &status), -ENAMETOOLONG);
    for (unsigned i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "/.", 2);
    text[4095] = 0;
    CHECK_EQ(do_stat(text, &status), 0); /* 4095 bytes are allowed */
    text[4095] = '.';
    text[4096] = 0;
    CHECK_EQ(do_stat(text, &status), -ENAMETOOLONG);
    world_end();
}

TEST(bad_pointers_are_faults) {
    world_start();
    CHECK_EQ(sys_open(0, O_RDONLY, 0), -EFAULT);
    CHECK_EQ(sys_open(GUEST_END, O_RDONLY, 0), -EFAULT);
    CHECK_EQ(sys_open(UINT64_MAX, O_RDONLY, 0), -EFAULT);
    CHECK_EQ(sys_mkdir(1ULL << 46, 0), -EFAULT);
    CHECK_EQ(sys_rename(guest_text("/a"), UINT64_MAX - 4096), -EFAULT);
    CHECK_EQ(sys_stat(guest_text("/"), 8), -EFAULT);
    world_end();
}

TEST(symbolic_links_are_followed_where_they_should) {
    struct linux_stat status;
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    make_file("/d/f", "text");
    make_link("d", "/relative");
    make_link("/d/f", "/absolute");
    make_link("../d/./f", "/d/up");
    make_link("nowhere", "/dangling");
    CHECK(file_holds("/relative/f", "text"));
    CHECK(file_holds("/absolute", "text"));
    CHECK(file_holds("/relative/up", "text"));
    CHECK_EQ(do_stat("/relative", &status), 0);
    CHECK(S_ISLNK(status.mode));
    CHECK_EQ(status.size, 1);
    CHECK_EQ(do_stat("/relative/", &status), 0);
    CHECK(S_ISDIR(status.mode));
    CHECK_EQ(do_open("/dangling", O_RDONLY, 0), -ENOENT);
    CHECK_EQ(do_open("/absolute/", O_RDONLY, 0), -ENOTDIR);
    CHECK_EQ(do_open("/absolute", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
    CHECK_EQ(do_open("/absolute", O_CREAT | O_EXCL | O_RDWR, 0600), -EEXIST);
    int64_t fd = do_open("/dangling", O_CREAT | O_RDWR, 0600); /* makes what it points at */
    CHECK(fd >= 0);
    CHECK_EQ(do_stat("/nowhere", &status), 0);
    CHECK_EQ(do_mkdir("/dangling"), -EEXIST);
    world_end();
}

TEST(link_chains_end_at_forty) {
    char from[16], to[16];
    struct linux_stat status;
    world_start();
    make_file("/l0", "end");
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof(from), "l%d", i - 1);
        snprintf(to, sizeof(to), "/l%d", i);
        make_link(from, to);
    }
    CHECK(file_holds("/l40", "end"));
    CHECK_EQ(do_open("/l41", O_RDONLY, 0), -ELOOP);
    make_link("self", "/self");
    CHECK_EQ(do_open("/self", O_RDONLY, 0), -ELOOP);
    CHECK_EQ(do_open("/self", O_RDWR | O_CREAT, 0600), -ELOOP);
    CHECK_EQ(do_stat("/self", &status), 0);
    world_end();
}

TEST(getcwd_follows_renames_and_removal) {
    world_start();
    CHECK_EQ(do_mkdir("/one"), 0);
    CHECK_EQ(do_mkdir("/one/two"), 0);
    CHECK_EQ(do_chdir("/one/two"), 0);
    CHECK(cwd_is("/one/two"));
    CHECK_EQ(do_rename("/one", "/a-rather-long-directory-name-that-needs-a-block"), 0);
    CHECK(cwd_is("/a-rather-long-directory-name-that-needs-a-block/two"));
    CHECK_EQ(do_rename("/a-rather-long-directory-name-that-needs-a-block/two", "/three"), 0);
    CHECK(cwd_is("/three"));
    CHECK_EQ(do_chdir(".."), 0);
    CHECK(cwd_is("/"));
    CHECK_EQ(do_chdir("three"), 0);
    CHECK_EQ(do_rmdir("/three"), 0);
    CHECK_EQ(sys_getcwd(guest_room(64), 64), -ENOENT);
    CHECK_EQ(do_open("new", O_CREAT | O_RDWR, 0600), -ENOENT);
    CHECK_EQ(do_mkdir("new"), -ENOENT);
    CHECK_EQ(do_chdir(".."), 0);
    CHECK(cwd_is("/"));
    CHECK_EQ(sys_getcwd(guest_room(64), 1), -ERANGE);
    world_end();
}

TEST(a_removed_name_can_be_made_again) {
    world_start();
    make_file("/f", "old");
    int64_t fd = do_open("/f", O_RDONLY, 0);
    CHECK_EQ(do_unlink("/f"), 0);
    CHECK_EQ(do_access("/f", F_OK), -ENOENT);
    make_file("/f", "new");
    char bytes[8];
    CHECK_EQ(do_read(fd, bytes, sizeof(bytes)), 3);
    CHECK(!memcmp(bytes, "old", 3));
    CHECK(file_holds("/f", "new"));
    world_end();
}

TEST(names_that_cannot_be_removed_or_made) {
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    CHECK_EQ(do_mkdir("/d/e"), 0);
    make_file("/f", "");
    CHECK_EQ(do_mkdir("/"), -EEXIST);
    CHECK_EQ(do_mkdir("."), -EEXIST);
    CHECK_EQ(do_mkdir("/d/.."), -EEXIST);
    CHECK_EQ(do_mkdir("/f/x"), -ENOTDIR);
    CHECK_EQ(do_mkdir("/none/x"), -ENOENT);
    CHECK_EQ(do_rmdir("/"), -EBUSY);
    CHECK_EQ(do_rmdir("/d/."), -EINVAL);
    CHECK_EQ(do_rmdir("/d/e/.."), -ENOTEMPTY);
    CHECK_EQ(do_rmdir("/d"), -ENOTEMPTY);
    CHECK_EQ(do_rmdir("/f"), -ENOTDIR);
    CHECK_EQ(do_unlink("/d"), -EISDIR);
    CHECK_EQ(do_unlink("/"), -EISDIR);
    CHECK_EQ(do_unlink("/f/"), -ENOTDIR);
    CHECK_EQ(do_unlink("/none"), -ENOENT);
    CHECK_EQ(do_open("/new/", O_CREAT | O_RDWR, 0600), -EISDIR);
    CHECK_EQ(do_open("/d", O_RDWR, 0), -EISDIR);
    CHECK_EQ(do_open("/d", O_CREAT | O_RDONLY, 0), -EISDIR);
    CHECK_EQ(do_open("/f", O_DIRECTORY | O_RDONLY, 0), -ENOTDIR);
    CHECK_EQ(sys_symlink(guest_text(""), guest_text("/l")), -ENOENT);
    CHECK_EQ(sys_symlink(guest_text("t"), guest_text("/l/")), -ENOENT);
    CHECK_EQ(sys_link(guest_text("/d"), guest_text("/l")), -EPERM);
    CHECK_EQ(sys_link(guest_text("/f"), guest_text("/d")), -EEXIST);
    world_end();
}

TEST(rename_rules) {
    struct linux_stat before, after;
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    CHECK_EQ(do_mkdir("/d/in"), 0);
    CHECK_EQ(do_mkdir("/empty"), 0);
    make_file("/f", "f");
    make_file("/g", "g");
    CHECK_EQ(do_stat("/f", &before), 0);
    CHECK_EQ(do_rename("/d", "/d/in/deeper"), -EINVAL);
    CHECK_EQ(do_rename("/d", "/d"), 0);
    CHECK_EQ(do_rename("/d/in", "/d"), -ENOTEMPTY);
    CHECK_EQ(do_rename("/f", "/empty"), -EISDIR);
    CHECK_EQ(do_rename("/empty", "/f"), -ENOTDIR);
    CHECK_EQ(do_rename("/f/", "/x"), -ENOTDIR);
    CHECK_EQ(do_rename("/f", "/x/"), -ENOTDIR);
    CHECK_EQ(do_rename("/none", "/x"), -ENOENT);
    CHECK_EQ(do_rename("/empty/.", "/x"), -EBUSY);
    CHECK_EQ(do_rename("/f", "/g"), 0);
    CHECK(file_holds("/g", "f"));
    CHECK_EQ(do_stat("/g", &after), 0);
    CHECK_EQ(before.ino, after.ino);
    CHECK_EQ(after.nlink, 1);
    CHECK_EQ(do_stat("/f", &after), -ENOENT);
    CHECK_EQ(do_rename("/d", "/empty/"), 0);
    CHECK_EQ(do_stat("/empty/in", &after), 0);
    CHECK_EQ(do_stat("/empty", &after), 0);
    CHECK_EQ(after.nlink, 3);
    CHECK_EQ(do_stat("/", &after), 0);
    CHECK_EQ(after.nlink, 3);
    uint64_t g = guest_text("/g"), in = guest_text("/empty/in"), at = (uint64_t)AT_FDCWD;
    CHECK_EQ(sys_renameat2(at, g, at, in, RENAME_NOREPLACE), -EEXIST);
    CHECK_EQ(sys_renameat2(at, g, at, guest_text("/none"), RENAME_EXCHANGE), -ENOENT);
    CHECK_EQ(sys_renameat2(at, g, at, in, RENAME_EXCHANGE), 0);
    CHECK(file_holds("/empty/in", "f"));
    CHECK_EQ(do_stat("/g", &after), 0);
    CHECK(S_ISDIR(after.mode));
    CHECK_EQ(do_stat("/", &after), 0);
    CHECK_EQ(after.nlink, 4);
    CHECK_EQ(do_stat("/empty", &after), 0);
    CHECK_EQ(after.nlink, 2);
    world_end();
}

TEST(permissions_are_checked_on_the_way) {
    world_start();
    CHECK_EQ(do_mkdir("/closed"), 0);
    CHECK_EQ(do_mkdir("/sticky"), 0);
    CHECK_EQ(sys_chmod(guest_text("/sticky"), 01777), 0);
    make_file("/closed/f", "x");
    make_file("/sticky/root", "x");
    make_file("/mine", "x");
    CHECK_EQ(sys_chown(guest_text("/mine"), 1000, 1000), 0);
    CHECK_EQ(sys_chmod(guest_text("/closed"), 0700), 0);
    become(1000);
    CHECK_EQ(do_open("/closed/f", O_RDONLY, 0), -EACCES);
    CHECK_EQ(do_access("/closed/f", F_OK), -EACCES);
    CHECK_EQ(do_open("/new", O_CREAT | O_RDWR, 0600), -EACCES);
    CHECK_EQ(do_unlink("/mine"), -EACCES);
    CHECK_EQ(do_access("/mine", W_OK), 0);
    CHECK_EQ(do_access("/mine", X_OK), -EACCES);
    CHECK_EQ(do_unlink("/sticky/root"), -EPERM);
    make_file("/sticky/own", "x");
    CHECK_EQ(do_unlink("/sticky/own"), 0);
    CHECK_EQ(sys_chmod(guest_text("/mine"), 0400), 0);
    CHECK_EQ(do_open("/mine", O_WRONLY, 0), -EACCES);
    CHECK_EQ(sys_chmod(guest_text("/sticky/root"), 0777), -EPERM);
    CHECK_EQ(sys_chown(guest_text("/mine"), 0, 0), -EPERM);
    CHECK_EQ(sys_mknod(guest_text("/sticky/null"), S_IFCHR | 0666, 0x103), -EPERM);
    become(0);
    CHECK_EQ(do_access("/mine", X_OK), -EACCES); /* root too needs one x bit */
    CHECK_EQ(do_access("/mine", W_OK), 0);
    world_end();
}

TEST(mounts_cover_and_uncover) {
    struct linux_stat status;
    world_start();
    CHECK_EQ(do_mkdir("/m"), 0);
    make_file("/m/below", "b");
    uint64_t type = guest_text("tmpfs"), at = guest_text("/m");
    CHECK_EQ(sys_mount(type, at, guest_text("nofs"), 0, 0), -ENODEV);
    CHECK_EQ(sys_mount(type, guest_text("/m/below"), type, 0, 0), -ENOTDIR);
    CHECK_EQ(sys_mount(type, at, type, 0, guest_text("mode=0700")), 0);
    CHECK_EQ(do_stat("/m/below", &status), -ENOENT);
    make_file("/m/above", "a");
    CHECK_EQ(do_chdir("/m"), 0);
    CHECK(cwd_is("/m"));
    CHECK_EQ(do_rename("/m/above", "/above"), -EXDEV);
    CHECK_EQ(sys_link(guest_text("/m/above"), guest_text("/above")), -EXDEV);
    CHECK_EQ(do_rmdir("/m"), -EBUSY);
    CHECK_EQ(do_stat("..", &status), 0);
    CHECK_EQ(status.ino, fs_root.inode->attributes.ino);
    CHECK_EQ(sys_umount2(at, 0), -EBUSY);
    CHECK_EQ(do_chdir(".."), 0);
    CHECK(cwd_is("/"));
    CHECK_EQ(sys_mount(0, at, 0, MS_REMOUNT | MS_RDONLY, 0), 0);
    CHECK_EQ(do_open("/m/new", O_CREAT | O_RDWR, 0600), -EROFS);
    CHECK_EQ(do_open("/m/above", O_WRONLY, 0), -EROFS);
    CHECK_EQ(do_access("/m/above", W_OK), -EROFS);
    CHECK_EQ(do_unlink("/m/above"), -EROFS);
    CHECK_EQ(sys_umount2(at, 0), 0);
    CHECK(file_holds("/m/below", "b"));
    CHECK_EQ(sys_umount2(at, 0), -EINVAL);
    world_end();
}

TEST(binds_show_a_tree_twice) {
    world_start();
    CHECK_EQ(do_mkdir("/from"), 0);
    CHECK_EQ(do_mkdir("/from/sub"), 0);
    CHECK_EQ(do_mkdir("/to"), 0);
    CHECK_EQ(sys_mount(guest_text("/from/sub"), guest_text("/to"), 0, MS_BIND, 0), 0);
    make_file("/to/f", "x");
    CHECK(file_holds("/from/sub/f", "x"));
    CHECK_EQ(do_chdir("/to"), 0);
    CHECK(cwd_is("/to"));
    CHECK_EQ(do_chdir("/from/sub"), 0);
    CHECK(cwd_is("/from/sub"));
    CHECK_EQ(sys_umount2(guest_text("/to"), 0), 0);
    world_end();
}

TEST(chroot_closes_the_way_up) {
    struct linux_stat status;
    world_start();
    CHECK_EQ(do_mkdir("/jail"), 0);
    make_file("/secret", "s");
    make_file("/jail/inside", "i");
    make_link("/inside", "/jail/link");
    CHECK_EQ(sys_chroot(guest_text("/jail")), 0);
    CHECK_EQ(do_chdir("/"), 0);
    CHECK(cwd_is("/"));
    CHECK_EQ(do_stat("/../secret", &status), -ENOENT);
    CHECK_EQ(do_stat("../../secret", &status), -ENOENT);
    CHECK(file_holds("/link", "i"));
    world_end();
}

TEST(at_calls_start_at_their_descriptor) {
    world_start();
    CHECK_EQ(do_mkdir("/d"), 0);
    make_file("/d/f", "x");
    uint64_t d = (uint64_t)do_open("/d", O_RDONLY | O_DIRECTORY, 0),
             f = (uint64_t)do_open("/d/f", O_RDONLY, 0);
    uint64_t room = guest_room(256), empty = guest_text("");
    CHECK(sys_openat(d, guest_text("f"), O_RDONLY, 0) >= 0);
    CHECK_EQ(sys_openat(f, guest_text("f"), O_RDONLY, 0), -ENOTDIR);
    CHECK_EQ(sys_openat(99, guest_text("f"), O_RDONLY, 0), -EBADF);
    CHECK(sys_openat(99, guest_text("/d/f"), O_RDONLY, 0) >= 0);
    CHECK_EQ(sys_newfstatat(f, empty, room, AT_EMPTY_PATH), 0);
    CHECK_EQ(sys_newfstatat(f, empty, room, 0), -ENOENT);
    CHECK_EQ(sys_newfstatat(d, guest_text("f"), room, 0), 0);
    CHECK_EQ(sys_newfstatat(d, guest_text("f"), room, 0x8), -EINVAL);
    CHECK_EQ(sys_unlinkat(d, guest_text("f"), 0), 0);
    CHECK_EQ(sys_fchdir(d), 0);
    CHECK(cwd_is("/d"));
    CHECK_EQ(sys_fchdir(f), -ENOTDIR);
    uint64_t o = (uint64_t)do_open("/d", O_PATH, 0);
    CHECK_EQ(sys_read(o, room, 1), -EBADF);
    CHECK_EQ(sys_fchdir(o), 0);
    CHECK(sys_openat(o, guest_text("."), O_RDONLY, 0) >= 0);
    world_end();
}

TEST(descriptors_take_the_lowest_number) {
    world_start();
    make_file("/f", "x");
    CHECK_EQ(do_open("/f", O_RDONLY, 0), 0);
    CHECK_EQ(do_open("/f", O_RDONLY | O_CLOEXEC, 0), 1);
    CHECK_EQ(sys_dup(0), 2);
    CHECK_EQ(sys_close(1), 0);
    CHECK_EQ(sys_close(1), -EBADF);
    CHECK_EQ(sys_fcntl(0, F_DUPFD, 10), 10);
    CHECK_EQ(sys_fcntl(0, F_DUPFD_CLOEXEC, 10), 11);
    CHECK_EQ(sys_fcntl(11, F_GETFD, 0), FD_CLOEXEC);
    CHECK_EQ(sys_fcntl(10, F_GETFD, 0), 0);
    CHECK_EQ(sys_dup(0), 1);
    CHECK_EQ(sys_dup2(0, 500), 500);
    CHECK_EQ(sys_dup2(0, 0), 0);
    CHECK_EQ(sys_dup3(0, 0, 0), -EINVAL);
    CHECK_EQ(sys_dup2(0, 5000), -EBADF);
    CHECK_EQ(sys_dup2(99, 5), -EBADF);
    CHECK_EQ(sys_fcntl(0, F_DUPFD, 1024), -EINVAL);
    CHECK_EQ(sys_fcntl(0, F_GETFL, 0), O_RDONLY | O_LARGEFILE);
    world_process.limits[7].current = 3;
    CHECK_EQ(sys_dup(0), -EMFILE);
    CHECK_EQ(fd_table_exec(&world_task), 0);
    CHECK_EQ(sys_fcntl(11, F_GETFD, 0), -EBADF);
    CHECK_EQ(sys_fcntl(10, F_GETFD, 0), 0);
    CHECK_EQ(sys_close_range(2, UINT32_MAX, 0), 0);
    CHECK_EQ(sys_fcntl(500, F_GETFD, 0), -EBADF);
    world_end();
}

/* Last: everything the tests took is back. */
TEST(nothing_stays_behind) {
    world_start();
    world_end();
    size_t used = heap_used();
    for (int i = 0; i < 3; i++) {
        world_start();
        CHECK_EQ(do_mkdir("/a"), 0);
        make_file("/a/f", "x");
        make_link("a/f", "/l");
        CHECK(file_holds("/l", "x"));
        CHECK_EQ(do_rename("/a", "/b"), 0);
        CHECK_EQ(do_rename("/b/f", "/g"), 0);
        CHECK_EQ(do_unlink("/g"), 0);
        world_end();
    }
    CHECK_EQ(heap_used(), used);
}

TEST_MAIN();
