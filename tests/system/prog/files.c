/* test: libc=musl,glibc */
/* Files as tmpfs keeps them: links, renames, unlinked files, holes, times, permissions, paths, directories.
 */
#include "tests/system/prog/files/folder.h"

TEST(read_and_write) {
    enter();
    int fd = create("a", "hello");
    char text[16] = {0};
    CHECK_EQ(read(fd, text, 5), 0);
    CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
    CHECK_EQ(read(fd, text, 16), 4);
    CHECK(check_is(text, "ello"));
    CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
    says("a", "Jello");
    CHECK_EQ(lseek(fd, -2, SEEK_END), 3);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
    CHECK_ERRNO(pread(fd, text, 1, -1), EINVAL);
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(read(fd, text, 1), 0);
    close(fd);
    fd = open("a", O_WRONLY | O_TRUNC);
    CHECK_EQ(info_of("a").st_size, 0);
    CHECK_ERRNO(read(fd, text, 1), EBADF);
    close(fd);
    fd = open("a", O_RDONLY);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    CHECK_ERRNO(ftruncate(fd, 1), EINVAL);
    leave();
}

TEST(append) {
    enter();
    make("a", "one");
    int first = open("a", O_WRONLY | O_APPEND), second = open("a", O_WRONLY | O_APPEND);
    CHECK_EQ(write(first, "two", 3), 3);
    CHECK_EQ(write(second, "three", 5), 5);
    CHECK_EQ(lseek(first, 0, SEEK_SET), 0);
    CHECK_EQ(write(first, "!", 1), 1);
    says("a", "onetwothree!");
    leave();
}

TEST(open_flags) {
    enter();
    make("a", "");
    CHECK_ERRNO(open("a", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("missing/b", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK_ERRNO(open("a/b", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("a/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("a", O_DIRECTORY | O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK_ERRNO(open(".", O_RDWR), EISDIR);
    CHECK_ERRNO(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    CHECK(symlink("a", "link") == 0);
    CHECK_ERRNO(open("link", O_NOFOLLOW | O_RDONLY), ELOOP);
    CHECK_ERRNO(open("link", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    int path = open("link", O_PATH | O_NOFOLLOW);
    struct stat info;
    CHECK(fstat(path, &info) == 0 && S_ISLNK(info.st_mode));
    char text[8];
    CHECK_ERRNO(read(path, text, 1), EBADF);
    CHECK_EQ(readlinkat(path, "", text, 8), 1);
    CHECK(symlink("target-made-through-link", "dangling") == 0);
    CHECK(close(open("dangling", O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(S_ISREG(info_of("target-made-through-link").st_mode));
    leave();
}

TEST(hard_links) {
    enter();
    make("a", "same");
    CHECK(link("a", "b") == 0);
    CHECK_EQ(info_of("a").st_ino, info_of("b").st_ino);
    CHECK_EQ(info_of("a").st_nlink, 2);
    CHECK_ERRNO(link("a", "b"), EEXIST);
    CHECK_ERRNO(link("missing", "c"), ENOENT);
    CHECK_ERRNO(link(".", "c"), EPERM);
    CHECK(unlink("a") == 0);
    says("b", "same");
    CHECK_EQ(info_of("b").st_nlink, 1);
    CHECK(symlink("b", "s") == 0);
    CHECK(link("s", "t") == 0); /* the link itself */
    CHECK(S_ISLNK(info_of("t").st_mode));
    CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW) == 0);
    CHECK(S_ISREG(info_of("u").st_mode));
    leave();
}

TEST(symbolic_links) {
    enter();
    char text[64] = {0};
    CHECK(symlink("some/where", "s") == 0);
    CHECK_EQ(readlink("s", text, sizeof text), 10);
    CHECK(check_is(text, "some/where"));
    CHECK_EQ(readlink("s", text, 4), 4);
    CHECK_EQ(info_of("s").st_size, 10);
    CHECK_EQ(info_of("s").st_mode, S_IFLNK | 0777);
    CHECK_ERRNO(symlink("x", "s"), EEXIST);
    CHECK_ERRNO(symlink("", "empty"), ENOENT);
    make("a", "");
    CHECK_ERRNO(readlink("a", text, 10), EINVAL);
    CHECK_ERRNO(syscall(SYS_readlink, "s", text, 0), EINVAL);
    CHECK(symlink("loop2", "loop1") == 0);
    CHECK(symlink("loop1", "loop2") == 0);
    CHECK_ERRNO(open("loop1", O_RDONLY), ELOOP);
    CHECK_ERRNO(chdir("loop1"), ELOOP);
    CHECK(mkdir("d", 0755) == 0);
    make("d/in", "inner");
    CHECK(symlink("d", "to-d") == 0);
    says("to-d/in", "inner");
    CHECK(S_ISDIR(info_of("to-d/").st_mode));
    CHECK_ERRNO(rmdir("to-d"), ENOTDIR);
    CHECK_ERRNO(unlink("to-d/"), ENOTDIR);
    CHECK(symlink("../d/./../d/in", "d/up") == 0);
    says("d/up", "inner");
    char name[16] = "a", previous[16];
    for (int i = 0; i < 41; i++) {
        strcpy(previous, name);
        snprintf(name, sizeof name, "chain%d", i);
        CHECK(symlink(previous, name) == 0);
    }
    CHECK(access("chain39", F_OK) == 0);
    CHECK_ERRNO(access("chain40", F_OK), ELOOP);
    leave();
}

TEST(rename_rules) {
    enter();
    make("a", "A");
    make("b", "B");
    CHECK(rename("a", "b") == 0);
    says("b", "A");
    CHECK_ERRNO(rename("a", "b"), ENOENT);
    CHECK(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("d/sub", 0755) == 0);
    CHECK_ERRNO(rename("b", "d"), EISDIR);
    CHECK_ERRNO(rename("d", "b"), ENOTDIR);
    CHECK_ERRNO(rename("e", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename("d", "d/sub/x"), EINVAL);
    CHECK_ERRNO(rename("d", "."), EBUSY);
    CHECK_ERRNO(rename("d/.", "x"), EBUSY);
    CHECK(rename("d", "e") == 0); /* over an empty directory */
    CHECK(S_ISDIR(info_of("e/sub").st_mode));
    CHECK(link("b", "c") == 0);
    CHECK(rename("b", "c") == 0); /* two names of one file: nothing happens */
    CHECK(access("b", F_OK) == 0);
    CHECK(rename("e", "e") == 0);
    CHECK(mkdir("f", 0755) == 0);
    CHECK(rename("e/sub", "f/sub") == 0);
    struct stat parent = info_of("f"), up = info_of("f/sub/..");
    CHECK_EQ(parent.st_ino, up.st_ino);
    CHECK_EQ(info_of("f").st_nlink, 3);
    CHECK_EQ(info_of("e").st_nlink, 2);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 1), EEXIST);
    make("x", "X");
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "f", 2) == 0); /* RENAME_EXCHANGE */
    says("f", "X");
    CHECK(S_ISDIR(info_of("x/sub").st_mode));
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 3), EINVAL);
    CHECK_ERRNO(rename("b", "new/"), ENOTDIR);
    leave();
}

TEST(unlinked_but_open) {
    enter();
    int fd = create("a", "still here");
    CHECK(unlink("a") == 0);
    CHECK_ERRNO(unlink("a"), ENOENT);
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    CHECK_EQ(info.st_nlink, 0);
    char text[16] = {0};
    CHECK_EQ(pread(fd, text, 15, 0), 10);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(info.st_size, 10);
    char name[64] = {0}, path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, name, sizeof name - 1) > 0);
    CHECK(strstr(name, "/a (deleted)") != NULL);
    CHECK(mkdir("d", 0755) == 0);
    int directory = open("d", O_RDONLY);
    CHECK(rmdir("d") == 0);
    CHECK_ERRNO(openat(directory, "x", O_CREAT | O_RDWR, 0600), ENOENT);
    leave();
}

TEST(holes) {
    enter();
    int fd = create("a", "");
    off_t far = (off_t)3 << 30;
    CHECK_EQ(pwrite(fd, "end", 3, far), 3);
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    CHECK_EQ(info.st_size, far + 3);
    CHECK(info.st_blocks <= 16);
    char text[4] = {1, 1, 1, 1};
    CHECK_EQ(pread(fd, text, 4, far - 4), 4);
    CHECK(text[0] == 0 && text[3] == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), far);
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQ(lseek(fd, far, SEEK_HOLE), far + 3);
    CHECK_ERRNO(lseek(fd, far + 3, SEEK_DATA), ENXIO);
    CHECK(ftruncate(fd, 10) == 0);
    CHECK(ftruncate(fd, 8192) == 0);
    CHECK_EQ(pread(fd, text, 4, 4096), 4);
    CHECK_EQ(text[0], 0);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK(posix_fallocate(fd, 0, 100000) == 0);
    CHECK(fstat(fd, &info) == 0);
    CHECK_EQ(info.st_size, 100000);
    CHECK(info.st_blocks >= 195);
    leave();
}

TEST(truncation_clears_the_tail) {
    enter();
    int fd = create("a", "0123456789");
    CHECK(ftruncate(fd, 4) == 0);
    CHECK(ftruncate(fd, 10) == 0);
    char text[10];
    CHECK_EQ(pread(fd, text, 10, 0), 10);
    CHECK(memcmp(text, "0123\0\0\0\0\0\0", 10) == 0);
    leave();
}

TEST(times) {
    enter();
    int fd = create("a", "x");
    struct timespec set[2] = {{1000000000, 111}, {1100000000, 222}};
    CHECK(futimens(fd, set) == 0);
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    CHECK(info.st_atim.tv_sec == 1000000000 && info.st_atim.tv_nsec == 111);
    CHECK(info.st_mtim.tv_sec == 1100000000 && info.st_mtim.tv_nsec == 222);
    CHECK(info.st_ctim.tv_sec > 1600000000);
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK(fstat(fd, &info) == 0);
    CHECK(info.st_mtim.tv_sec > 1600000000);
    CHECK_EQ(info.st_atim.tv_sec, 1000000000);
    set[0].tv_nsec = UTIME_OMIT;
    set[1].tv_nsec = UTIME_NOW;
    CHECK(utimensat(AT_FDCWD, "a", set, 0) == 0);
    CHECK(fstat(fd, &info) == 0);
    CHECK_EQ(info.st_atim.tv_sec, 1000000000);
    set[0] = (struct timespec){0, 2000000000};
    CHECK_ERRNO(utimensat(AT_FDCWD, "a", set, 0), EINVAL);
    CHECK(symlink("a", "s") == 0);
    set[0] = set[1] = (struct timespec){5, 6};
    CHECK(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK_EQ(info_of("s").st_mtim.tv_sec, 5);
    CHECK(info_of("a").st_mtim.tv_sec > 5);
    CHECK(mkdir("d", 0755) == 0);
    CHECK(utimensat(AT_FDCWD, "d", set, 0) == 0);
    make("d/x", "");
    CHECK(info_of("d").st_mtim.tv_sec > 5);
    CHECK(utime("a", &(struct utimbuf){77, 88}) == 0);
    CHECK_EQ(info_of("a").st_mtime, 88);
    leave();
}

TEST(modes) {
    enter();
    umask(027);
    make("a", "");
    CHECK_EQ(info_of("a").st_mode, S_IFREG | 0640);
    CHECK(mkdir("d", 0777) == 0);
    CHECK_EQ(info_of("d").st_mode, S_IFDIR | 0750);
    CHECK(chmod("a", 07777) == 0);
    CHECK_EQ(info_of("a").st_mode, S_IFREG | 07777);
    CHECK(chown("a", 12, 34) == 0);
    CHECK_EQ(info_of("a").st_mode, S_IFREG | 01777); /* a change of owner takes the set-id bits */
    CHECK(info_of("a").st_uid == 12 && info_of("a").st_gid == 34);
    CHECK(chown("a", (uid_t)-1, 56) == 0);
    CHECK(info_of("a").st_uid == 12 && info_of("a").st_gid == 56);
    CHECK(chown("d", 0, 99) == 0);
    CHECK(chmod("d", 02755) == 0);
    make("d/x", "");
    CHECK_EQ(info_of("d/x").st_gid, 99);
    CHECK(mkdir("d/y", 0755) == 0);
    CHECK_EQ(info_of("d/y").st_mode & 02000, 02000);
    CHECK_EQ(umask(0), 027);
    CHECK(mkfifo("p", 0666) == 0);
    CHECK_EQ(info_of("p").st_mode, S_IFIFO | 0666);
    CHECK(mknod("n", S_IFREG | 0600, 0) == 0);
    CHECK_EQ(info_of("n").st_mode, S_IFREG | 0600);
    CHECK_ERRNO(chmod("missing", 0600), ENOENT);
    leave();
}

TEST(permissions_of_others) {
    enter();
    make("secret", "s");
    make("public", "p");
    CHECK(mkdir("closed", 0700) == 0 && mkdir("dropbox", 0755) == 0);
    make("closed/in", "");
    CHECK(chmod("secret", 0600) == 0 && chmod(".", 0755) == 0 && chmod("dropbox", 01777) == 0);
    make("dropbox/mine", "");
    make("group", "g");
    CHECK(chown("group", 0, 500) == 0 && chmod("group", 0640) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        gid_t groups[] = {500};
        CHECK(syscall(SYS_setgroups, 1, groups) == 0);
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
        CHECK(open("public", O_RDONLY) >= 0);
        CHECK(open("group", O_RDONLY) >= 0);
        CHECK_ERRNO(open("group", O_WRONLY), EACCES);
        CHECK_ERRNO(open("public", O_WRONLY), EACCES);
        CHECK_ERRNO(open("closed/in", O_RDONLY), EACCES);
        CHECK_ERRNO(open("new", O_CREAT | O_RDWR, 0600), EACCES);
        CHECK_ERRNO(unlink("public"), EACCES);
        CHECK_ERRNO(chmod("public", 0777), EPERM);
        CHECK_ERRNO(chown("public", 1000, 1000), EPERM);
        CHECK_ERRNO(unlink("dropbox/mine"), EPERM); /* sticky */
        CHECK_ERRNO(rename("dropbox/mine", "dropbox/other"), EPERM);
        make("dropbox/yours", "");
        CHECK(chmod("dropbox/yours", 0600) == 0);
        CHECK(unlink("dropbox/yours") == 0);
        CHECK_ERRNO(access("secret", R_OK), EACCES);
        CHECK(access("public", R_OK) == 0);
        CHECK_ERRNO(access("public", X_OK), EACCES);
        CHECK_ERRNO(utimensat(AT_FDCWD, "public", NULL, 0), EACCES);
        CHECK_ERRNO(mknod("dropbox/dev", S_IFCHR | 0600, 0x103), EPERM);
        CHECK_ERRNO(chroot("/"), EPERM);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK(access("secret", R_OK) == 0);
    CHECK_ERRNO(access("secret", X_OK), EACCES); /* not even for root */
    leave();
}

TEST(many_files) {
    enter();
    char name[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i);
        make(name, name);
    }
    for (int i = 0; i < 2000; i += 37) {
        snprintf(name, sizeof name, "%d", i);
        says(name, name);
    }
    struct statfs space;
    CHECK(statfs(".", &space) == 0);
    CHECK_EQ(space.f_bsize, 4096);
    CHECK_EQ(space.f_type, 0x01021994);
    CHECK(space.f_bfree <= space.f_blocks && space.f_blocks > 0);
    CHECK_EQ(space.f_namelen, 255);
    leave();
}

TEST(extended_stat) {
    enter();
    make("a", "12345");
    struct {
        uint32_t mask, block_size;
        uint64_t attributes;
        uint32_t links, uid, gid;
        uint16_t mode, pad;
        uint64_t inode, size, blocks;
        uint64_t rest[32];
    } extended;
    CHECK(syscall(SYS_statx, AT_FDCWD, "a", 0, 0x7ff, &extended) == 0);
    struct stat info = info_of("a");
    CHECK_EQ(extended.size, 5);
    CHECK_EQ(extended.inode, info.st_ino);
    CHECK_EQ(extended.mode, info.st_mode);
    CHECK_EQ(extended.links, 1);
    CHECK_EQ(extended.blocks, info.st_blocks);
    CHECK_EQ(info.st_blksize, 4096);
    leave();
}

TEST(size_limit) {
    enter();
    struct rlimit limit = {1000, 1000};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    int fd = create("a", "");
    static char bytes[2000];
    CHECK_EQ(write(fd, bytes, sizeof bytes), 1000);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_ERRNO(write(fd, bytes, 1), EFBIG);
    CHECK_ERRNO(ftruncate(fd, 1001), EFBIG);
    CHECK_ERRNO(fallocate(fd, 0, 500, 501), EFBIG);
    CHECK(fallocate(fd, 0, 500, 500) == 0);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1001), EFBIG);
    close(fd);
    CHECK(chdir("/") == 0);
    unlink("a");
    char path[80];
    snprintf(path, sizeof path, "%s/a", folder);
    unlink(path);
    rmdir(folder);
}

TEST(copying_ranges) {
    enter();
    int in = create("in", "0123456789"), out = create("out", "");
    off_t from = 2, to = 1;
    CHECK_EQ(syscall(SYS_copy_file_range, in, &from, out, &to, 5, 0), 5);
    CHECK(from == 7 && to == 6);
    char text[8] = {0};
    CHECK_EQ(pread(out, text, 8, 1), 5);
    CHECK(check_is(text, "23456"));
    CHECK(fsync(out) == 0 && fdatasync(out) == 0);
    sync();
    leave();
}

TEST(attributes_are_refused) {
    enter();
    make("a", "");
    char text[8];
    CHECK_ERRNO(syscall(SYS_getxattr, "a", "user.x", text, 8), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_setxattr, "a", "user.x", text, 8, 0), EOPNOTSUPP);
    leave();
}

TEST_MAIN()
