/* Directories: made, read and removed, long names and paths, and places relative to descriptors. */
#include "tests/system/prog/files/folder.h"

TEST(directories) {
    enter();
    CHECK_ERRNO(rmdir("missing"), ENOENT);
    CHECK(mkdir("d", 0755) == 0);
    CHECK_ERRNO(mkdir("d", 0755), EEXIST);
    CHECK_ERRNO(mkdir("x/y", 0755), ENOENT);
    CHECK(mkdir("trailing/", 0755) == 0);
    make("d/f", "");
    CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
    CHECK_ERRNO(rmdir("d/f"), ENOTDIR);
    CHECK_ERRNO(rmdir("d/."), EINVAL);
    CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
    CHECK_ERRNO(rmdir("/"), EBUSY);
    CHECK_ERRNO(unlink("d"), EISDIR);
    CHECK(unlink("d/f") == 0 && rmdir("d") == 0);
    CHECK(mkdir("d", 0755) == 0 && chdir("d") == 0);
    char path[PATH_MAX], expected[PATH_MAX];
    CHECK(getcwd(path, sizeof path) != NULL);
    snprintf(expected, sizeof expected, "%s/d", folder);
    CHECK(check_is(path, expected));
    CHECK_ERRNO(syscall(SYS_getcwd, path, 3), ERANGE);
    CHECK(rmdir("../d") == 0);
    CHECK_ERRNO(syscall(SYS_getcwd, path, sizeof path), ENOENT);
    CHECK_ERRNO(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK(chdir("..") == 0 || true);
    CHECK(chdir(folder) == 0);
    CHECK_ERRNO(chdir("missing"), ENOENT);
    int fd = open("trailing", O_RDONLY | O_DIRECTORY);
    CHECK(fchdir(fd) == 0 && chdir("..") == 0);
    char byte;
    CHECK_ERRNO(read(fd, &byte, 1), EISDIR);
    leave();
}

TEST(reading_directories) {
    enter();
    enum { MANY = 500 };
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        make(name, "");
    }
    DIR *directory = opendir(".");
    struct dirent *entry;
    static char seen[MANY];
    int dots = 0, count = 0;
    while ((entry = readdir(directory))) {
        count++;
        if (entry->d_name[0] == '.') {
            CHECK_EQ(entry->d_type, DT_DIR);
            dots++;
            continue;
        }
        CHECK_EQ(entry->d_type, DT_REG);
        CHECK_EQ(entry->d_ino, info_of(entry->d_name).st_ino);
        seen[atoi(entry->d_name + 5)]++;
        unlink(entry->d_name); /* while it is read: none may be missed */
    }
    CHECK_EQ(dots, 2);
    CHECK_EQ(count, MANY + 2);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(seen[i], 1);
    make("one", "");
    rewinddir(directory);
    count = 0;
    while (readdir(directory))
        count++;
    CHECK_EQ(count, 3);
    char buffer[8];
    CHECK_ERRNO(syscall(SYS_getdents64, open(".", O_RDONLY), buffer, sizeof buffer), EINVAL);
    CHECK_ERRNO(syscall(SYS_getdents64, open("one", O_RDONLY), buffer, sizeof buffer), ENOTDIR);
    closedir(directory);
    leave();
}

TEST(long_names_and_paths) {
    enter();
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    make(name, "long");
    says(name, "long");
    name[255] = 'n';
    name[256] = 0;
    CHECK_ERRNO(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    static char path[6000];
    for (int i = 0; i < 4100; i += 2)
        memcpy(path + i, "./", 2);
    CHECK_ERRNO(access(path, F_OK), ENAMETOOLONG);
    path[4094] = 0;
    CHECK(access(path, F_OK) == 0);
    for (int i = 0; i < 60; i++)
        CHECK(mkdir("deep-directory-name-0123456789-0123456789-0123456789-0123456789", 0755) == 0 &&
              chdir("deep-directory-name-0123456789-0123456789-0123456789-0123456789") == 0);
    CHECK(getcwd(path, PATH_MAX) != NULL);
    CHECK(strlen(path) > 3700);
    leave();
}

TEST(relative_to_descriptors) {
    enter();
    CHECK(mkdir("d", 0755) == 0);
    int directory = open("d", O_RDONLY | O_DIRECTORY);
    int fd = openat(directory, "in", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0);
    CHECK(S_ISREG(info_of("d/in").st_mode));
    CHECK_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(openat(777, "x", O_RDONLY), EBADF);
    CHECK(openat(777, "/dev/null", O_RDONLY) >= 0);
    CHECK(mkdirat(directory, "sub", 0755) == 0);
    CHECK(renameat(directory, "in", directory, "out") == 0);
    CHECK(symlinkat("out", directory, "s") == 0);
    struct stat info;
    CHECK(fstatat(directory, "s", &info, 0) == 0 && S_ISREG(info.st_mode));
    CHECK(fstatat(directory, "s", &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode));
    CHECK(fstatat(directory, "", &info, AT_EMPTY_PATH) == 0 && S_ISDIR(info.st_mode));
    CHECK_ERRNO(fstatat(directory, "", &info, 0), ENOENT);
    CHECK_ERRNO(fstatat(directory, "s", &info, 0x10), EINVAL);
    CHECK(unlinkat(directory, "sub", AT_REMOVEDIR) == 0);
    CHECK_ERRNO(unlinkat(directory, "out", AT_REMOVEDIR), ENOTDIR);
    CHECK(faccessat(directory, "out", R_OK, 0) == 0);
    CHECK(fchmodat(directory, "out", 0640, 0) == 0);
    CHECK(fchownat(directory, "s", 7, 7, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK_EQ(info_of("d/s").st_uid, 7);
    CHECK_EQ(info_of("d/out").st_uid, 0);
    leave();
}
