/*
 * Operations on files by name and by descriptor.
 */
#include "torturer.h"

#include <fcntl.h>
#include <sys/stat.h>

void fd_keep(struct torturer *t, long fd) {
    if (fd >= 0)
        t->fds[below(t, 8)] = (int)fd;
}

static void descriptor_op(struct torturer *t) {
    switch (below(t, 12)) {
    case 0:
    case 1:
        CALL3(SYS_write, fd_any(t), memory_any(t), below(t, 3) ? below(t, 5000) : number_any(t));
        break;
    case 2:
    case 3:
        CALL3(SYS_read, fd_any(t), memory_any(t), below(t, 3) ? below(t, 5000) : number_any(t));
        break;
    case 4:
        CALL6(SYS_pwrite64, fd_any(t), memory_good(t), below(t, 9000), below(t, 200000), 0, 0);
        break;
    case 5:
        CALL3(SYS_lseek, fd_any(t), below(t, 70000), below(t, 5));
        break;
    case 6:
        CALL2(SYS_ftruncate, fd_any(t), below(t, 2) ? below(t, 100000) : number_any(t));
        break;
    case 7:
        CALL3(SYS_getdents64, fd_any(t), memory_any(t), below(t, 4096));
        break;
    case 8:
        CALL1(SYS_close, fd_any(t));
        break;
    case 9:
        CALL2(SYS_dup2, fd_any(t), below(t, 24));
        break;
    case 10:
        CALL3(SYS_fcntl, fd_any(t), below(t, 12), number_any(t));
        break;
    default:
        CALL6(SYS_sendfile, fd_any(t), fd_any(t), 0, below(t, 20000), 0, 0);
    }
}

static void open_op(struct torturer *t) {
    if (below(t, 4))
        fd_keep(t, CALL3(SYS_open, name_any(t),
                         O_CREAT | (below(t, 3)) | (below(t, 3) ? 0 : O_TRUNC) | O_NONBLOCK, 0755));
    else
        fd_keep(t, CALL6(SYS_openat, -100, name_any(t), number_any(t) | O_NONBLOCK, 0700, 0, 0));
}

static void name_op(struct torturer *t) {
    switch (below(t, 10)) {
    case 0:
        CALL2(below(t, 2) ? SYS_stat : SYS_lstat, name_any(t), memory_any(t));
        break;
    case 1:
        CALL2(SYS_mkdir, name_own(t), 0755);
        break;
    case 2:
        CALL1(SYS_rmdir, name_own(t));
        break;
    case 3:
        CALL1(SYS_unlink, name_own(t));
        break;
    case 4:
        CALL2(SYS_rename, name_own(t), name_own(t));
        break;
    case 5:
        CALL2(SYS_link, name_own(t), name_own(t));
        break;
    case 6:
        CALL2(SYS_symlink, name_own(t), name_own(t));
        break;
    case 7:
        CALL1(SYS_chdir, name_own(t));
        break;
    case 8:
        CALL3(SYS_mknod, name_own(t), below(t, 2) ? S_IFIFO | 0600 : S_IFREG | 0600, 0);
        break;
    default:
        CALL2(SYS_getcwd, memory_any(t), below(t, 300));
    }
}

void file_op(struct torturer *t) {
    unsigned pick = below(t, 26);
    if (pick < 4)
        open_op(t);
    else if (pick < 16)
        descriptor_op(t);
    else
        name_op(t);
}
